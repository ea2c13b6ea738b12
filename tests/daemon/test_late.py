from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from minikctl import errors
from minikctl.daemon.late import LateStreams
from minikctl.drivers.engine import ExecOptions, LogOptions
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.fake_relay import FakeRelay
from minikctl.node.streams import EngineStreams
from tests.fakes.clock import FakeClock, settle

POD = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}}


def wishes(late: LateStreams) -> list[Coroutine[Any, Any, Any]]:
    async def log() -> bytes:
        return await anext(aiter(late.logs(POD, "c", False, LogOptions())))

    async def forward() -> None:
        async with late.forwarding():
            await late.connect(POD, 80)

    return [
        log(),
        late.exec(POD, "c", ["ls"], ExecOptions()),
        late.attach(POD, "c", stdin=False),
        forward(),
        late.connect(POD, 80),
    ]


async def test_a_node_that_does_not_come_is_not_waited_for_for_ever() -> None:
    for wish in wishes(LateStreams(patience=0.01)):
        with pytest.raises(errors.StatusError, match="the node is still starting") as refused:
            await wish
        assert refused.value.code == 503


async def test_requests_before_the_node_is_there_wait_for_it() -> None:
    late = LateStreams()
    waiting = [asyncio.create_task(wish) for wish in wishes(late)]
    await settle()
    assert not any(task.done() for task in waiting)
    late.set(EngineStreams(FakeEngine(FakeClock()), "lab", FakeRelay()))
    for task in waiting:
        with pytest.raises(errors.NoSuchContainer):
            await task


async def test_then_the_node_answers_at_once() -> None:
    late = LateStreams(patience=0)
    late.set(EngineStreams(FakeEngine(FakeClock()), "lab", FakeRelay()))
    for wish in wishes(late):
        with pytest.raises(errors.NoSuchContainer):
            await wish
