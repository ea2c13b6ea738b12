"""What makes a process a daemon: one per cluster, an end on request."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import fcntl
import logging
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator

from minikctl import errors
from minikctl.client.home import ClusterHome
from minikctl.runtime.clock import Clock

LOCK_PATIENCE_SECONDS = 0.5
STATE_CHECK_SECONDS = 5.0


@contextlib.contextmanager
def only_one(home: ClusterHome) -> Iterator[None]:
    """Hold the cluster's lock during the block; ``UsageError`` names the process that has it already."""
    os.makedirs(home.path, mode=0o700, exist_ok=True)
    handle = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, home)
        home.remove("daemon.json")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int, home: ClusterHome) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever asks whether a control plane runs holds the lock for a moment too.
            if time.monotonic() < deadline:
                time.sleep(0.01)
                continue
        pid = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        raise errors.UsageError(
            f'cluster "{home.name}" already has a control plane on {home.path}: process {pid}'
        )


def allow_open_files() -> None:
    """Have this process open as many files as it may: each client and each call of the engine is one.

    As programs in Go do, kubelets and API servers among them: shells hand down a limit for ``select``.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):  # some systems say more than they grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def state_is_gone(home: ClusterHome, clock: Clock) -> None:
    """Return once the cluster's lock is no longer the file that this process holds: its state was removed."""
    held = os.stat(home.lock).st_ino
    while True:
        await clock.sleep(STATE_CHECK_SECONDS)
        try:
            if os.stat(home.lock).st_ino != held:
                return
        except FileNotFoundError:
            return
        except OSError as error:
            logging.getLogger(__name__).warning("cannot see the state directory: %s", error)


def end_within(seconds: float) -> None:
    """Have this process end after so long, whatever it hangs on; the log tells where that was."""
    loop = asyncio.get_running_loop()

    def give_up() -> None:
        # The other thread may be anywhere: what it is doing is read, not asked for.
        names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
        logging.getLogger(__name__).error("still not at an end after %.0f s: %s", seconds, ", ".join(names))
        faulthandler.dump_traceback()
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()


def stop_requested() -> asyncio.Event:
    """Return what is set when the process is asked to end (SIGTERM, SIGINT)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
