"""Starting, finding and stopping the control plane's process.

The truth about whether one runs is the lock on ``daemon.lock``: a pid in a file may be anybody's by now.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.client.home import ClusterHome

PREPARING = "the cluster's network and image are being prepared"
"""What nodes say from the engine's first answer until pods can run: on a new machine that takes a while."""
DOWN = "no Docker engine answers"
"""How the driver begins when nothing is found at the engine's address."""
START_SECONDS = 30.0
STOP_SECONDS = 15.0
"""A control plane gives itself 10 s; one that does not even do that is killed."""
KILL_SECONDS = 5.0
POLL_SECONDS = 0.02
FULL_BYTES = 65_536
"""With less than that left, a disk is called full: a control plane cannot begin there."""


def is_running(home: ClusterHome) -> bool:
    """Tell whether a control plane holds the cluster's lock."""
    try:
        # For reading does: the state may be on what cannot be written at present.
        handle = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise home.foreign() from error
    try:
        # Shared, so that those who only ask never stand in one another's way.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def holder(home: ClusterHome) -> int:
    """Return the pid of the control plane that holds the lock, 0 when none does."""
    if not is_running(home):
        return 0
    try:
        with open(home.lock, encoding="ascii") as source:
            return int(source.read().strip() or 0)
    except (OSError, ValueError):
        return 0


def status(home: ClusterHome) -> dict[str, Any] | None:
    """Return what the running control plane says of itself, None when none runs (or it is still starting)."""
    pid = holder(home)
    found = home.daemon() if pid else None
    # After a kill -9 the last one's words are still there while the next one starts.
    return found if found and found.get("pid") == pid else None


def ensure_running(home: ClusterHome, progress: Callable[[str], None] | None = None) -> str:
    """Return the API's address, after starting a control plane if none runs.

    Raises ``UsageError`` with the last lines of its log when it does not come up.
    """
    found = status(home)
    if found:
        return str(found["address"])
    if progress is not None:
        progress(f"Starting the control plane of cluster {home.name}")
    said = _log_size(home)
    child = None if is_running(home) else _Child(home)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = status(home)
        if found:
            return str(found["address"])
        if child is None and not is_running(home):
            child = _Child(home)  # the one that was there was about to end
        if child is not None and child.has_ended() and not is_running(home):
            raise errors.UsageError(f"the control plane did not start:\n{_tail(home, said)}")
        time.sleep(POLL_SECONDS)
    raise errors.UsageError(
        f"the control plane did not answer within {START_SECONDS:.0f} s:\n{_tail(home, said)}"
    )


def stop(home: ClusterHome, tell: Callable[[str], None] = lambda _: None) -> bool:
    """Stop the control plane and leave the apps running; False when none ran.

    One that does not end when asked to is killed, as ``tell`` is told: the store loses nothing by that.
    """
    import signal

    pid = holder(home)
    if not pid:
        return False
    if _ended_by(signal.SIGTERM, home, pid, STOP_SECONDS):
        return True
    tell(f"The control plane (pid {pid}) did not stop within {STOP_SECONDS:.0f} s: it is killed.")
    if _ended_by(signal.SIGKILL, home, pid, KILL_SECONDS):
        return True
    raise errors.UsageError(
        f"error: the control plane (pid {pid}) was killed and still is there: it waits for a disk or a device"
    )


def _ended_by(number: int, home: ClusterHome, pid: int, seconds: float) -> bool:
    """Send the signal and tell whether the process has let go of the cluster within that time."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended meanwhile
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holder(home) != pid:
            return True
        time.sleep(POLL_SECONDS)
    return False


class _Child:
    """The control plane that this process has started; it lives on without us."""

    def __init__(self, home: ClusterHome) -> None:
        os.makedirs(home.path, mode=0o700, exist_ok=True)
        log = os.open(home.daemon_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                # -P: what lies in the directory in which a command is given is no module of ours.
                [sys.executable, "-P", "-m", "minikctl.daemon", "--cluster", home.name],
                # The directory must be the one that we mean, whatever the environment says.
                {**os.environ, "MINIKCTL_HOME": home.root},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(nothing)
            os.close(log)
        self._ended = False

    def has_ended(self) -> bool:
        """Tell whether it is gone."""
        try:
            self._ended = self._ended or os.waitpid(self._pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            pass  # somebody else has waited for it
        return self._ended


def _log_size(home: ClusterHome) -> int:
    try:
        return os.path.getsize(home.daemon_log)
    except OSError:
        return 0


def _tail(home: ClusterHome, start: int, lines: int = 12) -> str:
    """Return the last of what was logged since the log had that size."""
    try:
        with open(home.daemon_log, "rb") as log:
            log.seek(start if start <= os.path.getsize(home.daemon_log) else 0)
            text = log.read().decode(errors="replace")
    except OSError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or _silence(home)


def _silence(home: ClusterHome) -> str:
    """Return what is known of a control plane that wrote nothing to its log."""
    try:
        disk = os.statvfs(home.path)
    except OSError as error:
        return f"(its log cannot be looked at: {error})"
    if disk.f_bavail * disk.f_frsize < FULL_BYTES:
        return f"(it could write nothing to its log: the disk of {home.path} is full)"
    return "(it wrote nothing to its log)"
