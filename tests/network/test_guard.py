"""What others change in a namespace is heard of and put right."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

from minikctl.network.guard import AGAIN_SECONDS, Guard
from minikctl.plan import netpol
from tests.fakes.clock import settle
from tests.network.test_sync import OTHER, POD, World, attached, world  # noqa: F401 - a fixture
from tests.packets.tracer import Table

A_POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"namespace": "default", "name": "closed"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


@pytest_asyncio.fixture
async def guarded(world: World) -> AsyncIterator[World]:  # noqa: F811
    """Two pods with rules, listened to."""
    await attached(world, POD, OTHER)
    task = asyncio.create_task(Guard(world.netns, world.sync, world.clock).run())
    await settle()
    world.netns.batches.clear()
    yield world
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def heard(world: World, table: str = "minikctl", place: str = "pod-1") -> None:  # noqa: F811
    world.netns.heard.put_nowait((place, table))
    await settle()
    await world.clock.advance(0.1)
    await settle()


def written(world: World) -> list[str]:  # noqa: F811
    return [change.sandbox for batch in world.netns.batches for change in batch if change.ruleset]


async def test_what_was_deleted_is_back_at_once_and_nothing_else_is_written(guarded: World) -> None:
    guarded.netns.tables["pod-1"] = Table()
    await heard(guarded)
    assert guarded.fate(POD) == "10.1.0.2"
    assert written(guarded) == ["pod-1"]


async def test_an_element_that_was_deleted_is_back(guarded: World) -> None:
    guarded.netns.tables["pod-1"].maps["services"].clear()
    await heard(guarded)
    assert guarded.fate(POD) == "10.1.0.2"


async def test_where_more_happened_than_was_heard_all_is_written(guarded: World) -> None:
    guarded.netns.tables["pod-2"] = Table()
    await heard(guarded, "", "pod-2")
    assert guarded.fate(OTHER) == "10.1.0.2"
    assert written(guarded) == ["pod-2"]


async def test_routes_are_made_anew_where_they_may_be_gone_and_nowhere_else(guarded: World) -> None:
    for commands in guarded.netns.commands.values():
        commands.clear()
    await heard(guarded)
    assert guarded.netns.commands["pod-1"] == []
    await heard(guarded, "")
    assert guarded.netns.commands["pod-1"]
    assert guarded.netns.commands["pod-2"] == []


async def test_tables_and_namespaces_of_others_are_no_reason_to_write(guarded: World) -> None:
    await heard(guarded, "nat")
    await heard(guarded, place="a stranger")
    assert guarded.netns.batches == []


async def test_what_changes_while_rules_are_written_is_put_right_after(guarded: World) -> None:
    guarded.serve("web", "10.1.0.3")
    await settle()
    for _ in range(3):
        guarded.netns.heard.put_nowait(("pod-1", "minikctl"))
    await settle()
    guarded.netns.tables["pod-1"] = Table()
    await heard(guarded)
    assert guarded.fate(POD) == "10.1.0.3"


async def test_a_policy_that_was_deleted_is_back(guarded: World) -> None:
    guarded.client.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "one"}}
    )
    guarded.client.put(A_POLICY)
    await settle()
    await guarded.clock.advance(1)
    before = guarded.netns.policies["pod-1"].chains
    assert before
    guarded.netns.policies["pod-1"] = Table(name=netpol.TABLE)
    await heard(guarded, netpol.TABLE)
    assert guarded.netns.policies["pod-1"].chains == before


async def test_an_agent_that_comes_back_is_listened_to_and_all_is_written_anew(guarded: World) -> None:
    guarded.netns.available = False
    guarded.netns.heard.put_nowait(None)
    await settle()
    guarded.netns.tables["pod-1"] = Table()
    await guarded.clock.advance(AGAIN_SECONDS)
    assert guarded.netns.listeners == 1
    guarded.netns.available = True
    for _ in range(30):
        await guarded.clock.advance(0.2)
        await settle()
    assert guarded.netns.listeners == 2
    assert guarded.fate(POD) == "10.1.0.2"
