"""``apply --server-side``: the server merges; here are kubectl's words, and the way over from client-side apply."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import parsing, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

MANAGER = "kubectl"
ANNOTATION_MANAGER = "kubectl-last-applied"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MIGRATION_RETRIES = 5
LATER = "This is non-fatal and will be retried next time you apply."
UNKEPT = f"Warning: failed to migrate {LAST_APPLIED} for Server-Side Apply. {LATER}"
UNMOVED = f"Warning: server rejected managed fields migration to Server-Side Apply. {LATER}"
UNREPEATED = (
    f"Warning: failed to re-apply configuration after performing Server-Side Apply migration. {LATER}"
)
ADVICE = """
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"""


def apply(
    target: Target, wanted: dict[str, Any], query: dict[str, Any], session: Session, subresource: str = ""
) -> dict[str, Any]:
    """Apply an object and return the outcome; what client-side apply owned of it is taken over.

    ``query`` has the request's parameters, ``fieldManager`` among them.
    """
    try:
        result = send(target, wanted, query, session, subresource)
    except errors.StatusError as error:
        if error.reason == "Conflict":
            raise parsing.Verbatim(f"error: {error}{ADVICE}") from None
        raise parsing.Verbatim(report.status_sentence(error)) from None
    annotations = result["metadata"].get("annotations") or {}
    if subresource or not annotations.get(LAST_APPLIED):
        return result
    return _taken_over(target, wanted, result, query, session)


def _taken_over(
    target: Target, wanted: dict[str, Any], result: dict[str, Any], query: dict[str, Any], session: Session
) -> dict[str, Any]:
    """Take over what client-side apply owned; that this fails is only told, as the object is applied."""
    told = UNKEPT
    try:
        if query["fieldManager"] == MANAGER:
            result = _keep_annotation(target, result, query, session)
        told = UNMOVED
        moved = _migrate(target, result, query, session)
        if moved is None:
            return result
        result, told = moved, UNREPEATED
        return send(target, wanted, query, session)  # now what is left out can go
    except errors.StatusError as error:
        session.io.warn(f"{told} Error: {error}")
        return result


def send(
    target: Target, wanted: Any, query: dict[str, Any], session: Session, subresource: str = ""
) -> dict[str, Any]:
    """Ask the server to merge the object into what is there, and return the outcome."""
    media = {"Content-Type": "application/apply-patch+yaml"}
    answer = session.client.request("PATCH", target.path(subresource), wanted, query=query, headers=media)
    result: dict[str, Any] = answer.json()
    return result


def _entries(result: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    """Return the entries of that operation that own the annotation."""
    return [
        entry
        for entry in result["metadata"].get("managedFields") or ()
        if entry.get("operation") == operation
        and f"f:{LAST_APPLIED}"
        in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations", {})
    ]


def _keep_annotation(
    target: Target, result: dict[str, Any], query: dict[str, Any], session: Session
) -> dict[str, Any]:
    """Let a manager of its own hold the annotation, so that going back to client-side apply stays possible."""
    if _entries(result, "Apply"):
        return result
    meta = result["metadata"]
    kept = {"name": meta["name"], "annotations": {LAST_APPLIED: meta["annotations"][LAST_APPLIED]}}
    if meta.get("namespace"):
        kept["namespace"] = meta["namespace"]
    wanted = {"apiVersion": result["apiVersion"], "kind": result["kind"], "metadata": kept}
    return send(target, wanted, {**query, "fieldManager": ANNOTATION_MANAGER, "force": False}, session)


def _migrate(
    target: Target, result: dict[str, Any], query: dict[str, Any], session: Session
) -> dict[str, Any] | None:
    """Give the fields of the client-side managers to the server-side one; None when there were none."""
    attempts = 0
    while names := {str(entry.get("manager")) for entry in _entries(result, "Update")}:
        meta = result["metadata"]
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": _united(result, names, query)},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
        ]
        media = {"Content-Type": "application/json-patch+json"}
        asked = {name: value for name, value in query.items() if name != "force"}
        body = json.dumps(patch).encode()
        try:
            moved: dict[str, Any] = session.client.request(
                "PATCH", target.path(), body, query=asked, headers=media
            ).json()
        except errors.StatusError as error:
            attempts += 1
            if error.reason != "Conflict" or attempts == MIGRATION_RETRIES:
                raise
            result = session.client.request("GET", target.path()).json()
        else:
            return moved
    return None


def _united(result: dict[str, Any], names: set[str], query: dict[str, Any]) -> list[dict[str, Any]]:
    from minikctl.model.apply import fieldsets

    found: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    mine: dict[str, Any] | None = None
    for entry in result["metadata"]["managedFields"]:
        is_main = not entry.get("subresource")
        if is_main and entry.get("operation") == "Update" and entry.get("manager") in names:
            fields = fieldsets.union(fields, entry.get("fieldsV1") or {})
            mine = mine or {**entry, "operation": "Apply", "manager": query["fieldManager"]}
        elif is_main and entry.get("operation") == "Apply" and entry.get("manager") == query["fieldManager"]:
            fields = fieldsets.union(fields, entry.get("fieldsV1") or {})
            mine = entry
        else:
            found.append(entry)
    return [*found, {**(mine or {}), "fieldsV1": fieldsets.ordered(fields)}]
