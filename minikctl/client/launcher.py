"""Starting, finding and stopping the control plane's process.

The truth about whether one runs is the lock on ``daemon.lock``: a pid in a file may be anybody's by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from minikctl import errors
from minikctl.client.home import ClusterHome

START_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02


def is_running(home: ClusterHome) -> bool:
    """Tell whether a control plane holds the cluster's lock."""
    try:
        handle = os.open(home.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def status(home: ClusterHome) -> dict[str, Any] | None:
    """Return what the running control plane says of itself, None when none runs (or it is still starting)."""
    return home.daemon() if is_running(home) else None


def ensure_running(home: ClusterHome, progress: Callable[[str], None] | None = None) -> str:
    """Return the API's address, after starting a control plane if none runs.

    Raises ``UsageError`` with the last lines of its log when it does not come up.
    """
    found = status(home)
    if found:
        return str(found["address"])
    if progress is not None:
        progress(f"Starting the control plane of cluster {home.name}")
    process = None if is_running(home) else _spawn(home)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = status(home)
        if found and (process is None or found.get("pid") == process.pid or process.poll() is not None):
            return str(found["address"])
        if process is not None and process.poll() is not None and not is_running(home):
            raise errors.UsageError(f"the control plane did not start:\n{_tail(home)}")
        time.sleep(POLL_SECONDS)
    raise errors.UsageError(f"the control plane did not answer within {START_SECONDS:.0f} s:\n{_tail(home)}")


def stop(home: ClusterHome) -> bool:
    """Stop the control plane and leave the apps running; False when none ran."""
    found = status(home)
    if not found:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(found["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not is_running(home):
            return True
        time.sleep(POLL_SECONDS)
    raise errors.UsageError(
        f"the control plane (pid {found['pid']}) did not stop within {STOP_SECONDS:.0f} s"
    )


def _spawn(home: ClusterHome) -> subprocess.Popen[bytes]:
    os.makedirs(home.path, mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(home.file("daemon.json"))
    with open(home.daemon_log, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "minikctl.daemon", "--cluster", home.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def _tail(home: ClusterHome, lines: int = 12) -> str:
    try:
        with open(home.daemon_log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:]).rstrip()
    except OSError:
        return "(it wrote no log)"
