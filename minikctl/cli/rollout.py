"""``rollout``: follow, restart, pause, resume and undo rollouts."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import changing, interrupts, printing, report, rollouts, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag
from minikctl.cli.output import table
from minikctl.cli.parsing import Verbatim
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from minikctl.cli.session import Session

CAUSE = "kubernetes.io/change-cause"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
POLL_SECONDS = 0.2
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
WARNING = (
    "Warning: resource {target} was previously managed with 'minikctl apply'. Rolling back will not update the "
    "kubectl.kubernetes.io/last-applied-configuration annotation, which may cause unexpected behavior on future "
    "'minikctl apply' operations. Consider using 'minikctl apply' with your previous configuration file instead."
)


class RolloutOptions(changing.Chosen):
    """What every ``rollout`` command takes."""

    MANAGER = "kubectl-rollout"
    TYPED = True
    LACKS: ClassVar[tuple[str, ...]] = ("all",)

    arguments: tuple[str, ...] = changing.chosen("objects:deployments,daemonsets,statefulsets")


class MarkOptions(RolloutOptions):
    """What ``rollout pause``, ``resume`` and ``restart`` were asked."""

    LACKS = ("dry_run",)


class StatusOptions(RolloutOptions):
    """What ``rollout status`` was asked."""

    LACKS = ("dry_run", "manager", "output", "template", "managed_fields", "missing_keys")

    watch: bool = flag("--watch", "-w", default=True, help="Go on until the rollout is done.")
    timeout: str = flag(
        "--timeout", default="0s", duration=True, help="How long to wait; 0s: as long as it takes."
    )
    revision: int = flag("--revision", default=0, help="Follow this revision only; 0: the newest.")


class HistoryOptions(RolloutOptions):
    """What ``rollout history`` was asked."""

    LACKS = ("dry_run", "manager")

    revision: int = flag("--revision", default=0, help="Show this revision's pod template.")


class UndoOptions(RolloutOptions):
    """What ``rollout undo`` was asked."""

    MANAGER = "kubectl"
    LACKS = ("manager",)

    to_revision: int = flag("--to-revision", default=0, help="The revision to go back to; 0: the one before.")


def _targets(options: RolloutOptions, session: Session) -> list[Target]:
    if not options.arguments and not options.files:
        raise errors.UsageError("error: required resource not specified")
    return changing.targets(options, session, takes_all=True)


def _check_revision(number: int) -> None:
    if number < 0:
        raise errors.UsageError(f"error: revision must be a positive integer: {number}")


def _found(target: Target, refusal: str, session: Session, *, pausing: bool = False) -> dict[str, Any]:
    """Return the object; kinds that do not roll out (or cannot be paused), once known to exist, are refused."""
    found: dict[str, Any] = session.client.request("GET", target.path()).json()
    if rollouts.of(target) is None or (pausing and target.resource.qualified != "deployments.apps"):
        raise errors.UsageError(
            "error: "
            + refusal.format(kind=target.resource.kind, name=f'{target.resource.qualified} "{target.name}"')
        )
    return found


def _way(target: Target) -> rollouts.Way:
    found = rollouts.of(target)
    assert found is not None, "the kind was refused otherwise"
    return found


def status(options: StatusOptions, session: Session) -> int:
    """Say how far a rollout is, until it is done; return the exit code."""
    _check_revision(options.revision)
    allowed = timespan.seconds(options.timeout)
    deadline = time.monotonic() + allowed if allowed else None
    faults: list[errors.MinikctlError] = []
    for target in _targets(options, session):
        try:
            _follow(target, session, options, deadline)
        except errors.MinikctlError as error:
            faults.append(error)
    if len(faults) > 1:  # kubectl says of several without a word before them
        raise Verbatim("\n".join(report.sentence(each).removeprefix("error: ") for each in faults))
    if faults:
        raise faults[0]
    return 0


def _follow(target: Target, session: Session, options: StatusOptions, deadline: float | None) -> None:
    said = ""
    while True:
        found = _found(target, "no status viewer has been implemented for {kind}", session)
        if options.revision and target.resource.kind == "Deployment" and options.revision != _revision(found):
            raise errors.UsageError(
                f"error: desired revision ({options.revision}) is different from the running revision "
                f"({_revision(found)})"
            )
        text, done = _way(target).progress(found)
        if text != said:
            session.io.say(text)
            session.io.out.flush()
            said = text
        if done or not options.watch:
            return
        if deadline is not None and time.monotonic() > deadline:
            raise errors.UsageError("error: timed out waiting for the condition")
        interrupts.sleep(POLL_SECONDS)


def _revision(obj: dict[str, Any]) -> int:
    return int((obj["metadata"].get("annotations") or {}).get(rollouts.REVISION) or 0)


def restart(options: RolloutOptions, session: Session) -> int:
    """Replace all pods by the object's own strategy; return the exit code."""
    from datetime import datetime

    now = datetime.now().astimezone().isoformat(timespec="seconds")
    body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}

    def make(current: dict[str, Any]) -> dict[str, Any]:
        if current["spec"].get("paused"):
            raise errors.UsageError(
                f'error: deployments.apps "{current["metadata"]["name"]}" can\'t restart paused deployment '
                "(run rollout resume first)"
            )
        return body

    found, failed = _able(options, "{name} restarting is not supported", session)
    return changing.patch_each(options, found, session, make, ("restarted", "restarted")) or int(failed)


