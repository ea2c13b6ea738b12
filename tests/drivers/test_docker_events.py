"""What the engine tells of a container's end, and when."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import docker


async def test_a_container_whose_end_overtakes_its_lack_of_memory_is_known_by_the_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = docker.DockerEngine("c")
    state = {"Status": "exited", "ExitCode": 137, "OOMKilled": False}

    async def inspected(*_: object, **__: object) -> Any:
        return {"Id": "a", "State": state}

    async def stream(_: object) -> AsyncIterator[bytes]:
        for action in ("oom", "destroy"):
            yield (
                b'{"Action": "%s", "Actor": {"ID": "a", "Attributes": {}}, "timeNano": 1}\n' % action.encode()
            )

    monkeypatch.setattr(engine, "_call", inspected)
    monkeypatch.setattr(engine._connection, "stream", stream)
    found = await engine.inspect("a")
    seen = [found is not None and found.oom_killed]
    with contextlib.suppress(errors.EngineUnavailable):  # the stream ends
        async for _event in engine.events({}):
            found = await engine.inspect("a")
            seen.append(found is not None and found.oom_killed)
    assert seen == [False, True, False]
