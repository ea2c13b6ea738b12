"""``delete``: ask for deletion and, unless told otherwise, wait until the objects are gone."""

from __future__ import annotations

import json
import time

from minikctl import errors
from minikctl.cli import changing, report, selection, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

WEEK_SECONDS = 7 * 24 * 3600.0
AT_ONCE = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely."
)


class DeleteOptions(selection.Selecting):
    """What ``delete`` was asked."""

    fields: str = flag("--field-selector", default="", help="A field selector.")
    all: bool = flag("--all", default=False, help="All objects of the type in the namespace.")
    grace_period: int = flag("--grace-period", default=-1, help="Seconds to end in; -1: the object's own.")
    now: bool = flag("--now", default=False, help="The same as --grace-period=1.")
    force: bool = flag(
        "--force", default=False, help="Remove at once, without waiting for the containers' end."
    )
    wait: bool = flag("--wait", default=True, help="Wait until the objects are gone.")
    timeout: str = flag(
        "--timeout", default="0s", duration=True, help="How long to wait; 0s: as long as it takes."
    )
    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help="What becomes of what the objects own: background, foreground or orphan.",
        complete="background foreground orphan",
    )
    ignore_not_found: bool = flag("--ignore-not-found", default=False, help="A missing object is no failure.")
    interactive: bool = flag("--interactive", "--confirm", "-i", default=False, help="Ask before deleting.")
    dry_run: str = flag(
        "--dry-run",
        default="none",
        bare="client",
        help="none, client or server.",
        complete="none client server",
    )
    output: str = flag("--output", "-o", default="", help="name: print only names.", complete="name")
    raw: str = flag("--raw", default="", help="Ask the server to delete what is at this path.")


def run(options: DeleteOptions, session: Session) -> int:
    """Delete what was named; return the exit code."""
    if options.raw:
        from minikctl.cli import raw

        session.io.out.write(session.client.request("DELETE", raw.path(options.raw)).body.decode())
        return 0
    _validate(options, session)
    failed = False
    pending: list[tuple[Target, str]] = []
    sources, targets = _targets(options, session)
    if options.interactive and targets and not _confirmed(targets, session):
        session.io.say("deletion is cancelled")
        return 0
    if session.settings.namespace and any(not target.resource.namespaced for target in targets):
        session.io.warn("Warning: deleting cluster-scoped resources, not scoped to the provided namespace")
    for number, target in enumerate(targets):
        try:
            uid = _delete(options, target, session)
        except errors.StatusError as error:
            if error.code == 404 and (options.ignore_not_found or options.all or options.labels):
                continue
            session.io.warn(report.status_sentence(error, _context(sources, number)))
            failed = True
            continue
        pending.append((target, uid))
        _say(options, target, session)
    if not targets and not options.files:
        session.io.say("No resources found")
    session.io.out.flush()
    if options.wait and options.dry_run == "none":
        _wait(options, pending, session)
    return 1 if failed else 0


def _confirmed(targets: list[Target], session: Session) -> bool:
    """Show what would be deleted and return whether the user wants that; no answer means no."""
    session.io.say(f"You are about to delete the following {len(targets)} resource(s):")
    for target in targets:
        session.io.say(target.title)
    session.io.out.write("Do you want to continue? (y/N): ")
    session.io.out.flush()
    return str(session.io.stdin.readline()).strip().lower() == "y"


def _context(sources: list[str], number: int) -> str:
    return f'error when deleting "{sources[number]}"' if sources else ""


def _validate(options: DeleteOptions, session: Session) -> None:
    changing.check_cascade(options.cascade)
    changing.check_dry_run(options.dry_run)
    if options.now and options.grace_period >= 0:
        raise errors.UsageError("error: --now and --grace-period cannot be specified together")
    if options.force and options.grace_period > 0:
        raise errors.UsageError(
            "error: --force and --grace-period greater than 0 cannot be specified together"
        )
    if options.force and options.grace_period <= 0:
        session.io.warn(AT_ONCE)
    if options.all and options.labels:
        raise errors.UsageError("error: setting 'all' parameter but found a non empty selector. ")
    if options.output not in ("", "name"):
        raise errors.UsageError(
            f"error: unexpected -o output mode: {options.output}. We only support '-o name'"
        )
    if not options.files and not options.arguments and (options.all or options.labels or options.fields):
        raise errors.UsageError("error: at least one resource must be specified to use a selector")
    if not options.files and not options.arguments:
        raise errors.UsageError(selection.NOTHING)


