"""``exec``: run a command in a container."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import pods, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, after_dash, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from minikctl.cli.feeder import Feeder
    from minikctl.cli.session import Session

NO_TERMINAL = "Unable to use a TTY - input is not a terminal or the right kind of file"
SEAM_SECONDS = 0.02
"""What a log had when it was read is heard within this time by whoever joined the process before."""


class ExecOptions(Options):
    """What ``exec`` was asked."""

    arguments: tuple[str, ...] = rest("(POD | TYPE/NAME)", default=(), complete="pods")
    command: tuple[str, ...] = after_dash(default=())
    container: str = flag("--container", "-c", default="", help="The container.", complete="containers")
    stdin: bool = flag("--stdin", "-i", default=False, help="Pass standard input on.")
    tty: bool = flag("--tty", "-t", default=False, help="Give the command a terminal.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Only the command's own output.")
    files: tuple[str, ...] = flag(
        "--filename", "-f", default=(), split=True, help="A file that names the pod.", complete="files"
    )
    timeout: str = flag(
        "--pod-running-timeout",
        default="1m0s",
        duration=True,
        help="How long to wait for a workload's first pod.",
    )
    user: str = flag("--user", default="", help="As this user of the container: a name or UID, with :GROUP.")


def run(options: ExecOptions, session: Session) -> int:
    """Run the command; return its exit code."""
    if not options.arguments and not options.files:
        raise errors.UsageError("error: pod, type/name or --filename must be specified")
    if len(options.arguments) > 1 or (options.arguments and options.files):
        raise BadArguments(
            "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"
        )
    if not options.command:
        raise errors.UsageError("error: you must specify at least one command for the container")
    if timespan.seconds(options.timeout) <= 0:
        raise BadArguments("--pod-running-timeout must be higher than zero")
    pod = pods.named(_named(options, session), session, timespan.seconds(options.timeout))[0]
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise errors.UsageError(
            f"error: cannot exec into a container in a completed pod; current phase is {phase}"
        )
    container = pods.container(pod, options.container, session)
    tty = options.tty and session.io.stdin.isatty()
    if options.tty and not tty and not options.quiet:
        session.io.warn(NO_TERMINAL)
    query = {
        "command": list(options.command),
        "container": container,
        "stdin": options.stdin,
        "stdout": True,
        "stderr": not tty,
        "tty": tty,
    }
    if options.user:
        # Kubernetes' API has no such parameter: another server would run the command as somebody else.
        if "minikctl" not in session.client.request("GET", "/version").json()["gitVersion"]:
            raise errors.UsageError("error: --user: this server cannot run commands as another user")
        query["user"] = options.user
    ends = Ends(stdin=options.stdin, tty=tty)
    return stream(pods.log_path(pod, "exec", session), query, session, ends)


def _named(options: ExecOptions, session: Session) -> str:
    """Return TYPE/NAME of what the command line or the file names."""
    if options.arguments:
        return options.arguments[0]
    from minikctl.cli import manifests, selection

    documents = manifests.sound(options.files, False, session.io)
    if len(documents) != 1:
        raise errors.UsageError("error: the file is to name one object")
    target = selection.target_of(documents[0].object, session, documents[0].source)
    return f"{target.resource.qualified}/{target.name}"


class Ends:
    """What of the terminal or pipes is joined with a remote command.

    ``tty``: keys are passed on as they are pressed; ``detach``: those that leave the command alone.
    ``source`` and ``sink`` take the place of standard input and output.  ``earlier`` is called once the
    command is joined: it shows and returns what that has written so far, of which nothing is shown again.
    """

    def __init__(
        self,
        *,
        stdin: bool,
        tty: bool = False,
        detach: bytes = b"",
        source: Callable[[], bytes] | None = None,
        sink: Callable[[bytes], object] | None = None,
        earlier: Callable[[], bytes] | None = None,
    ) -> None:
        self.stdin = stdin
        self.tty = tty
        self.detach = detach
        self.source = source
        self.sink = sink
        self.earlier = earlier


def stream(path: str, query: dict[str, Any], session: Session, ends: Ends) -> int:
    """Join the terminal or pipes with a remote command until it ends; return its exit code."""
    code = exchange(path, query, session, ends)
    if code:
        session.io.warn(f"command terminated with exit code {code}")
    return code


def exchange(path: str, query: dict[str, Any], session: Session, ends: Ends) -> int:
    """Do what ``stream`` does, and say nothing about the exit code."""
    from minikctl.client import channels

    remote = channels.ChannelStream(session.client, path, query)
    feeder: Feeder | None = None
    outcome = b""
    terminal = _RawTerminal(remote, session) if ends.tty else None
    try:
        if ends.stdin:
            from minikctl.cli import feeder as feeders

            feeder = feeders.Feeder(remote, session, ends)
            feeder.start()
        for channel, data in _pieces(remote, ends):
            if channel == channels.OUTCOME:
                outcome += data
            elif channel == channels.STDOUT and ends.sink is not None:
                ends.sink(data)
            else:
                _write(session.io.err if channel == channels.STDERR else session.io.out, data)
    finally:
        remote.close()
        if terminal is not None:
            terminal.restore()
    if feeder is not None and feeder.failure is not None:
        raise feeder.failure
    if feeder is not None and feeder.left:
        return 0
    if not outcome:
        raise errors.UsageError("error: the connection ended before the command did")
    return channels.exit_code(outcome)


def _pieces(remote: Any, ends: Ends) -> Iterator[tuple[int, bytes]]:
    """Yield what comes from the command but what ``earlier`` has shown of it.

    Both have what was written while ``earlier`` looked; that has been heard shortly after.
    """
    if ends.earlier is not None:
        from minikctl.cli import seam
        from minikctl.client import channels

        logged, heard = ends.earlier(), remote.soon(SEAM_SECONDS)
        written = (channels.STDOUT, channels.STDERR)
        shown = seam.overlap(logged, b"".join(data for channel, data in heard if channel in written))
        for channel, data in heard:
            known = min(shown, len(data)) if channel in written else 0
            shown -= known
            if data[known:] or channel not in written:
                yield channel, data[known:]
    yield from remote.read()


def _write(sink: Any, data: bytes) -> None:
    raw = getattr(sink, "buffer", None)
    if raw is None:
        sink.write(data.decode(errors="replace"))
    else:
        raw.write(data)
    sink.flush()


class _RawTerminal:
    """Passes every key on as it is pressed, and the terminal's size whenever it changes, until ``restore``."""

    def __init__(self, remote: Any, session: Session) -> None:
        import signal
        import termios
        import tty

        self._remote = remote
        self._descriptor = session.io.stdin.fileno()
        self._saved = termios.tcgetattr(self._descriptor)
        self._before = signal.signal(signal.SIGWINCH, self._tell_size)
        try:
            tty.setraw(self._descriptor)
            self._tell_size()
        except BaseException:
            self.restore()
            raise

    def _tell_size(self, *_: object) -> None:
        import shutil

        size = shutil.get_terminal_size()
        self._remote.resize(size.columns, size.lines)

    def restore(self) -> None:
        """Leave the terminal as it was."""
        import signal
        import sys
        import termios

        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved)
        signal.signal(signal.SIGWINCH, self._before)
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
