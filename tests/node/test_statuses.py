"""How statuses are written: the difference only, the latest only, and nothing from an outdated pod."""

from __future__ import annotations

import asyncio
from typing import Any

from minikctl import errors
from minikctl.model import kinds
from minikctl.model.objects import Object
from minikctl.node.statuses import StatusWriter, is_urgent, merge_patch, newer
from minikctl.runtime.tasks import Tasks
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle
from tests.node.harness import pod


class SlowClient(FakeClient):
    """Takes a turn of the loop for a write, as every real one does."""

    async def patch(self, *args: Any, **more: Any) -> Object:
        await asyncio.sleep(0)
        return await super().patch(*args, **more)


class Writes:
    """A writer and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.client = SlowClient(now=self.clock.now)
        self.tasks = Tasks()
        self.written: list[tuple[Object, bool]] = []
        self.refused: list[str] = []
        self.writer = StatusWriter(
            self.client,
            self.clock,
            self.tasks,
            lambda found, more: self.written.append((found, more)),
            self.refused.append,
        )
        self.pod = self.client.put(pod("web"))

    def offer(self, **status: Any) -> None:
        self.writer.offer(self.pod, {"phase": "Pending", **status})

    @property
    def calls(self) -> int:
        return sum(call[0] == "patch status" for call in self.client.calls)

    @property
    def status(self) -> Object:
        found = self.client.find(kinds.POD, "default", "web")
        assert found is not None
        return dict(found["status"])


async def test_what_nobody_waits_for_is_gathered() -> None:
    writes = Writes()
    writes.offer(hostIP="1")
    await settle()
    writes.offer(hostIP="2")
    await writes.clock.advance(0.05)
    assert writes.calls == 0
    await writes.clock.advance(0.1)
    assert writes.calls == 1
    assert writes.status == {"phase": "Pending", "hostIP": "2"}
    assert [more for _, more in writes.written] == [False]


async def test_what_matters_is_written_at_once() -> None:
    writes = Writes()
    writes.offer(hostIP="1")
    await settle()
    writes.offer(phase="Running")
    await settle()
    assert writes.status["phase"] == "Running"
    assert "hostIP" not in writes.status


async def test_no_difference_is_no_write() -> None:
    writes = Writes()
    writes.offer()
    await writes.clock.advance(1)
    assert writes.calls == 0
    assert len(writes.written) == 1


async def test_what_was_made_from_an_outdated_pod_is_refused() -> None:
    writes = Writes()
    writes.client.put({**writes.pod, "spec": {}})
    writes.offer(phase="Running")
    await settle()
    assert writes.refused == [writes.pod["metadata"]["uid"]]
    assert writes.written == []
    assert writes.status == {"phase": "Pending"}


async def test_a_server_error_is_tried_again_and_others_are_not() -> None:
    writes = Writes()
    found = [
        errors.StatusError(500, "InternalError", "x"),
        errors.StoreError("the disk is full"),
        errors.StatusError(422, "Invalid", "y"),
    ]

    def failing(verb: str, *_: str) -> Exception | None:
        return found.pop(0) if verb == "patch status" and found else None

    writes.client.failures.append(failing)
    writes.offer(phase="Running")
    await settle()
    assert writes.calls == 1
    await writes.clock.advance(1)
    assert writes.calls == 2
    await writes.clock.advance(1)
    assert writes.calls == 3
    assert writes.refused == [writes.pod["metadata"]["uid"]]
    writes.offer(phase="Running")
    await writes.writer.flush(writes.pod["metadata"]["uid"])
    assert writes.status["phase"] == "Running"


async def test_flush_waits_for_what_was_offered() -> None:
    writes = Writes()
    await writes.writer.flush("nobody")
    writes.offer(hostIP="1")
    await writes.writer.flush(writes.pod["metadata"]["uid"])
    assert writes.status["hostIP"] == "1"


async def test_a_second_write_builds_on_the_first() -> None:
    writes = Writes()
    writes.offer(phase="Running", hostIP="1")
    await settle(1)
    writes.offer(phase="Running", hostIP="2")
    await writes.clock.advance(1)
    assert writes.status == {"phase": "Running", "hostIP": "2"}
    assert writes.refused == []


def test_the_difference() -> None:
    old = {"a": 1, "b": {"c": 1, "d": 2}, "e": [1], "f": 1}
    new = {"a": 1, "b": {"c": 1, "d": 3}, "e": [1, 2], "g": 1}
    assert merge_patch(old, new) == {"b": {"d": 3}, "e": [1, 2], "f": None, "g": 1}
    assert merge_patch(old, old) == {}


def test_the_newer_of_two() -> None:
    one, two = {"metadata": {"resourceVersion": "1"}}, {"metadata": {"resourceVersion": "2"}}
    assert newer(one, None) is one
    assert newer(one, two) is two
    assert newer(two, one) is two


def test_what_is_urgent() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert is_urgent({"phase": "Pending"}, {"phase": "Running"})
    assert is_urgent({}, ready)
    assert is_urgent(ready, {})
    assert not is_urgent({}, {"conditions": [{"type": "Ready", "status": "False"}]})
