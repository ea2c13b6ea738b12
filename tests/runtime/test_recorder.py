from __future__ import annotations

import asyncio

import pytest

from minikctl import errors
from minikctl.model import kinds
from minikctl.model.actions.api import RecordEvent
from minikctl.runtime.recorder import QUEUE_SIZE, Recorder, reference
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "default", "uid": "1", "resourceVersion": "7"},
}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n" * 253, "uid": "n"}}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(clock: FakeClock) -> FakeClient:
    return FakeClient(now=clock.now)


def event(message: str = "m", **fields: str) -> RecordEvent:
    """Return an occurrence."""
    return RecordEvent(POD, "Normal", "Started", message, "kubelet", **fields)


async def test_the_first_occurrence_is_a_new_event(client: FakeClient, clock: FakeClock) -> None:
    recorder = Recorder(client, clock, host="one")
    await recorder.write(event(field_path="spec.containers{main}"))
    (found,) = client.all(kinds.EVENT)
    assert found["metadata"]["name"].startswith("a.")
    expected = {
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "default",
            "name": "a",
            "uid": "1",
            "resourceVersion": "7",
            "fieldPath": "spec.containers{main}",
        },
        "type": "Normal",
        "reason": "Started",
        "message": "m",
        "source": {"component": "kubelet", "host": "one"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
        "reportingComponent": "kubelet",
        "reportingInstance": "one",
    }
    assert {name: found.get(name) for name in expected} == expected


async def test_equal_occurrences_raise_the_count(client: FakeClient, clock: FakeClock) -> None:
    recorder = Recorder(client, clock)
    await recorder.write(event())
    await clock.advance(60)
    await recorder.write(event())
    await recorder.write(event("other"))
    counts = sorted(
        (each["message"], each["count"], each["lastTimestamp"]) for each in client.all(kinds.EVENT)
    )
    assert counts == [("m", 2, "2026-01-01T00:01:00Z"), ("other", 1, "2026-01-01T00:01:00Z")]
    assert "host" not in client.all(kinds.EVENT)[0]["source"]


async def test_an_event_that_was_removed_is_made_again(client: FakeClient, clock: FakeClock) -> None:
    recorder = Recorder(client, clock)
    await recorder.write(event())
    (found,) = client.all(kinds.EVENT)
    client.remove(kinds.EVENT, "default", found["metadata"]["name"])
    await recorder.write(event())
    (again,) = client.all(kinds.EVENT)
    assert again["count"] == 1


async def test_cluster_scoped_objects_have_their_events_in_default(
    client: FakeClient, clock: FakeClock
) -> None:
    await Recorder(client, clock).write(RecordEvent(NODE, "Normal", "Ready", "m", "kubelet"))
    (found,) = client.all(kinds.EVENT)
    assert found["metadata"]["namespace"] == "default"
    assert len(found["metadata"]["name"]) == 253
    assert "namespace" not in found["involvedObject"]


async def test_failures_lose_the_event_and_nothing_else(
    client: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(client, clock)
    refusals: list[Exception | None] = [
        ValueError("broken"),
        errors.not_found("namespaces", "", "default"),
        None,
    ]
    client.failures.append(lambda *_: refusals.pop(0))
    task = asyncio.create_task(recorder.run())
    for message in ("one", "two", "three"):
        recorder.record(event(message))
    await recorder.drain()
    task.cancel()
    assert [each["message"] for each in client.all(kinds.EVENT)] == ["three"]
    assert "'one' is lost: broken" in caplog.text
    assert "'two'" not in caplog.text, "an event about what is gone is missed by nobody"


async def test_a_count_that_is_refused_is_a_failure(client: FakeClient, clock: FakeClock) -> None:
    recorder = Recorder(client, clock)
    await recorder.write(event())
    client.failures.append(lambda *_: errors.bad_request("no"))
    with pytest.raises(errors.StatusError):
        await recorder.write(event())


async def test_too_many_waiting_events_are_dropped(
    client: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(client, clock)
    for _ in range(QUEUE_SIZE + 1):
        recorder.record(event())
    assert "too many events" in caplog.text


async def test_a_flood_is_not_written(client: FakeClient, clock: FakeClock) -> None:
    recorder = Recorder(client, clock)
    for _ in range(40):
        await recorder.write(event())
    (found,) = client.all(kinds.EVENT)
    assert found["count"] == 25


def test_a_reference_names_only_what_is_known() -> None:
    assert reference({"kind": "Pod", "metadata": {"name": "a"}}) == {"kind": "Pod", "name": "a"}
