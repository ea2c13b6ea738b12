from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from minikctl import errors
from minikctl.apiserver import cache
from minikctl.apiserver.expiry import expire_events
from minikctl.apiserver.registry import Registry, Settings
from minikctl.model import kinds, objects
from minikctl.store.store import Store
from tests.apiserver.samples import Object
from tests.fakes.clock import FakeClock


def event(name: str, last: str) -> Object:
    about = {"kind": "Pod", "namespace": "default", "name": "web"}
    return {
        "metadata": {"name": name},
        "involvedObject": about,
        "lastTimestamp": last,
        "reason": "R",
        "type": "Normal",
    }


async def test_events_are_kept_for_an_hour_after_they_were_last_seen(store: Store) -> None:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    expiring = asyncio.create_task(expire_events(registry))
    await registry.create(kinds.EVENT, "default", event("old", objects.timestamp(clock.now())))
    await clock.advance(1800)
    await registry.create(kinds.EVENT, "default", event("new", objects.timestamp(clock.now())))
    await clock.advance(1900)
    async with asyncio.timeout(20):
        while len(registry.list(kinds.EVENT, "").entries) > 1:
            await asyncio.sleep(0.01)
    assert [entry.key for entry in registry.list(kinds.EVENT, "").entries] == [("default", "new")]
    expiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiring
    await registry.close()


async def test_an_event_from_a_clock_that_is_ahead_is_kept_for_an_hour_after_it_was_written(
    store: Store,
) -> None:
    clock = FakeClock(datetime.now(UTC))
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    expiring = asyncio.create_task(expire_events(registry))
    tomorrow = objects.timestamp(clock.now() + timedelta(days=1))
    await registry.create(kinds.EVENT, "default", event("ahead", tomorrow))
    await clock.advance(3500)
    await asyncio.sleep(0.1)
    assert len(registry.list(kinds.EVENT, "").entries) == 1
    async with asyncio.timeout(20):
        while registry.list(kinds.EVENT, "").entries:
            await clock.advance(60)  # again and again: who reads the store is not asleep meanwhile
            await asyncio.sleep(0.01)
    assert 3590 < clock.monotonic() < 12 * 3600
    expiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiring
    await registry.close()


async def test_what_a_busy_time_left_is_given_up_later_and_waiting_watches_go_on() -> None:
    changes = cache.Collection(0)
    for number in range(1, 301):
        changes.apply(number, ("default", f"m{number}"), {"metadata": {"name": f"m{number}"}})
    waiting = asyncio.create_task(changes.changed(5, ("other", "")))
    await asyncio.sleep(0)
    changes.settle()
    await waiting  # whoever waits for something else looks up in time, and is not behind at the next call
    assert len(changes.since(changes.position(0))) == 300
    changes.apply(301, ("default", "late"), {"metadata": {"name": "late"}})
    changes.settle()
    assert len(changes.since(changes.position(201))) == cache.KEPT_IN_PEACE
    with pytest.raises(errors.StatusError, match="too old resource version: 200"):
        changes.position(200)
    changes.settle()
    changes.settle()
    assert len(changes.since(changes.position(201))) == cache.KEPT_IN_PEACE


async def test_nothing_keeps_old_events_and_nobody_is_asked(store: Store) -> None:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    held = event("held", objects.timestamp(clock.now()))
    held["metadata"]["finalizers"] = ["example.com/held"]
    await registry.create(kinds.EVENT, "default", held)
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["DELETE"]}
    hook = {
        "name": "never.example.com",
        "rules": [rule],
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    configuration = {"metadata": {"name": "never"}, "webhooks": [hook]}
    await registry.create(kinds.VALIDATING_WEBHOOKS, "", configuration)
    expiring = asyncio.create_task(expire_events(registry))
    await clock.advance(3700)
    async with asyncio.timeout(20):
        while registry.list(kinds.EVENT, "").entries and not expiring.done():
            await asyncio.sleep(0.01)
    assert not expiring.done()
    expiring.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await expiring
    await registry.close()
