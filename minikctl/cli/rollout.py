"""``rollout``: follow, restart, pause, resume and undo the rollouts of Deployments."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import changing, flags, timespan
from minikctl.cli.output import printers, table
from minikctl.cli.selection import Target
from minikctl.cli.session import Session

app = flags.app(help="Follow, restart, pause, resume and undo rollouts.", no_args_is_help=True)
VERBS = {"rollout": app}

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
HASH = "pod-template-hash"
POLL_SECONDS = 0.2

Words = Annotated[list[str], typer.Argument(metavar="TYPE/NAME | TYPE NAME")]


def _targets(ctx: typer.Context, words: list[str]) -> tuple[Session, list[Target]]:
    session = flags.of(ctx)
    found = changing.targets(changing.Chosen(tuple(words)), session)
    for target in found:
        if target.resource.qualified != "deployments.apps":
            raise errors.UsageError(
                f"error: no rollout of {target.resource.qualified}: it is for deployments"
            )
    return session, found


class StatusOptions(Options):
    """What ``status`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")
    watch: bool = flag("--watch", "-w", default=True, help="Wait for its end.")
    timeout: str = flag("--timeout", default="0s", help="How long to wait; 0s: no limit.")


def status(options: StatusOptions, session: Session) -> int:
    """Show how far a rollout is, until it is done."""
    session, found = _targets(ctx, options.words)
    allowed = timespan.seconds(options.timeout)
    deadline = time.monotonic() + allowed if allowed else None
    for target in found:
        _follow(target, session, options.watch, deadline)
    return 0


# COMMAND status: 'Show how far a rollout is, until it is done.\n\nExamples:  minikctl rollout status deploy/web     minikctl rollout status deploy web --timeout=60s'


def _follow(target: Target, session: Session, watch: bool, deadline: float | None) -> None:
    said = ""
    while True:
        text, done = progress(session.client.request("GET", target.path()).json())
        if text != said:
            session.io.say(text)
            session.io.out.flush()
            said = text
        if done or not watch:
            return
        if deadline is not None and time.monotonic() > deadline:
            raise errors.UsageError("error: timed out waiting for the condition")
        time.sleep(POLL_SECONDS)


def progress(deployment: dict[str, Any]) -> tuple[str, bool]:
    """Return kubectl's sentence on a Deployment's rollout, and whether it is done."""
    name, spec, status = deployment["metadata"]["name"], deployment["spec"], deployment.get("status") or {}
    if deployment["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...", False
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise errors.UsageError(f'error: deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    head = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{head}{updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{head}{total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{head}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


class RestartOptions(Options):
    """What ``restart`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")


def restart(options: RestartOptions, session: Session) -> int:
    """Replace all pods, by the Deployment's own strategy."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}
    session, _ = _targets(ctx, options.words)
    return changing.patch_each(_chosen(options.words), session, lambda obj: body, "restarted")


# COMMAND restart: "Replace all pods, by the Deployment's own strategy.\n\nExamples:  minikctl rollout restart deploy/web     minikctl rollout restart deploy web api"


def _chosen(words: list[str]) -> changing.Chosen:
    return changing.Chosen(tuple(words), manager="kubectl-rollout")


def _set_paused(ctx: typer.Context, words: list[str], paused: bool) -> int:
    session, _ = _targets(ctx, words)
    verb = "paused" if paused else "resumed"

    def make(current: dict[str, Any]) -> dict[str, Any]:
        if bool(current["spec"].get("paused")) == paused:
            name = current["metadata"]["name"]
            state = "already paused" if paused else "not paused"
            raise errors.UsageError(f'error: deployments.apps "{name}" is {state}')
        return {"spec": {"paused": True if paused else None}}

    return changing.patch_each(_chosen(words), session, make, verb)


class PauseOptions(Options):
    """What ``pause`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")


def pause(options: PauseOptions, session: Session) -> int:
    """Let changes wait until they are resumed."""
    return _set_paused(ctx, options.words, True)


# COMMAND pause: 'Let changes wait until they are resumed.\n\nExamples:  minikctl rollout pause deploy/web     minikctl rollout pause deploy web'


class ResumeOptions(Options):
    """What ``resume`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")


