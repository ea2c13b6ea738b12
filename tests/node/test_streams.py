"""Logs, exec and attach of a pod's containers."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers.engine import ContainerSpec, ExecOptions, LogOptions
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.fake_relay import FakeRelay
from minikctl.drivers.fake_session import FakeSession
from minikctl.node.streams import EngineStreams
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock


async def attempt(engine: FakeEngine, number: int, *, ended: bool = False) -> str:
    labels = {
        names.CLUSTER: "test",
        names.POD_UID: "u",
        names.CONTAINER: "app",
        names.ATTEMPT: str(number),
    }
    made = await engine.create(ContainerSpec(f"app-{number}", "demo:1", labels))
    await engine.start(made)
    engine.write_log(made, f"run {number}\n".encode())
    if ended:
        engine.finish(made, 1)
    return made


def pod(current: str = "", last: str = "", *, running: bool = True) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": "app", "state": {"running": {}} if running else {"waiting": {}}}
    if current:
        entry["containerID"] = f"docker://{current}"
    if last:
        entry["lastState"] = {"terminated": {"containerID": f"docker://{last}"}}
    return {"metadata": {"name": "web", "uid": "u"}, "status": {"containerStatuses": [entry]}}


async def read(streams: EngineStreams, wanted: dict[str, Any], *, previous: bool = False) -> str:
    found = streams.logs(wanted, "app", previous, LogOptions())
    return b"".join([chunk async for chunk in found]).decode()


async def test_streams() -> None:
    engine = FakeEngine(FakeClock())
    streams = EngineStreams(engine, "test", FakeRelay())
    old = await attempt(engine, 0, ended=True)
    with pytest.raises(errors.NoSuchContainer, match=r'container not found \("app"\)'):
        await streams.exec(pod(old, running=False), "app", ["true"], ExecOptions())
    assert await read(streams, pod(running=False)) == "run 0\n"
    new = await attempt(engine, 1)
    assert await read(streams, pod(new, old)) == "run 1\n"
    assert await read(streams, pod(new, old), previous=True) == "run 0\n"
    assert await read(streams, {"metadata": {"name": "web", "uid": "u"}}) == "run 1\n"
    for wanted in (pod(new), pod(running=False)):
        session = await streams.exec(wanted, "app", ["sh", "-c", "echo hi"], ExecOptions())
        assert [data async for _, data in session.output()] == [b"hi\n"]
        await session.close()
    session = await streams.attach(pod(new), "app", stdin=False)
    await session.close()
    with pytest.raises(
        errors.NoSuchContainer, match='previous terminated container "app" in pod "web" not found'
    ):
        await read(streams, pod(new), previous=True)
    with pytest.raises(errors.NoSuchContainer, match=r'^container "app" in pod "web" not found'):
        await read(streams, {"metadata": {"name": "web", "uid": "none"}})
    await engine.close()


class Asked(FakeEngine):
    """An engine that notes which attached containers are said to have a terminal."""

    terminals: list[bool]

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> FakeSession:
        self.terminals.append(tty)
        return await super().attach(container_id, stdin=stdin, tty=tty)


async def test_what_a_container_with_a_terminal_says_is_read_as_such_whoever_asks() -> None:
    engine = Asked(FakeClock())
    engine.terminals = []
    streams = EngineStreams(engine, "test", FakeRelay())
    wanted = pod(await attempt(engine, 0))
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for has in (True, False):
            told = wanted | {
                "spec": {field: [{"name": "other", "tty": not has}, {"name": "app", "tty": has}]}
            }
            await (await streams.attach(told, "app", stdin=False)).close()
    assert engine.terminals == [True, False] * 3
    await engine.close()
