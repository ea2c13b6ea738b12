"""``exec``: run a command in a container."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from minikctl import errors
from minikctl.cli import pods
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, after_dash, flag, rest

if TYPE_CHECKING:
    from minikctl.cli.session import Session

CHUNK = 32 * 1024


class ExecOptions(Options):
    """What ``exec`` was asked."""

    arguments: tuple[str, ...] = rest("(POD | TYPE/NAME)", default=(), complete="pods")
    command: tuple[str, ...] = after_dash(default=())
    container: str = flag("--container", "-c", default="", help="The container.", complete="containers")
    stdin: bool = flag("--stdin", "-i", default=False, help="Pass standard input on.")
    tty: bool = flag("--tty", "-t", default=False, help="Give the command a terminal.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Only the command's own output.")


def run(options: ExecOptions, session: Session) -> int:
    """Run the command; return its exit code."""
    if not options.arguments:
        raise errors.UsageError("error: pod, type/name or --filename must be specified")
    if len(options.arguments) > 1:
        raise BadArguments(
            "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"
        )
    if not options.command:
        raise errors.UsageError("error: you must specify at least one command for the container")
    pod = pods.named(options.arguments[0], session)[0]
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise errors.UsageError(
            f"error: cannot exec into a container in a completed pod; current phase is {phase}"
        )
    container = pods.container(pod, options.container, session)
    tty = options.tty and session.io.stdin.isatty()
    if options.tty and not tty and not options.quiet:
        session.io.warn("Unable to use a TTY - input is not a terminal or the right kind of file")
    query = {
        "command": list(options.command),
        "container": container,
        "stdin": options.stdin,
        "stdout": True,
        "stderr": not tty,
        "tty": tty,
    }
    return stream(pods.log_path(pod, "exec", session), query, session, stdin=options.stdin, tty=tty)


def stream(path: str, query: dict[str, Any], session: Session, *, stdin: bool, tty: bool) -> int:
    """Join the terminal or pipes with a remote command until it ends; return its exit code."""
    from minikctl.client import channels

    remote = channels.ChannelStream(session.client, path, query)
    outcome = b""
    with _raw_terminal(remote, session) if tty else contextlib.nullcontext():
        if stdin:
            threading.Thread(target=_feed, args=(remote, session), daemon=True).start()
        try:
            for channel, data in remote.read():
                if channel == channels.OUTCOME:
                    outcome += data
                else:
                    _write(session.io.err if channel == channels.STDERR else session.io.out, data)
        finally:
            remote.close()
    if not outcome:
        raise errors.UsageError("error: the connection ended before the command did")
    code = channels.exit_code(outcome)
    if code:
        session.io.warn(f"command terminated with exit code {code}")
    return code


def _write(sink: Any, data: bytes) -> None:
    raw = getattr(sink, "buffer", None)
    if raw is None:
        sink.write(data.decode(errors="replace"))
    else:
        raw.write(data)
    sink.flush()


def _feed(remote: Any, session: Session) -> None:
    descriptor = session.io.stdin.fileno()
    while data := os.read(descriptor, CHUNK):
        remote.write(data)
    remote.close_stdin()


@contextlib.contextmanager
def _raw_terminal(remote: Any, session: Session) -> Iterator[None]:
    """Pass every key on as it is pressed, and the terminal's size whenever it changes."""
    import termios
    import tty as terminal

    descriptor = session.io.stdin.fileno()
    saved = termios.tcgetattr(descriptor)

    def tell_size(*_: object) -> None:
        size = shutil.get_terminal_size()
        remote.resize(size.columns, size.lines)

    before = signal.signal(signal.SIGWINCH, tell_size)
    try:
        terminal.setraw(descriptor)
        tell_size()
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)
        signal.signal(signal.SIGWINCH, before)
        sys.stdout.flush()


COMMANDS = {
    "exec": Command(
        "Execute a command in a container; the exit code is the command's own.",
        ExecOptions,
        run,
        usage="(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
        examples=(
            ("Run one command", "minikctl exec web-1 -- ls /"),
            ("Get a shell in a Deployment's first pod", "minikctl exec -it deployment/web -- sh"),
        ),
    )
}