def resume(options: ResumeOptions, session: Session) -> int:
    """Roll out what changed while paused."""
    return _set_paused(ctx, options.words, False)


# COMMAND resume: 'Roll out what changed while paused.\n\nExamples:  minikctl rollout resume deploy/web     minikctl rollout resume deploy web'


def _revisions(target: Target, session: Session) -> dict[int, dict[str, Any]]:
    """Return the ReplicaSets of a Deployment by their revision."""
    deployment = session.client.request("GET", target.path()).json()
    place = Target(session.discovery.find("replicasets.apps"), "", target.namespace)
    found: dict[int, dict[str, Any]] = {}
    for replica_set in session.client.request("GET", place.path()).json()["items"]:
        owners = replica_set["metadata"].get("ownerReferences") or ()
        if any(owner["uid"] == deployment["metadata"]["uid"] for owner in owners):
            number = (replica_set["metadata"].get("annotations") or {}).get(REVISION, "0")
            found[int(number)] = replica_set
    return found


class HistoryOptions(Options):
    """What ``history`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")
    revision: int = flag("--revision", default=0, help="Show this revision's pod template.")


def history(options: HistoryOptions, session: Session) -> int:
    """List the revisions of a Deployment."""
    session, found = _targets(ctx, options.words)
    for target in found:
        revisions = _revisions(target, session)
        if options.revision:
            if options.revision not in revisions:
                raise errors.UsageError("error: unable to find the specified revision")
            session.io.say(f"{target.title} with revision #{options.revision}")
            session.io.out.write(printers.to_yaml(_template(revisions[options.revision])))
            continue
        session.io.say(target.title)
        rows = [["REVISION", "CHANGE-CAUSE"]]
        for number in sorted(revisions):
            notes = revisions[number]["metadata"].get("annotations") or {}
            rows.append([str(number), notes.get(CAUSE, "<none>")])
        for line in table.align(rows):
            session.io.say(line)
        session.io.say("")
    return 0


# COMMAND history: 'List the revisions of a Deployment.\n\nExamples:  minikctl rollout history deploy/web     minikctl rollout history deploy/web --revision=2'


class UndoOptions(Options):
    """What ``undo`` was asked."""

    words: tuple[str, ...] = rest("TYPE/NAME | TYPE NAME")
    to_revision: int = flag("--to-revision", default=0, help="0: the one before.")


def undo(options: UndoOptions, session: Session) -> int:
    """Go back to an earlier revision."""
    session, found = _targets(ctx, options.words)
    for target in found:
        _undo(target, options.to_revision, session)
    return 0


# COMMAND undo: 'Go back to an earlier revision.\n\nExamples:  minikctl rollout undo deploy/web     minikctl rollout undo deploy/web --to-revision=1'


def _undo(target: Target, wanted: int, session: Session) -> None:
    deployment = session.client.request("GET", target.path()).json()
    if deployment["spec"].get("paused"):
        raise errors.UsageError(
            'error: you cannot rollback a paused deployment; resume it first with "rollout resume" and try again'
        )
    revisions = _revisions(target, session)
    numbers = sorted(revisions)
    if not wanted and len(numbers) < 2:
        raise errors.UsageError(f'error: no rollout history found for deployment "{target.name}"')
    chosen = wanted or numbers[-2]
    if chosen not in revisions:
        raise errors.UsageError(f"error: unable to find specified revision {wanted} in history")
    template = _template(revisions[chosen])
    if template == deployment["spec"]["template"]:
        session.io.say(
            f"{target.title} skipped rollback (current template already matches revision {chosen})"
        )
        return
    body = json.dumps([{"op": "replace", "path": "/spec/template", "value": template}]).encode()
    headers = {"Content-Type": "application/json-patch+json"}
    session.client.request("PATCH", target.path(), body, headers=headers)
    session.io.say(f"{target.title} rolled back")


def _template(replica_set: dict[str, Any]) -> dict[str, Any]:
    template = json.loads(json.dumps(replica_set["spec"]["template"]))
    template["metadata"].get("labels", {}).pop(HASH, None)
    found: dict[str, Any] = template
    return found