def _able(
    options: RolloutOptions, refusal: str, session: Session, *, pausing: bool = False
) -> tuple[list[Target], bool]:
    """Return the chosen objects that this can be done with, and whether others were refused."""
    able: list[Target] = []
    failed = False
    for target in _targets(options, session):
        try:
            _found(target, refusal, session, pausing=pausing)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
        else:
            able.append(target)
    return able, failed


def pause(options: RolloutOptions, session: Session) -> int:
    """Let changes wait until they are resumed; return the exit code."""
    return _set_paused(options, session, paused=True)


def resume(options: RolloutOptions, session: Session) -> int:
    """Roll out what changed while paused; return the exit code."""
    return _set_paused(options, session, paused=False)


def _set_paused(options: RolloutOptions, session: Session, *, paused: bool) -> int:
    def make(current: dict[str, Any]) -> dict[str, Any]:
        if bool(current["spec"].get("paused")) == paused:
            state = "already paused" if paused else "not paused"
            raise errors.UsageError(f'error: deployments.apps "{current["metadata"]["name"]}" is {state}')
        return {"spec": {"paused": True if paused else None}}

    doing = "pausing" if paused else "resuming"
    found, failed = _able(options, f"{{name}} {doing} is not supported", session, pausing=True)
    said = "paused" if paused else "resumed"
    return changing.patch_each(options, found, session, make, (said, said)) or int(failed)


def history(options: HistoryOptions, session: Session) -> int:
    """List the revisions, or show one; return the exit code."""
    _check_revision(options.revision)
    for target in _targets(options, session):
        refusal = 'error retrieving history for "{kind}", no visitor method exists for {{ {kind}}}'
        found, revisions = _way_found(target, refusal, session)
        if options.revision:
            if options.revision not in revisions:
                raise errors.UsageError("error: unable to find the specified revision")
            if options.output:
                _print(options, found, [revisions[options.revision]], session)
                continue
            session.io.say(f"{target.title} with revision #{options.revision}")
            session.io.out.write(_described(revisions[options.revision]) + "\n")
            continue
        if options.template and not options.output:
            printer = printing.printer(options, printing.named(target.title))
            assert printer is not None, "a template is a format"
            session.io.out.write(printer([found], False))
            continue
        if options.output:
            _print(options, found, [revisions[number] for number in sorted(revisions)], session)
            continue
        session.io.say(f"{target.title} ")
        rows = [["REVISION", "CHANGE-CAUSE"]]
        for number in sorted(revisions):
            notes = revisions[number]["metadata"].get("annotations") or {}
            rows.append([str(number), notes.get(CAUSE) or "<none>"])
        for line in table.align(rows, padding=2, minimum=0):
            session.io.say(line)
        session.io.say("")
    return 0


def _print(
    options: HistoryOptions, found: dict[str, Any], keepers: list[dict[str, Any]], session: Session
) -> None:
    """Print what each revision is as an object: its ReplicaSet, or the workload with its template."""
    for number, keeper in enumerate(keepers):
        obj = {"apiVersion": "apps/v1", "kind": "ReplicaSet", **keeper}
        if "data" in keeper:
            obj = {**found, "spec": {**found["spec"], "template": rollouts.template(keeper)}}
        title = f"{obj['kind'].lower()}.apps/{obj['metadata']['name']}"
        printer = printing.printer(options, printing.named(title))
        if printer is not None:
            if number and options.output == "yaml":
                session.io.say("---")
            session.io.out.write(printer([obj], False))


