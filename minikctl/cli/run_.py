"""``run``: one image as one pod, attached to if asked."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import creating, flags, generators
from minikctl.cli.commands import Command
from minikctl.cli.flags import after_dash, flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

POLL_SECONDS = 0.2


class RunOptions(creating.Overridden):
    """What ``run`` was asked."""

    MANAGER = "kubectl-run"

    names: tuple[str, ...] = rest("NAME", default=())
    words: tuple[str, ...] = after_dash(default=())
    image: str | None = flag("--image", default=None, help="The image to run.")
    env: tuple[str, ...] = flag("--env", default=(), help="An environment variable: KEY=VALUE.")
    port: str = flag("--port", default="", help="The port that the container listens on.")
    annotations: tuple[str, ...] = flag(
        "--annotations", default=(), help="An annotation: KEY=VALUE; may repeat."
    )
    privileged: bool = flag("--privileged", default=False, help="The container may do everything.")
    leave_open: bool = flag(
        "--leave-stdin-open",
        default=False,
        help="Standard input stays open after the first attached one ends.",
    )
    labels: str = flag("--labels", "-l", default="", help="Labels: a=b,c=d; run=NAME if none are given.")
    restart: str = flag(
        "--restart", default="Always", help="Always, OnFailure or Never.", complete="Always OnFailure Never"
    )
    pull: str = flag(
        "--image-pull-policy",
        default="",
        help="Always, IfNotPresent or Never.",
        complete="Always IfNotPresent Never",
    )
    is_command: bool = flag(
        "--command", default=False, help="What follows -- replaces the image's entrypoint."
    )
    stdin: bool = flag("--stdin", "-i", default=False, help="Pass standard input on; implies --attach.")
    tty: bool = flag("--tty", "-t", default=False, help="Give the container a terminal.")
    attach: bool = flag("--attach", default=False, help="Wait for the pod to run and join its output.")
    remove: bool = flag("--rm", default=False, help="Delete the pod after it was attached to.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Only the process's own output.")
    detach_keys: str = flag(
        "--detach-keys", default="ctrl-p,ctrl-q", help="The keys that leave the process running."
    )
    expose: bool = flag("--expose", default=False, help="Make a ClusterIP Service for --port too.")
    timeout: str = flag(
        "--pod-running-timeout", default="1m0s", duration=True, help="How long to wait for the pod to run."
    )


def run(options: RunOptions, session: Session) -> int:
    """Create the pod, and attach to it if asked; return the exit code."""
    if options.image is None:
        raise errors.UsageError('error: required flag(s) "image" not set')
    if not options.names:
        raise errors.UsageError("error: NAME is required for run")
    name = flags.one(options.names)
    attach = options.attach or options.stdin
    if options.remove and not attach:
        raise errors.UsageError("error: --rm should only be used for attached containers")
    if options.expose and not options.port:
        raise errors.UsageError("error: --port must be set when exposing a service")
    if options.restart not in ("Always", "OnFailure", "Never"):
        raise errors.UsageError(
            f"error: invalid restart policy: {options.restart}, valid values are: Always, OnFailure, Never"
        )
    if attach and options.dry_run != "none":
        raise errors.UsageError(
            "error: --dry-run=[server|client] can't be used with attached containers options "
            "(--attach, --stdin, or --tty)"
        )
    if not options.image:
        raise errors.UsageError("error: --image is required")
    generators.check_image(options.image)
    if options.pull:
        generators.check_pull_policy(options.pull)
    pod = creating.overridden(options, _pod(options, name))
    code = _attached(options, pod, session) if attach else creating.make(options, pod, session)
    if options.expose:
        service = generators.service(name, "ClusterIP", [options.port], selector=pod["metadata"]["labels"])
        service["spec"]["ports"][0].pop("name")
        del service["spec"]["type"], service["metadata"]["labels"]
        if options.output in ("yaml", "kyaml"):
            session.io.say("---")
        creating.make(options, service, session)
    return code


def _pod(options: RunOptions, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": options.image, "resources": {}}
    if options.words:
        container["command" if options.is_command else "args"] = list(options.words)
    if options.env:
        container["env"] = [_variable(text) for text in options.env]
    if options.port:
        container["ports"] = [{"containerPort": generators.number(options.port, "--port must be a number")}]
    if options.pull:
        container["imagePullPolicy"] = options.pull
    if options.stdin:
        container |= {"stdin": True} if options.leave_open else {"stdin": True, "stdinOnce": True}
    if options.privileged:
        container["securityContext"] = {"privileged": True}
    if options.tty:
        container["tty"] = True
    spec = {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": options.restart}
    pod = generators.named("v1", "Pod", name, spec=spec, status={})
    pod["metadata"]["labels"] = generators.labels(options.labels) or {"run": name}
    if options.annotations:
        notes = [entry.partition("=") for entry in options.annotations]
        pod["metadata"]["annotations"] = {key: value for key, _, value in notes}
    return pod


def _variable(text: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise errors.UsageError(f"error: invalid env: {text}")
    return {"name": key, "value": value}


def _attached(options: RunOptions, pod: dict[str, Any], session: Session) -> int:
    from minikctl.cli import attach, logs

    name = pod["metadata"]["name"]
    target = Target(creating.RESOURCES["Pod"], name, session.namespace)
    session.client.request(
        "POST", target.collection.path(), pod, query={"fieldManager": options.manager or options.MANAGER}
    )
    code = 0
    try:
        phase = _await_running(options, target, session)
        if phase == "Running":
            wanted = attach.AttachOptions(
                stdin=options.stdin, tty=options.tty, quiet=options.quiet, detach_keys=options.detach_keys
            )
            attach.join(wanted, session.client.request("GET", target.path()).json(), name, session)
        else:
            logs.run(logs.LogsOptions(arguments=(name,)), session)
        code = _exit_code(target, session)
    finally:
        if options.remove:
            session.client.request("DELETE", target.path())
            session.io.say(f'pod "{name}" deleted from {target.namespace} namespace')
    return code


def _await_running(options: RunOptions, target: Target, session: Session) -> str:
    from minikctl.cli import timespan

    deadline = time.monotonic() + timespan.seconds(options.timeout)
    while True:
        phase = str(session.client.request("GET", target.path()).json().get("status", {}).get("phase"))
        if phase in ("Running", "Succeeded", "Failed"):
            return phase
        if time.monotonic() > deadline:
            raise errors.UsageError(f"error: timed out waiting for the condition on pods/{target.name}")
        time.sleep(POLL_SECONDS)


def _exit_code(target: Target, session: Session) -> int:
    """Return the exit code of a pod that is never restarted; 0 while it runs on."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        pod = session.client.request("GET", target.path()).json()
        for status in pod.get("status", {}).get("containerStatuses") or ():
            ended = (status.get("state") or {}).get("terminated")
            if ended:
                return int(ended.get("exitCode", 0))
        if pod["spec"].get("restartPolicy") != "Never":
            return 0
        time.sleep(POLL_SECONDS)
    return 0


COMMANDS = {
    "run": Command(
        "Run an image as a pod.",
        RunOptions,
        run,
        usage='NAME --image=image [--env="key=value"] [--port=port] -- [COMMAND] [args...]',
        examples=(
            ("A pod that serves", "minikctl run web --image=minikctl-demo:latest --port=8080"),
            (
                "A shell that leaves nothing behind",
                "minikctl run -it --rm box --image=busybox --restart=Never -- sh",
            ),
        ),
    )
}
