"""``apply``: make the cluster match manifests, by a three-way merge with what was applied before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags, manifests, report, selection
from minikctl.cli.output import printers
from minikctl.cli.selection import Target
from minikctl.cli.session import Session
from minikctl.client.http import Response

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CONFLICT_RETRIES = 5
MANAGER = "kubectl-client-side-apply"

# What others refer to comes first; kinds that are not named keep their place after these.
ORDER = (
    "Namespace", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "ServiceAccount", "Secret", "ConfigMap",
    "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole",
    "ClusterRoleBinding", "Role", "RoleBinding", "IngressClass", "PriorityClass", "Service",
)  # fmt: skip


@dataclass(frozen=True)
class ApplyOptions:
    """What ``apply`` was asked."""

    files: tuple[str, ...]
    recursive: bool = False
    dry_run: str = "none"
    server_side: bool = False
    force_conflicts: bool = False
    field_manager: str = MANAGER
    output: str = ""
    validate: str = "strict"


class CommandOptions(Options):
    """What ``command`` was asked."""

    files: tuple[str, ...] = flag("--filename", "-f", default=(), help="A file, directory, URL or -.")
    recursive: bool = flag("--recursive", "-R", default=False, help="Descend into directories.")
    dry_run: str = flag("--dry-run", default="none", help="none, client or server.")
    server_side: bool = flag("--server-side", default=False, help="Let the server merge.")
    force_conflicts: bool = flag(
        "--force-conflicts", default=False, help="With --server-side: take over fields of others."
    )
    field_manager: str = flag("--field-manager", default=MANAGER, help="Who owns the fields.")
    output: str = flag("--output", "-o", default="", help="yaml, json or name.")
    validate: str = flag("--validate", default="strict", help="strict, warn or ignore unknown fields.")


def command(options: CommandOptions, session: Session) -> int:
    """Apply manifests: create what is new, change what differs, leave the rest."""
    options = ApplyOptions(
        tuple(options.files or ()),
        options.recursive,
        options.dry_run,
        options.server_side,
        options.force_conflicts,
        options.field_manager,
        options.output,
        options.validate,
    )
    return run(options, session)


# COMMAND command: 'Apply manifests: create what is new, change what differs, leave the rest.\n\nExamples:  minikctl apply -f app.yaml     minikctl apply -f manifests/ -R     cat app.yaml | minikctl apply -f -'


VERBS = {"apply": flags.single(command)}


def run(options: ApplyOptions, session: Session) -> int:
    """Apply every document; one that fails does not stop the others.  Return the exit code."""
    _validate(options)
    failed = False
    documents = []
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            failed = True
            session.io.warn(f"error: {document}")
        else:
            documents.append(document)
    if not documents and not failed:
        raise errors.UsageError("error: no objects passed to apply")
    for document in ordered(documents):
        failed = not _apply_one(options, document, session) or failed
    return 1 if failed else 0


def _validate(options: ApplyOptions) -> None:
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    if options.dry_run not in ("none", "client", "server"):
        raise errors.UsageError(
            f'error: Invalid dry-run value ({options.dry_run}). Must be "none", "server", or "client".'
        )
    if options.server_side and options.dry_run == "client":
        raise errors.UsageError(
            "error: --dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
        )
    if options.force_conflicts and not options.server_side:
        raise errors.UsageError("error: --force-conflicts only works with --server-side")


def ordered(documents: list[manifests.Document]) -> list[manifests.Document]:
    """Return the documents with what others need first, otherwise in the order in which they were read."""
    ranks = {kind: rank for rank, kind in enumerate(ORDER)}
    return sorted(documents, key=lambda document: ranks.get(document.object["kind"], len(ORDER)))


def _apply_one(options: ApplyOptions, document: manifests.Document, session: Session) -> bool:
    try:
        target = selection.target_of(document.object, session)
        if not target.name:
            raise errors.UsageError("metadata.name: Required value: apply needs the object's name")
        wanted = _completed(document.object, target)
        outcome, result = _send(options, wanted, target, session)
    except errors.StatusError as error:
        session.io.warn(f"{_sentence(error, document)}\n  in {document.place}{_object_name(document.object)}")
        return False
    except errors.UsageError as error:
        text = str(error).removeprefix("error: ")
        session.io.warn(f"error: {document.place}{_object_name(document.object)}: {text}")
        return False
    _print(options, target, outcome, result, session)
    return True


def _sentence(error: errors.StatusError, document: manifests.Document) -> str:
    if error.reason == "Invalid":
        return report.status_sentence(error)
    return report.status_sentence(error, f'error when applying "{document.source}"')


def _object_name(obj: dict[str, Any]) -> str:
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f", {obj.get('kind')} {name}" if name else ""


def _completed(obj: dict[str, Any], target: Target) -> dict[str, Any]:
    if not target.resource.namespaced:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "namespace": target.namespace}}


def _print(
    options: ApplyOptions, target: Target, outcome: str, result: dict[str, Any], session: Session
) -> None:
    printer = printers.of(options.output, lambda obj: target.title)
    if printer is not None:
        session.io.out.write(printer([result], False))
        return
    suffix = {"client": " (dry run)", "server": " (server dry run)"}.get(options.dry_run, "")
    session.io.say(f"{target.title} {outcome}{suffix}")


def _send(
    options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session
) -> tuple[str, dict[str, Any]]:
    if options.server_side:
        return "serverside-applied", _server_side(options, wanted, target, session)
    for attempt in range(CONFLICT_RETRIES + 1):
        try:
            current = session.client.request("GET", target.path()).json()
        except errors.StatusError as error:
            if error.code != 404:
                raise
            return "created", _create(options, wanted, target, session)
        try:
            return _change(options, wanted, current, target, session)
        except errors.StatusError as error:
            if error.reason != "Conflict" or attempt == CONFLICT_RETRIES:
                raise
    raise AssertionError("the last attempt returns or raises")


def _query(options: ApplyOptions) -> dict[str, Any]:
    levels = {"strict": "Strict", "true": "Strict", "warn": "Warn", "ignore": "Ignore", "false": "Ignore"}
    query: dict[str, Any] = {
        "fieldManager": options.field_manager,
        "fieldValidation": levels.get(options.validate, "Strict"),
    }
    if options.dry_run == "server":
        query["dryRun"] = "All"
    return query


def _create(
    options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session
) -> dict[str, Any]:
    stamped = annotated(wanted)
    if options.dry_run == "client":
        return stamped
    collection = Target(target.resource, "", target.namespace).path()
    response = session.client.request("POST", collection, stamped, query=_query(options))
    return _noted(response, session)


def _change(
    options: ApplyOptions, wanted: dict[str, Any], current: dict[str, Any], target: Target, session: Session
) -> tuple[str, dict[str, Any]]:
    from minikctl.model import kinds, patches

    kind = kinds.of(wanted)
    before = _last_applied(current)
    patch = patches.three_way(before, annotated(wanted), current, kind)
    if not patch:
        return "unchanged", current
    if options.dry_run == "client":
        return "configured", current
    media = "application/strategic-merge-patch+json" if kind else "application/merge-patch+json"
    response = session.client.request(
        "PATCH",
        target.path(),
        json.dumps(patch).encode(),
        query=_query(options),
        headers={"Content-Type": media},
    )
    result = _noted(response, session)
    same = result["metadata"].get("resourceVersion") == current["metadata"].get("resourceVersion")
    return ("unchanged" if same and options.dry_run == "none" else "configured"), result


def _server_side(
    options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session
) -> dict[str, Any]:
    manager = "kubectl" if options.field_manager == MANAGER else options.field_manager
    query = {**_query(options), "fieldManager": manager, "force": options.force_conflicts}
    media = {"Content-Type": "application/apply-patch+yaml"}
    response = session.client.request("PATCH", target.path(), wanted, query=query, headers=media)
    return _noted(response, session)


def _noted(response: Response, session: Session) -> dict[str, Any]:
    for text in response.warnings:
        session.io.warn(f"Warning: {text}")
    found: dict[str, Any] = response.json()
    return found


def annotated(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the object with the annotation that remembers what was applied."""
    metadata = dict(obj.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != LAST_APPLIED}
    bare = {**obj, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True) + "\n"
    metadata["annotations"] = {**annotations, LAST_APPLIED: text}
    return {**obj, "metadata": metadata}


def _last_applied(current: dict[str, Any]) -> dict[str, Any]:
    text = ((current.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
