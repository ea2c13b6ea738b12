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


@app.command()
def status(
    ctx: typer.Context,
    words: Words,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="Wait for its end.")] = True,
    timeout: Annotated[str, typer.Option("--timeout", help="How long to wait; 0s: no limit.")] = "0s",
) -> None:
    """Show how far a rollout is, until it is done.

    Examples:  minikctl rollout status deploy/web     minikctl rollout status deploy web --timeout=60s
    """
    session, found = _targets(ctx, words)
    allowed = timespan.seconds(timeout)
    deadline = time.monotonic() + allowed if allowed else None
    for target in found:
        _follow(target, session, watch, deadline)
    raise typer.Exit(0)


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


@app.command()
def restart(ctx: typer.Context, words: Words) -> None:
    """Replace all pods, by the Deployment's own strategy.

    Examples:  minikctl rollout restart deploy/web     minikctl rollout restart deploy web api
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}
    session, _ = _targets(ctx, words)
    raise typer.Exit(changing.patch_each(_chosen(words), session, lambda obj: body, "restarted"))


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


@app.command()
def pause(ctx: typer.Context, words: Words) -> None:
    """Let changes wait until they are resumed.

    Examples:  minikctl rollout pause deploy/web     minikctl rollout pause deploy web
    """
    raise typer.Exit(_set_paused(ctx, words, True))


@app.command()
def resume(ctx: typer.Context, words: Words) -> None:
    """Roll out what changed while paused.

    Examples:  minikctl rollout resume deploy/web     minikctl rollout resume deploy web
    """
    raise typer.Exit(_set_paused(ctx, words, False))


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


@app.command()
def history(
    ctx: typer.Context,
    words: Words,
    revision: Annotated[int, typer.Option("--revision", help="Show this revision's pod template.")] = 0,
) -> None:
    """List the revisions of a Deployment.

    Examples:  minikctl rollout history deploy/web     minikctl rollout history deploy/web --revision=2
    """
    session, found = _targets(ctx, words)
    for target in found:
        revisions = _revisions(target, session)
        if revision:
            if revision not in revisions:
                raise errors.UsageError("error: unable to find the specified revision")
            session.io.say(f"{target.title} with revision #{revision}")
            session.io.out.write(printers.to_yaml(_template(revisions[revision])))
            continue
        session.io.say(target.title)
        rows = [["REVISION", "CHANGE-CAUSE"]]
        for number in sorted(revisions):
            notes = revisions[number]["metadata"].get("annotations") or {}
            rows.append([str(number), notes.get(CAUSE, "<none>")])
        for line in table.align(rows):
            session.io.say(line)
        session.io.say("")
    raise typer.Exit(0)


@app.command()
def undo(
    ctx: typer.Context,
    words: Words,
    to_revision: Annotated[int, typer.Option("--to-revision", help="0: the one before.")] = 0,
) -> None:
    """Go back to an earlier revision.

    Examples:  minikctl rollout undo deploy/web     minikctl rollout undo deploy/web --to-revision=1
    """
    session, found = _targets(ctx, words)
    for target in found:
        _undo(target, to_revision, session)
    raise typer.Exit(0)


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
