"""What the driver says when its own disk fails; what it does with a proxy is in tests/contract."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import haproxy
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.haproxy import HaproxyContainer, Refused
from tests.fakes.clock import FakeClock


class Judging(FakeEngine):
    """Has the proxy's program refuse everything, as it does when it is killed for lack of memory."""

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        return 137, b"killed"


async def test_a_configuration_in_use_outlives_a_refusal(tmp_path: Path) -> None:
    engine = Judging(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path))
    files = {"haproxy.cfg": "global\n"}
    proxy.keep(files)
    for tried in (files, {"haproxy.cfg": "defaults\n"}):
        with pytest.raises(Refused):
            await proxy.load("container", tried)
    assert proxy.held() == files
    assert len(list(tmp_path.glob("config-*"))) == 1
    await engine.close()


async def test_files_that_cannot_be_written_are_a_failure_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    engine = FakeEngine(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path / "file"))
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        proxy.keep({"haproxy.cfg": ""})
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        await proxy.load("container", {"haproxy.cfg": ""})
    await engine.close()


class Master:
    """A master process: ``moods`` are how it takes the first connections, "ends" or "waits"."""

    def __init__(self, *moods: str) -> None:
        self.moods = list(moods)
        self.reloads = 1
        self.told = 0
        self.over = asyncio.Event()
        self.busy: set[asyncio.Task[None] | None] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.busy.add(asyncio.current_task())
        command = (await reader.read()).decode().strip()
        mood = self.moods.pop(0) if self.moods else ""
        if mood == "waits":
            await self.over.wait()
        elif not mood and command == "reload":
            self.told += 1
            self.reloads += 1
        elif not mood:
            writer.write(f"#<PID> <type> <reloads>\n1 master {self.reloads} [failed: 0] 0d\n".encode())
            writer.write(f"{100 + self.reloads} worker 0 0d\n".encode())
        writer.close()
        await writer.wait_closed()
        self.busy.discard(asyncio.current_task())


@pytest.mark.parametrize("moods", [("ends",), ("waits",), ("", "ends"), ("", "waits"), ("", "", "ends")])
async def test_a_master_that_begins_anew_is_told_again(
    moods: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(haproxy, "AGAIN_SECONDS", 0.2)
    engine, master = FakeEngine(FakeClock()), Master(*moods)
    proxy = HaproxyContainer(engine, str(tmp_path))
    proxy.prepare()
    async with await asyncio.start_unix_server(master.take, str(tmp_path / haproxy.SOCKETS / "master.sock")):
        async with asyncio.timeout(3):
            await proxy.load("container", {"haproxy.cfg": ""}, looked_at=False)
        master.over.set()
        while master.busy:
            await asyncio.sleep(0)
    assert master.told == 1
    await engine.close()


async def test_a_process_that_only_just_begins_or_keeps_silent_is_up(tmp_path: Path) -> None:
    engine = FakeEngine(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path))
    proxy.prepare()
    assert not await proxy.is_up()
    path = tmp_path / haproxy.SOCKETS / "admin.sock"
    with socket.socket(socket.AF_UNIX) as begun:
        begun.bind(str(path))
        assert not await proxy.is_up()  # it is there, and nobody listens
        begun.listen()
        assert await proxy.is_up()
    assert not await proxy.is_up()  # what a process that was killed leaves
    path.unlink()
    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), path)
    assert await proxy.is_up()
    server.close()
    await engine.close()
