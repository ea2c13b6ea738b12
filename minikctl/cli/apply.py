"""``apply``: make the cluster match manifests, by a three-way merge with what was applied before."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import (
    apply_last,
    changing,
    filing,
    lastapplied,
    manifests,
    newkinds,
    printing,
    refusals,
    selection,
)
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

CONFLICT_RETRIES = 5
MANAGER = "kubectl-client-side-apply"

# What others refer to comes first; kinds that are not named keep their place after these.
ORDER = (
    "Namespace", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "ServiceAccount", "Secret", "ConfigMap",
    "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole",
    "ClusterRoleBinding", "Role", "RoleBinding", "IngressClass", "PriorityClass", "Service",
)  # fmt: skip


class ApplyOptions(changing.Reported, filing.Filing):
    """What ``apply`` was asked."""

    server_side: bool = flag("--server-side", default=False, help="Let the server merge.")
    force_conflicts: bool = flag(
        "--force-conflicts", default=False, help="With --server-side: take over fields that others own."
    )
    validate: str = flag(
        "--validate",
        default="strict",
        bare="strict",
        help="strict: refuse unknown fields; warn: say which they are; ignore: drop them silently.",
        complete="strict warn ignore",
    )
    labels: str = flag("--selector", "-l", default="", help="Only documents with these labels.")
    prune: bool = flag(
        "--prune", default=False, help="Delete what was applied before and is not in the files any more."
    )
    all: bool = flag("--all", default=False, help="With --prune: whatever its labels.")
    allowlist: tuple[str, ...] = flag(
        "--prune-allowlist", default=(), help="With --prune: only this GROUP/VERSION/KIND; may repeat."
    )
    applyset: str = flag(
        "--applyset",
        default="",
        help="With --prune: the object that keeps what belongs together, [RESOURCE/]NAME.",
    )
    overwrite: bool = flag(
        "--overwrite",
        default=True,
        help="Take the files' values for fields that others changed since; if not, refuse.",
    )
    force: bool = flag(
        "--force", default=False, help="Delete and create anew what cannot be changed in place."
    )
    grace_period: int = flag("--grace-period", default=-1, help="Seconds that deleted objects get to end.")
    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help="What becomes of what deleted objects own: background, foreground or orphan.",
        complete="background foreground orphan",
    )
    subresource: str = flag("--subresource", default="", help="With --server-side: the part to apply.")
    wait: bool = flag(
        "--wait",
        default=False,
        help="Wait until it all runs (what no probe asks: has run for 2 s) and what was deleted is gone; say why if it does not.",
    )
    timeout: str = flag(
        "--timeout", default="0s", duration=True, help="With --wait: how long; 0s: 5 minutes."
    )
    words: tuple[str, ...] = rest(default=())


def run(options: ApplyOptions, session: Session) -> int:
    """Apply every document; one that fails does not stop the others.  Return the exit code."""
    _validate(options)
    if options.allowlist and options.prune:
        from minikctl.cli import pruning

        list(pruning.prunable(options, session))  # what is not served is told before anything is applied
    documents, failed = _documents(options, session)
    applyset = None
    if options.applyset:
        from minikctl.cli import pruning

        applyset = pruning.ApplySet(options.applyset, session)
        applyset.begin(options)
        documents = [document.replaced(object=applyset.labelled(document.object)) for document in documents]
        targets = [
            selection.target_of(document.object, session, document.source, nameless=True)
            for document in documents
        ]
        applyset.record(options, targets, keeps_old=True)
    results, trouble = _apply_all(options, documents, session)
    failed = failed or trouble
    applied = [(target, result) for target, _, result in results]
    if options.prune and not failed:
        gone = applyset.leftovers(applied) if applyset else None
        _prune(options, applied, gone, session)
        if applyset:
            applyset.record(options, [target for target, _ in applied], keeps_old=False)
    if options.output not in ("", "name") or options.template:
        _print(options, [result for _, _, result in results], session)
    if options.wait and options.dry_run == "none":
        from minikctl.cli import settling

        failed = settling.wait(applied, options.timeout, session) != 0 or failed
    return 1 if failed else 0


def _prune(
    options: ApplyOptions,
    applied: list[tuple[Target, dict[str, Any]]],
    gone: list[Target] | None,
    session: Session,
) -> None:
    from minikctl.cli import pruning

    found = pruning.by_label(options, applied, session) if gone is None else gone
    for target in found:
        pruning.delete(options, target, session)
        if options.output in ("", "name"):
            changing.tell(options, target, {}, "pruned", session)


def _documents(options: ApplyOptions, session: Session) -> tuple[list[manifests.Document], bool]:
    """Return the documents that are meant, and whether some could not be read."""
    failed = False
    documents = []
    for document in manifests.read(options.files, options.recursive, session.io.stdin):
        if isinstance(document, manifests.BadDocument):
            failed = True
            session.io.warn(refusals.of_bad_document(document, options.validate))
        else:
            documents.append(document)
    if options.labels:
        documents = manifests.labelled(documents, options.labels)
    if not documents and not failed:
        raise errors.UsageError("error: no objects passed to apply")
    return documents, failed


def _apply_all(
    options: ApplyOptions, documents: list[manifests.Document], session: Session
) -> tuple[list[tuple[Target, str, dict[str, Any]]], bool]:
    """Return what became of each document, and whether some were refused."""
    failed = False
    results: list[tuple[Target, str, dict[str, Any]]] = []
    fresh = newkinds.NewKinds(session)
    for document in ordered(documents):
        try:
            fresh.wait_for(document.object)
            results.append(_apply_one(options, document, session))
        except errors.MinikctlError as error:
            session.io.warn(refusals.of_document(error, document))
            failed = True
            continue
        if options.dry_run == "none":
            fresh.applied(results[-1][0], results[-1][2])
        if options.output in ("", "name") and not options.template:
            target, outcome, result = results[-1]
            changing.tell(options, target, result, outcome, session)
    return results, failed


def _validate(options: ApplyOptions) -> None:
    if options.words:
        raise BadArguments(f"Unexpected args: [{' '.join(options.words)}]")
    if not options.files:
        raise errors.UsageError("error: must specify one of -f and -k")
    changing.check_dry_run(options.dry_run)
    changing.check_validation(options.validate)
    changing.check_cascade(options.cascade)
    if options.prune or options.applyset or options.all:
        from minikctl.cli import pruning

        pruning.check(options)
    if options.force and options.server_side:
        raise errors.UsageError("error: --force cannot be used with --server-side")
    if options.force and options.dry_run == "server":
        raise errors.UsageError("error: --dry-run=server cannot be used with --force")
    if options.server_side and options.dry_run == "client":
        raise errors.UsageError(
            "error: --dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
        )
    if options.force_conflicts and not options.server_side:
        raise errors.UsageError("error: --force-conflicts only works with --server-side")
    if options.subresource and not options.server_side:
        raise errors.UsageError("error: --subresource can only be specified for --server-side")


def ordered(documents: list[manifests.Document]) -> list[manifests.Document]:
    """Return the documents with what others need first, otherwise in the order in which they were read."""
    ranks = {kind: rank for rank, kind in enumerate(ORDER)}
    return sorted(documents, key=lambda document: ranks.get(document.object["kind"], len(ORDER)))


def _print(options: ApplyOptions, found: list[dict[str, Any]], session: Session) -> None:
    printer = printing.printer(options, lambda _: "")
    if printer is not None and found:
        listed = {"apiVersion": "v1", "items": found, "kind": "List", "metadata": {}}
        session.io.out.write(printer(found if len(found) == 1 else [listed], False))


def _apply_one(
    options: ApplyOptions, document: manifests.Document, session: Session
) -> tuple[Target, str, dict[str, Any]]:
    target = selection.target_of(document.object, session, document.source, nameless=True)
    if not target.name:
        prefix = (document.object.get("metadata") or {}).get("generateName")
        raise errors.UsageError(
            f"error: from {prefix}: cannot use generate name with apply"
            if prefix
            else refusals.nameless(target, document.source, server_side=options.server_side)
        )
    return target, *_send(options, selection.placed(document.object, target), target, session)


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
                raise refusals.retrieving(error, target) from error
            return "created", _create(options, wanted, target, session)
        try:
            return _change(options, wanted, current, target, session)
        except errors.StatusError as error:
            if options.force and error.reason in ("Conflict", "Invalid"):
                return "configured", _anew(options, wanted, target, session)
            if error.reason != "Conflict" or attempt == CONFLICT_RETRIES:
                raise
    raise AssertionError("the last attempt returns or raises")


def _anew(options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session) -> dict[str, Any]:
    """Delete the object, wait until it is gone, and create it as it is wanted."""
    import time

    from minikctl.cli import delete, pruning

    pruning.delete(options, target, session)
    delete.gone(target, "", time.monotonic() + delete.WEEK_SECONDS, session)
    return _create(options, wanted, target, session)


def preview(
    options: ApplyOptions,
    wanted: dict[str, Any],
    current: dict[str, Any],
    target: Target,
    session: Session,
) -> dict[str, Any]:
    """Return what the server would make of applying the object, with ``current`` {} if there is none yet.

    The annotation that remembers what was applied is left as it is, so that it does not hide the difference.
    """
    from minikctl.cli import serverside

    wanted = selection.placed(wanted, target)
    if options.server_side:
        return serverside.send(target, wanted, _server_side_query(options), session)
    if not current:
        found: dict[str, Any] = session.client.request(
            "POST", target.collection.path(), wanted, query=_query(options)
        ).json()
        return found
    from minikctl.model import kinds, patches

    kind = kinds.of(wanted)
    # What was remembered has annotations, if only none: without them here they would count as given up.
    metadata = {**wanted["metadata"], "annotations": wanted["metadata"].get("annotations") or {}}
    body = patches.three_way(lastapplied.of(current), {**wanted, "metadata": metadata}, current, kind)
    media = changing.STRATEGIC if kind else changing.MERGE
    return changing.send_patch(target, body, media, options, session) if body else current


def _query(options: ApplyOptions) -> dict[str, Any]:
    query: dict[str, Any] = {
        "fieldManager": (options.manager or MANAGER),
        "fieldValidation": changing.LEVELS[options.validate],
    }
    if options.dry_run == "server":
        query["dryRun"] = "All"
    return query


def _create(
    options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session
) -> dict[str, Any]:
    stamped = lastapplied.annotated(wanted)
    if options.dry_run == "client":
        return stamped
    try:
        response = session.client.request("POST", target.collection.path(), stamped, query=_query(options))
    except errors.StatusError as error:
        raise refusals.creating(error) from error
    created: dict[str, Any] = response.json()
    return created


def _change(
    options: ApplyOptions, wanted: dict[str, Any], current: dict[str, Any], target: Target, session: Session
) -> tuple[str, dict[str, Any]]:
    stamped = lastapplied.annotated(wanted)
    if lastapplied.is_in_place(stamped, current):
        return "unchanged", current
    if not options.overwrite:
        from minikctl.cli import clashes

        clashes.refuse(selection.placed(wanted, target), current, target)
    from minikctl.model import kinds, patches

    kind = kinds.of(wanted)
    before = lastapplied.of(current)
    patch = patches.three_way(before, stamped, current, kind)
    if not patch:
        return "unchanged", current
    if options.dry_run == "client":
        return "configured", current
    media = "application/strategic-merge-patch+json" if kind else "application/merge-patch+json"
    try:
        response = session.client.request(
            "PATCH",
            target.path(),
            json.dumps(patch).encode(),
            query=_query(options),
            headers={"Content-Type": media},
        )
    except errors.StatusError as error:
        raise refusals.patching(error, target, patch) from error
    result: dict[str, Any] = response.json()
    same = result["metadata"].get("resourceVersion") == current["metadata"].get("resourceVersion")
    return ("unchanged" if same and options.dry_run == "none" else "configured"), result


def _server_side(
    options: ApplyOptions, wanted: dict[str, Any], target: Target, session: Session
) -> dict[str, Any]:
    from minikctl.cli import serverside

    return serverside.apply(target, wanted, _server_side_query(options), session, options.subresource)


def _server_side_query(options: ApplyOptions) -> dict[str, Any]:
    from minikctl.cli import serverside

    manager = options.manager or serverside.MANAGER
    return {**_query(options), "fieldManager": manager, "force": options.force_conflicts}


COMMANDS = {
    "apply": Command(
        "Make the cluster match manifests: create what is new, change what differs, leave the rest.",
        ApplyOptions,
        run,
        usage="-f FILENAME",
        examples=(
            ("Apply a file", "minikctl apply -f app.yaml"),
            ("Apply a directory and those below it", "minikctl apply -R -f manifests/"),
            ("Apply what another program writes", "cat app.yaml | minikctl apply -f -"),
            ("Apply, and wait until it all runs", "minikctl apply -f app.yaml --wait"),
            (
                "Delete what is not in the files any more",
                "minikctl apply -f app/ --prune --applyset=app -n dev",
            ),
        ),
        children=apply_last.CHILDREN,
    )
}
