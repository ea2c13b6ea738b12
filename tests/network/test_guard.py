"""Tables that somebody deletes in a namespace are missed and written again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest_asyncio

from minikctl.network.guard import CHAINS, GATHER_SECONDS, LOOK_SECONDS, Guard
from minikctl.plan import netpol, proxy, publisher
from tests.fakes.clock import settle
from tests.network.test_sync import OTHER, POD, World, attached, world  # noqa: F401 - a fixture
from tests.packets.tracer import Table
from tests.plan.proxy.cases import FACTS, endpoint_slice, service

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
    yield world
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def heard(world: World, table: str = "minikctl") -> None:  # noqa: F811
    world.netns.watches[-1].heard.put_nowait(table)
    await settle()
    for _ in range(4):
        await world.clock.advance(GATHER_SECONDS)
        await settle()


async def test_what_was_deleted_is_back_at_once_and_nothing_else_is_written(guarded: World) -> None:
    guarded.netns.tables["pod-1"] = Table()
    guarded.netns.batches.clear()
    await heard(guarded)
    assert guarded.fate(POD) == "10.1.0.2"
    assert [change.sandbox for batch in guarded.netns.batches for change in batch if change.ruleset] == [
        "pod-1"
    ]


async def test_a_chain_that_was_emptied_is_filled_again(guarded: World) -> None:
    guarded.netns.tables["pod-1"].chains["nat-output"].clear()
    await heard(guarded)
    assert guarded.fate(POD) == "10.1.0.2"


def test_the_chains_at_all_hooks_are_listened_to() -> None:
    web, pieces = service("a"), [endpoint_slice("a", "10.1.0.2")]
    rules = (
        proxy.compile_pods([web], pieces, FACTS).ruleset,
        publisher.compile_rules(web, pieces).ruleset,
    )
    hooked = {name for each in rules for name, chain in each.chains.items() if chain.hook}
    assert hooked | {"ingress", "egress"} == CHAINS
    assert all(netpol.base_chain(direction).hook for direction in ("Ingress", "Egress"))


async def test_our_own_writing_is_no_reason_to_write_again(guarded: World) -> None:
    guarded.netns.batches.clear()
    await heard(guarded)
    assert not any(change.ruleset for batch in guarded.netns.batches for change in batch)


async def test_tables_of_others_are_no_reason_to_look(guarded: World) -> None:
    guarded.netns.batches.clear()
    await heard(guarded, "nat")
    assert guarded.netns.batches == []


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


async def test_namespaces_are_followed_as_they_come_and_go(guarded: World) -> None:
    watch = guarded.netns.watches[-1]
    assert watch.places == {("pod-1", 101), ("pod-2", 102)}
    guarded.sync.suspect()
    await watch.follow(guarded.sync.places())
    assert watch.places == {("pod-1", 101), ("pod-2", 102)}, "nobody stops listening to write anew"
    guarded.sync.forget("pod-2")
    await guarded.clock.advance(LOOK_SECONDS)
    assert watch.places == {("pod-1", 101)}


async def test_an_agent_that_comes_back_is_listened_to_and_what_was_missed_is_found(guarded: World) -> None:
    guarded.netns.available = False
    guarded.netns.watches[-1].heard.put_nowait(None)
    await settle()
    guarded.netns.tables["pod-1"] = Table()
    await guarded.clock.advance(LOOK_SECONDS)
    assert len(guarded.netns.watches) == 1
    guarded.netns.available = True
    for _ in range(30):
        await guarded.clock.advance(GATHER_SECONDS)
        await settle()
    assert len(guarded.netns.watches) == 2
    assert guarded.fate(POD) == "10.1.0.2"