def _targets(options: DeleteOptions, session: Session) -> tuple[list[str], list[Target]]:
    """Return what is to go, and for what files name the files."""
    if not options.files:
        return [], _named(options, session)
    documents = changing.documents(options, session)
    sources: list[str] = []
    targets: list[Target] = []
    for document in documents:
        target = selection.target_of(document.object, session, document.source, nameless=True)
        if target.name:
            sources.append(document.source)
            targets.append(target)
        else:  # a request without a name would delete all objects of the kind
            words = selection.NAMELESS.removeprefix("error: ")
            session.io.warn(f'error: error when deleting "{document.source}": {words}')
            session.io.troubled = True
    return sources, targets


def _named(options: DeleteOptions, session: Session) -> list[Target]:
    if options.all_namespaces:
        parsed = selection.parse(options.arguments, session.discovery, "")
    else:
        parsed = selection.everywhere(options.arguments, session)
    if any(target.name for target in parsed):
        if options.all or options.labels or options.fields:
            raise selection.twice(options.arguments)
        if options.all_namespaces:
            raise errors.UsageError("error: a resource cannot be retrieved by name across all namespaces")
        return parsed
    if not (options.all or options.labels or options.fields):
        raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    return [
        found
        for target in parsed
        for found in selection.members(target, session, labels=options.labels, fields=options.fields)
    ]


def _delete(options: DeleteOptions, target: Target, session: Session) -> str:
    if options.dry_run == "client":
        if options.files:
            return ""
        found = session.client.request("GET", target.path()).json()
        return str(found["metadata"].get("uid", ""))
    body: dict[str, Any] = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": changing.CASCADES[options.cascade],
    }
    grace = _grace(options)
    if grace is not None:
        body["gracePeriodSeconds"] = grace
    query = {"dryRun": "All"} if options.dry_run == "server" else {}
    answer = session.client.request("DELETE", target.path(), body, query=query).json()
    if answer.get("kind") == "Status":
        return str((answer.get("details") or {}).get("uid", ""))
    return str((answer.get("metadata") or {}).get("uid", ""))


def _grace(options: DeleteOptions) -> int | None:
    if options.now:
        return 1
    if options.force and options.grace_period < 0:
        return 0
    if options.grace_period == 0 and not options.force:
        return 1  # kubectl's guard: without --force the kubelet still confirms the end
    return options.grace_period if options.grace_period >= 0 else None


def _say(options: DeleteOptions, target: Target, session: Session) -> None:
    if options.output == "name":
        session.io.say(target.title)
        return
    verb = "force deleted" if options.force and _grace(options) == 0 else "deleted"
    where = f" from {target.namespace} namespace" if target.namespace else ""
    suffix = {"client": " (dry run)", "server": " (server dry run)"}.get(options.dry_run, "")
    session.io.say(f'{target.resource.title} "{target.name}" {verb}{where}{suffix}')


def _wait(options: DeleteOptions, pending: list[tuple[Target, str]], session: Session) -> None:
    allowed = timespan.seconds(options.timeout) or WEEK_SECONDS
    deadline = time.monotonic() + allowed
    for target, uid in pending:
        if not gone(target, uid, deadline, session):
            raise errors.UsageError(
                f"error: timed out waiting for the condition on {target.resource.name}/{target.name}"
            )


def gone(target: Target, uid: str, deadline: float, session: Session) -> bool:
    """Wait until the object of that uid is gone; False when the deadline passes first."""
    while True:
        found, revision = selection.current(target, session)
        if found is None or (uid and found["metadata"].get("uid") != uid):
            return True
        if time.monotonic() >= deadline:
            return False
        if _deleted_in_watch(target, revision, deadline, session):
            return True


def _deleted_in_watch(target: Target, revision: str, deadline: float, session: Session) -> bool:
    left = max(1, int(deadline - time.monotonic()))
    query = {
        "watch": True,
        "fieldSelector": f"metadata.name={target.name}",
        "resourceVersion": revision,
        "timeoutSeconds": min(left, 300),
    }
    # Not every server hears of timeoutSeconds.
    stream = session.client.stream("GET", target.collection.path(), query=query, seconds=left)
    try:
        events = map(json.loads, stream.lines())
        return any(
            event["type"] == "DELETED" and selection.is_about(target, event["object"]) for event in events
        )
    finally:
        stream.close()


COMMANDS = {
    "delete": Command(
        "Delete objects by file, name or label, and wait until they are gone.",
        DeleteOptions,
        run,
        usage="([-f FILENAME] | TYPE [(NAME | -l label | --all)])",
        examples=(
            ("Delete what a file describes", "minikctl delete -f app.yaml"),
            ("End a pod quickly", "minikctl delete pod web-1 --now"),
            ("Delete all pods of an app", "minikctl delete pods -l app=web"),
        ),
    )
}
