"""``auth reconcile``: roles and bindings are given the rules and subjects that files say, and keep what they have.

Unlike ``apply`` it compares what rules allow, not how they are written, and makes bindings anew whose role changed.
"""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, filing, manifests, printing, report, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

GROUP = "rbac.authorization.k8s.io"
ROLES, BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")
MANAGER = "kubectl-auth-reconcile"


class ReconcileOptions(printing.Printing, filing.Filing):
    """What ``auth reconcile`` was asked."""

    dry_run: str = flag(
        "--dry-run",
        default="none",
        bare="client",
        help="none, client or server.",
        complete="none client server",
    )
    fewer_permissions: bool = flag(
        "--remove-extra-permissions", default=False, help="Remove rules that the files do not have."
    )
    fewer_subjects: bool = flag(
        "--remove-extra-subjects", default=False, help="Remove subjects that the files do not have."
    )


def run(options: ReconcileOptions, session: Session) -> int:
    """Reconcile every role and binding of the files; return the exit code."""
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    changing.check_dry_run(options.dry_run)
    failed = False
    for document in manifests.sound(options.files, options.recursive, session.io):
        kind = document.object.get("kind")
        if not str(document.object.get("apiVersion")).startswith(f"{GROUP}/") or kind not in ROLES + BINDINGS:
            continue  # as kubectl: what is neither is left alone
        try:
            target = selection.target_of(document.object, session, document.source)
            result = _one(options, document.object, target, session)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
            continue
        printer = printing.printer(options, printing.named(target.title))
        suffix = changing.DRY_RUNS[options.dry_run]
        session.io.out.write(printer([result], False) if printer else f"{target.title} reconciled{suffix}\n")
    return 1 if failed else 0


def _one(
    options: ReconcileOptions, wanted: dict[str, Any], target: Target, session: Session
) -> dict[str, Any]:
    try:
        current: dict[str, Any] = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        if error.code != 404:
            raise
        return _send("POST", target.collection.path(), wanted, options, session)
    if wanted["kind"] in BINDINGS and current["roleRef"] != wanted["roleRef"]:
        if options.dry_run == "none":
            session.client.request("DELETE", target.path())
        fresh = {**wanted, "subjects": united(current.get("subjects"), wanted.get("subjects"))}
        return _send("POST", target.collection.path(), fresh, options, session)
    changed = merged(
        current, wanted, fewer_rules=options.fewer_permissions, fewer_subjects=options.fewer_subjects
    )
    return current if changed == current else _send("PUT", target.path(), changed, options, session)


def merged(
    current: dict[str, Any], wanted: dict[str, Any], *, fewer_rules: bool, fewer_subjects: bool
) -> dict[str, Any]:
    """Return the object with what is wanted of it added and, if asked, the rest of it removed."""
    metadata = {**current["metadata"]}
    for part in ("labels", "annotations"):
        added = (wanted.get("metadata") or {}).get(part)
        if added:
            metadata[part] = {**(metadata.get(part) or {}), **added}
    changed = {**current, "metadata": metadata}
    if wanted["kind"] in BINDINGS:
        kept = [] if fewer_subjects else list(current.get("subjects") or ())
        return {**changed, "subjects": united(kept, wanted.get("subjects"))}
    if wanted.get("aggregationRule"):
        return {**changed, "aggregationRule": wanted["aggregationRule"]}
    return {
        **changed,
        "rules": rules(current.get("rules") or [], wanted.get("rules") or [], fewer=fewer_rules),
    }


def rules(current: list[Any], wanted: list[Any], *, fewer: bool) -> list[Any]:
    """Return the rules that allow what both do or, with ``fewer``, what is wanted alone; unchanged if they do so."""
    from minikctl.model import rbac

    absent = rbac.missing(current, wanted)
    extra = rbac.missing(wanted, current)
    if not absent and not (extra and fewer):
        return current
    return wanted if fewer else [*current, *absent]


def united(current: list[Any] | None, wanted: list[Any] | None) -> list[Any]:
    """Return the subjects of both, each once."""
    found: list[Any] = list(current or ())
    found += [one for one in wanted or () if one not in found]
    return found


def _send(
    method: str, path: str, body: dict[str, Any], options: ReconcileOptions, session: Session
) -> dict[str, Any]:
    if options.dry_run == "client":
        return body
    query = {"dryRun": "All" if options.dry_run == "server" else "", "fieldManager": MANAGER}
    result: dict[str, Any] = session.client.request(method, path, body, query=query).json()
    return result


COMMAND = Command(
    "Give roles and bindings the rules and subjects that files say.",
    ReconcileOptions,
    run,
    usage="-f FILENAME",
    examples=(
        ("Add what is missing", "minikctl auth reconcile -f roles.yaml"),
        (
            "Remove what is too much as well",
            "minikctl auth reconcile -f roles.yaml --remove-extra-subjects --remove-extra-permissions",
        ),
    ),
)
