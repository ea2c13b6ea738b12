"""``run``: one image as one pod, attached to if asked."""

from __future__ import annotations

import re
import time

from minikctl import errors
from minikctl.cli import changing, creating, flags, generators, interrupts, report
from minikctl.cli.commands import Command
from minikctl.cli.earlier import Earlier
from minikctl.cli.flags import after_dash, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

POLL_SECONDS = 0.2
VARIABLE = re.compile(r"(?!\.\.)[-.A-Za-z_][-.\w]*", re.ASCII)


class RunOptions(creating.Overridden):
    """What ``run`` was asked."""

    LACKS = ("validate",)

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
    attach = options.attach or options.stdin
    name = _checked(options, attach)
    pod = creating.overridden(options, _pod(options, name))
    made = [creating.created(options, creating.place(options, pod, session), pod, session)]
    failed = False
    if options.expose:
        service = _service(options, pod)
        try:
            made.append(
                creating.created(options, creating.place(options, service, session), service, session)
            )
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
    if attach:
        return _attached(options, [target for target, _ in made], session) or int(failed)
    for number, (target, result) in enumerate(made):
        if number and options.output == "yaml":
            session.io.say("---")
        changing.tell(options, target, result, "created", session)
    return int(failed)


def _checked(options: RunOptions, attach: bool) -> str:
    """Return the pod's name; ``UsageError`` in kubectl's words, and its order, for what cannot be."""
    if options.image is None:
        raise errors.UsageError('error: required flag(s) "image" not set')
    if bad := [entry for entry in options.annotations if "=" not in entry[1:]]:
        raise errors.UsageError(f"error: invalid annotations format: {', '.join(bad)}")
    _labels(options)
    for text in options.env:
        _variable(text)
    if options.restart not in ("", "Always", "OnFailure", "Never"):
        raise errors.UsageError(
            f"error: invalid restart policy: {options.restart}, valid values are: Always, OnFailure, Never"
        )
    if options.pull:
        generators.check_pull_policy(options.pull, lists=True)
    if not options.names:
        raise errors.UsageError("error: NAME is required for run")
    name = flags.one(options.names)
    if not options.image:
        raise errors.UsageError("error: --image is required")
    generators.check_image(options.image)
    if options.tty and not options.stdin:
        raise errors.UsageError("error: -i/--stdin is required for containers with -t/--tty=true")
    if options.expose and not options.port:
        raise errors.UsageError("error: --port must be set when exposing a service")
    if options.port:
        generators.number(options.port, "--port must be a number")
    if options.remove and not attach:
        raise errors.UsageError("error: --rm should only be used for attached containers")
    if attach and options.dry_run != "none":
        raise errors.UsageError(
            "error: --dry-run=[server|client] can't be used with attached containers options "
            "(--attach, --stdin, or --tty)"
        )
    return name


def _restart(options: RunOptions) -> str:
    return options.restart or ("OnFailure" if options.stdin else "Always")


def _labels(options: RunOptions) -> dict[str, str]:
    """Return the labels that are asked for."""
    for part in options.labels.split(",") if options.labels else ():
        if part.count("=") != 1:
            raise errors.UsageError(f"error: unexpected label spec: {part}")
        if part.startswith("="):
            raise errors.UsageError("error: unexpected empty label key")
    return generators.labels(options.labels)


def _service(options: RunOptions, pod: dict[str, Any]) -> dict[str, Any]:
    """Return the Service of the pod: it has the labels that were asked for, and selects the pod's."""
    name = pod["metadata"]["name"]
    found = generators.service(name, "ClusterIP", [options.port], selector=pod["metadata"].get("labels"))
    found["spec"]["ports"][0].pop("name")
    del found["spec"]["type"], found["metadata"]["labels"]
    if labels := _labels(options):
        found["metadata"]["labels"] = labels
    return found


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
    spec = {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": _restart(options)}
    pod = generators.named("v1", "Pod", name, spec=spec, status={})
    pod["metadata"]["labels"] = _labels(options) or {"run": name}
    if options.annotations:
        notes = [entry.partition("=") for entry in options.annotations]
        pod["metadata"]["annotations"] = {key: value for key, _, value in notes}
    return pod


def _variable(text: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not VARIABLE.fullmatch(key) or key == ".":
        raise errors.UsageError(f"error: invalid env: {text}")
    return {"name": key, "value": value}


def _attached(options: RunOptions, made: list[Target], session: Session) -> int:
    """Join the pod, the first of what was made, to its end; return its exit code.  With --rm all is removed."""
    try:
        phase = _await(options, made[0], ("Running", "Succeeded", "Failed"), session)["status"]["phase"]
        if phase == "Running":
            _join(options, made[0], session)
        else:
            pod = session.client.request("GET", made[0].path()).json()
            Earlier(pod, pod["spec"]["containers"][0]["name"], session).show()
        if options.leave_open or _restart(options) == "Always":
            return 0
        return _exit_code(options, made[0], session)
    finally:
        for target in made if options.remove else ():
            _remove(options, target, session)


def _join(options: RunOptions, target: Target, session: Session) -> None:
    """Attach to the container, with what it had written by then; follow its log if that cannot be."""
    from minikctl.cli import attach

    wanted = attach.AttachOptions(
        stdin=options.stdin, tty=options.tty, quiet=options.quiet, detach_keys=options.detach_keys
    )
    pod = session.client.request("GET", target.path()).json()
    container = pod["spec"]["containers"][0]["name"]
    earlier = Earlier(pod, container, session)
    try:
        attach.join(wanted, pod, container, session, earlier.show)
    except errors.MinikctlError as error:
        session.io.warn(attach.falling_back(target.name, error))
        earlier.show()


def _remove(options: RunOptions, target: Target, session: Session) -> None:
    try:
        session.client.request("DELETE", target.path())
    except errors.StatusError as error:
        if error.code != 404:
            raise
    else:
        if not options.quiet:
            kind = target.resource.singular
            session.io.say(f'{kind} "{target.name}" deleted from {target.namespace} namespace')


def _await(options: RunOptions, target: Target, phases: tuple[str, ...], session: Session) -> dict[str, Any]:
    """Return the pod once it is in one of the phases."""
    from minikctl.cli import timespan

    deadline = time.monotonic() + timespan.seconds(options.timeout)
    while True:
        pod: dict[str, Any] = session.client.request("GET", target.path()).json()
        if (pod.get("status") or {}).get("phase") in phases:
            return pod
        if time.monotonic() > deadline:
            raise errors.UsageError(f"error: timed out waiting for the condition on pods/{target.name}")
        interrupts.sleep(POLL_SECONDS)


def _exit_code(options: RunOptions, target: Target, session: Session) -> int:
    """Return the exit code of a pod that ends, once it has; say so when it failed."""
    ends = ("Succeeded", "Failed") if _restart(options) == "Never" else ("Succeeded",)
    pod = _await(options, target, ends, session)
    if pod["status"]["phase"] == "Succeeded":
        return 0
    statuses = pod["status"].get("containerStatuses") or [{}]
    ended = (statuses[0].get("state") or {}).get("terminated") or {}
    named = f"pod {target.namespace}/{target.name}"
    if not ended.get("exitCode"):
        raise errors.UsageError(f"error: {named} failed with unknown exit code")
    session.io.warn(f"{named} terminated ({ended.get('reason', '')})\n{ended.get('message', '')}".rstrip())
    return int(ended["exitCode"])


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
