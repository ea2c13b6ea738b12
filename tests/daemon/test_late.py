from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.daemon.late import LateStreams
from minikctl.drivers.engine import ExecOptions, LogOptions
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.fake_relay import FakeRelay
from minikctl.node.streams import EngineStreams
from tests.fakes.clock import FakeClock

POD = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}}


async def test_before_the_node_is_there_it_says_so() -> None:
    late = LateStreams()
    for wish in (
        anext(aiter(late.logs(POD, "c", False, LogOptions()))),
        late.exec(POD, "c", ["ls"], ExecOptions()),
        late.attach(POD, "c", stdin=False, tty=False),
        late.connect(POD, 80),
    ):
        with pytest.raises(errors.StatusError, match="the node is still starting") as refused:
            await wish
        assert refused.value.code == 503


async def test_then_the_node_answers() -> None:
    late = LateStreams()
    late.target = EngineStreams(FakeEngine(FakeClock()), "lab", FakeRelay())
    for wish in (
        anext(aiter(late.logs(POD, "c", False, LogOptions()))),
        late.exec(POD, "c", ["ls"], ExecOptions()),
        late.attach(POD, "c", stdin=False, tty=False),
        late.connect(POD, 80),
    ):
        with pytest.raises(errors.NoSuchContainer):
            await wish
