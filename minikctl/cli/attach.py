"""``attach``: join a container's own process."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import exec_, interrupts, pods, report, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.session import Session

POLL_SECONDS = 0.2
DETACH_KEYS = "ctrl-p,ctrl-q"
RECORDED = (
    "All commands and output from this session will be recorded in container logs, including credentials and "
    "sensitive information passed through the command prompt."
)
PROMPT = "If you don't see a command prompt, try pressing enter."


class AttachOptions(Options):
    """What ``attach`` was asked."""

    arguments: tuple[str, ...] = rest("(POD | TYPE/NAME)", default=(), complete="pods")
    container: str = flag("--container", "-c", default="", help="The container.", complete="containers")
    stdin: bool = flag("--stdin", "-i", default=False, help="Pass standard input on.")
    tty: bool = flag("--tty", "-t", default=False, help="Standard input is a terminal.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Only the process's own output.")
    timeout: str = flag(
        "--pod-running-timeout", default="1m0s", duration=True, help="How long to wait for a pod that runs."
    )
    detach_keys: str = flag(
        "--detach-keys", default=DETACH_KEYS, help="The keys that leave the process running."
    )


def run(options: AttachOptions, session: Session) -> int:
    """Join the process until it ends or the user leaves; return the exit code."""
    given = options.arguments
    if not given:
        raise errors.UsageError("error: at least 1 argument is required for attach")
    if len(given) > 2:
        raise errors.UsageError(
            f"error: expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {len(given)}: [{' '.join(given)}]"
        )
    if timespan.seconds(options.timeout) <= 0:
        raise BadArguments("--pod-running-timeout must be higher than zero")
    pod = _attachable("/".join(given), options, session)
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise errors.UsageError(
            f"error: cannot attach a container in a completed pod; current phase is {phase}"
        )
    join(options, pod, _container(options, pod, session), session)
    return 0


def _container(options: AttachOptions, pod: dict[str, Any], session: Session) -> str:
    try:
        return pods.container(pod, options.container, session)
    except errors.UsageError as error:
        words = str(error).removeprefix("error: ")
        raise errors.UsageError(f"error: cannot attach to the container: {words}") from error


def _attachable(named: str, options: AttachOptions, session: Session) -> dict[str, Any]:
    """Return the pod; a workload's first one is waited for until it runs."""
    deadline = time.monotonic() + timespan.seconds(options.timeout)
    while True:
        pod = pods.named(named, session)[0]
        if "/" not in named or (pod.get("status") or {}).get("phase") != "Pending":
            return pod
        if time.monotonic() > deadline:
            raise errors.UsageError("error: timed out waiting for the condition")
        interrupts.sleep(POLL_SECONDS)


def falling_back(name: str, error: errors.MinikctlError) -> str:
    """Return what kubectl says before it shows the log of a pod that cannot be joined."""
    words = report.sentence(error).removeprefix("error: ")
    return f"warning: couldn't attach to pod/{name}, falling back to streaming logs: {words}"


def join(
    options: AttachOptions,
    pod: dict[str, Any],
    container: str,
    session: Session,
    earlier: Callable[[], bytes] | None = None,
) -> None:
    """Attach to the container and tell how to come back, as kubectl does; ``earlier`` as ``exec_.Ends`` has it."""
    spec = pods.container_spec(pod, container)
    has_tty = bool(spec.get("tty"))
    if options.tty and not has_tty and not options.quiet:
        session.io.warn(f"error: Unable to use a TTY - container {container} did not allocate one")
    # The output of a process that has a terminal is not framed, whatever the user asked.
    is_terminal = session.io.stdin.isatty()
    tty = has_tty and (is_terminal or not options.stdin)
    raw = has_tty and is_terminal and options.stdin
    if options.stdin and options.tty and has_tty and not is_terminal and not options.quiet:
        session.io.warn(exec_.NO_TERMINAL)
    if not options.quiet:
        session.io.warn(RECORDED)
        session.io.warn(PROMPT)
    query = {
        "container": container,
        "stdin": options.stdin,
        "stdout": True,
        "stderr": not tty,
        "tty": tty,
    }
    keys = detach_sequence(options.detach_keys)
    ends = exec_.Ends(stdin=options.stdin, tty=raw, detach=keys, earlier=earlier)
    exec_.stream(pods.log_path(pod, "attach", session), query, session, ends)
    if raw and not options.quiet:
        session.io.say(_reattach(pod, container))


def _reattach(pod: dict[str, Any], container: str) -> str:
    metadata = pod["metadata"]
    again = f"minikctl attach {metadata['name']} -c {container} -n {metadata['namespace']} -i -t"
    if any(each["name"] == container for each in pod["spec"].get("ephemeralContainers") or ()):
        return (
            "Session ended, the ephemeral container will not be restarted but may be reattached using "
            f"'{again}' if it is still running"
        )
    return f"Session ended, resume using '{again}' command"


def detach_sequence(text: str) -> bytes:
    """Return the bytes of keys such as ``ctrl-p,ctrl-q``."""
    found = bytearray()
    for key in (text or DETACH_KEYS).split(","):
        name = key.strip()
        if name.startswith("ctrl-") and len(name) == 6 and (code := ord(name[5].upper()) - 64) in range(32):
            found.append(code)
        elif len(name) == 1 and name.isascii():
            found += name.encode()
        else:
            raise errors.UsageError(f"error: could not bind detach keys: Unknown character: '{key}'")
    return bytes(found)


COMMANDS = {
    "attach": Command(
        "Attach to a process that is already running inside an existing container.",
        AttachOptions,
        run,
        usage="(POD | TYPE/NAME) -c CONTAINER",
        examples=(
            ("See what a pod writes from now on", "minikctl attach web-1"),
            ("Type into a shell that runs in a container", "minikctl attach web-1 -c shell -it"),
        ),
    )
}
