from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.client import launcher
from minikctl.client.home import ClusterHome
from minikctl.daemon import process
from tests.fakes.clock import FakeClock, settle


@pytest.fixture
def home(tmp_path: Path) -> ClusterHome:
    return ClusterHome("lab", str(tmp_path))


def test_only_one_holds_the_cluster(home: ClusterHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOCK_PATIENCE_SECONDS", 0.02)
    assert (launcher.is_running(home), launcher.holder(home)) == (False, 0)
    home.write_json("daemon.json", {"pid": 1, "address": "of one that was killed"})
    with process.only_one(home):
        assert home.daemon() is None
        assert (launcher.is_running(home), launcher.holder(home)) == (True, os.getpid())
        again = pytest.raises(
            errors.UsageError, match=f"already has a control plane .* process {os.getpid()}$"
        )
        with again, process.only_one(home):
            raise AssertionError("never here")
        assert launcher.holder(home) == os.getpid()
    assert not launcher.is_running(home)


def test_who_only_asks_does_not_keep_others_out(home: ClusterHome) -> None:
    asking = (
        "import sys; from minikctl.client import home, launcher\n"
        f"found = home.ClusterHome('lab', {home.root!r})\n"
        "print(flush=True)\n"
        "while not launcher.is_running(found): pass\n"
    )
    with process.only_one(home):
        pass
    askers = [subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE) for _ in range(2)]
    for asker in askers:
        assert asker.stdout is not None
        asker.stdout.readline()
    with process.only_one(home):
        for asker in askers:
            assert asker.wait(20) == 0
            asker.stdout.close()  # type: ignore[union-attr]


def test_status_is_of_the_process_that_holds_the_lock(home: ClusterHome) -> None:
    with process.only_one(home):
        assert launcher.status(home) is None
        home.write_json("daemon.json", {"pid": os.getpid(), "address": "here"})
        assert (launcher.status(home) or {})["address"] == "here"
        home.write_json("daemon.json", {"pid": 1, "address": "elsewhere"})
        assert launcher.status(home) is None


async def test_the_end_of_the_state_directory_is_noticed(home: ClusterHome) -> None:
    clock = FakeClock()
    with process.only_one(home):
        waiting = asyncio.create_task(process.state_is_gone(home, clock))
        await settle()
        await clock.advance(process.STATE_CHECK_SECONDS)
        assert not waiting.done()
        shutil.rmtree(home.path)
        await clock.advance(process.STATE_CHECK_SECONDS)
        await waiting
    with process.only_one(home):
        waiting = asyncio.create_task(process.state_is_gone(home, clock))
        await settle()
        os.rename(home.lock, home.lock + ".old")
        home.write("daemon.lock", b"another")
        await clock.advance(process.STATE_CHECK_SECONDS)
        await waiting


HOLD = """
import asyncio, signal, sys
from minikctl.client.home import ClusterHome
from minikctl.daemon import log, process

home = ClusterHome("lab", sys.argv[1])
with process.only_one(home):
    log.log_to(home)
    if sys.argv[2] == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(flush=True)
        signal.pause()

    async def stuck() -> None:
        stop = process.stop_requested()
        print(flush=True)
        await stop.wait()
        process.end_within(0.1)
        await asyncio.create_task(asyncio.Event().wait(), name="what hangs")

    asyncio.run(stuck())
"""


def hold(home: ClusterHome, how: str) -> subprocess.Popen[bytes]:
    """Start a process that holds the cluster and does not end as it should."""
    os.makedirs(home.path, exist_ok=True)
    with open(home.daemon_log, "ab") as log:
        words = [sys.executable, "-c", HOLD, home.root, how]
        found = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log)
    assert found.stdout is not None
    with found.stdout as told:
        told.readline()
    return found


def test_a_control_plane_that_hangs_at_its_end_gives_itself_up(home: ClusterHome) -> None:
    told: list[str] = []
    held = hold(home, "stuck")
    assert launcher.stop(home, told.append)
    assert held.wait(20) == 1
    assert told == []
    log = Path(home.daemon_log).read_text()
    assert "still not at an end after 0 s: " in log
    assert "what hangs" in log


def test_a_control_plane_that_hears_nothing_is_killed(
    home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "STOP_SECONDS", 0.2)
    told: list[str] = []
    held = hold(home, "deaf")
    assert launcher.stop(home, told.append)
    assert held.wait(20) == -9
    assert told == [f"The control plane (pid {held.pid}) did not stop within 0 s: it is killed."]
    assert not launcher.stop(home)


def test_a_control_plane_may_open_as_many_files_as_the_system_lets_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        process.allow_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