def _way_found(
    target: Target, refusal: str, session: Session
) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Return the object and what keeps its templates, by revision."""
    found = _found(target, refusal, session)
    return found, _way(target).revisions(target, found, session)


def _described(keeper: dict[str, Any]) -> str:
    from minikctl.cli.output import describing

    return describing.template(_shown(keeper))


def _shown(keeper: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (keeper["data"]["spec"] if "data" in keeper else keeper["spec"])["template"]
    return found


def undo(options: UndoOptions, session: Session) -> int:
    """Go back to an earlier revision; return the exit code."""
    for target in _targets(options, session):
        _undo(target, options, session)
    return 0


def _undo(target: Target, options: UndoOptions, session: Session) -> None:
    wanted = options.to_revision
    refusal = 'error retrieving rollbacker for "{kind}", no visitor method exists for {{ {kind}}}'
    found, revisions = _way_found(target, refusal, session)
    if LAST_APPLIED in (found["metadata"].get("annotations") or {}):
        session.io.warn(WARNING.format(target=f"{target.resource.name}/{target.name}"))
    numbers = sorted(revisions)
    if not wanted and len(numbers) < 2:
        raise errors.UsageError("error: " + _way(target).none_before.format(name=target.name))
    chosen = wanted or numbers[-2]
    if chosen not in revisions:
        raise errors.UsageError(f"error: unable to find specified revision {wanted} in history")
    template = rollouts.template(revisions[chosen])
    if options.dry_run == "client":
        shown = _described(revisions[chosen])
        before = "" if target.resource.kind == "Deployment" else "will roll back to "
        changing.tell(options, target, found, f"{before}{shown}", session)
        return
    if found["spec"].get("paused"):
        raise errors.UsageError(
            f"error: you cannot rollback a paused deployment; "
            f"resume it first with 'minikctl rollout resume deployment/{target.name}' and try again"
        )
    if template == found["spec"]["template"]:
        session.io.say(
            f"{target.title} skipped rollback (current template already matches revision {chosen})"
        )
        return
    body = [{"op": "replace", "path": "/spec/template", "value": template}]
    result = changing.send_patch(target, body, "application/json-patch+json", options, session)
    changing.tell(options, target, result, "rolled back", session)


_USAGE = "(TYPE NAME | TYPE/NAME)"

CHILDREN = {
    "history": Command(
        "List the revisions of a Deployment, DaemonSet or StatefulSet, or show the pod template of one.",
        HistoryOptions,
        history,
        usage=f"{_USAGE} [--revision=N]",
        examples=(
            ("List the revisions", "minikctl rollout history deployment/web"),
            ("Show one", "minikctl rollout history deployment/web --revision=2"),
        ),
    ),
    "pause": Command(
        "Let changes of a Deployment wait until it is resumed.",
        MarkOptions,
        pause,
        usage=_USAGE,
        examples=(
            ("Pause", "minikctl rollout pause deployment/web"),
            ("Pause two", "minikctl rollout pause deployment web api"),
        ),
    ),
    "restart": Command(
        "Replace all pods of a Deployment, DaemonSet or StatefulSet by its own strategy.",
        MarkOptions,
        restart,
        usage=_USAGE,
        examples=(
            ("Restart one", "minikctl rollout restart deployment/web"),
            ("Restart all of an app", "minikctl rollout restart deployment --selector=app=web"),
        ),
    ),
    "resume": Command(
        "Roll out what changed while a Deployment was paused.",
        MarkOptions,
        resume,
        usage=_USAGE,
        examples=(
            ("Resume", "minikctl rollout resume deployment/web"),
            ("Resume two", "minikctl rollout resume deployment web api"),
        ),
    ),
    "status": Command(
        "Say how far a rollout is, until it is done.",
        StatusOptions,
        status,
        usage=_USAGE,
        examples=(
            ("Follow a rollout", "minikctl rollout status deployment/web"),
            ("Give it a minute", "minikctl rollout status deployment/web --timeout=60s"),
        ),
    ),
    "undo": Command(
        "Go back to an earlier revision of a Deployment, DaemonSet or StatefulSet.",
        UndoOptions,
        undo,
        usage=f"{_USAGE} [--to-revision=N]",
        examples=(
            ("Go back by one", "minikctl rollout undo deployment/web"),
            ("Go back to the first", "minikctl rollout undo statefulset/db --to-revision=1"),
        ),
    ),
}

COMMANDS = {
    "rollout": Command("Manage the rollout of Deployments, DaemonSets and StatefulSets.", children=CHILDREN)
}
