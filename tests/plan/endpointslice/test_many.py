from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Create, Update
from minikctl.plan import endpointslice
from tests.plan import shorthand
from tests.plan.planners import ENDPOINT_SLICE
from tests.plan.world import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(number: int) -> dict[str, Any]:
    """Return a ready pod with an address of its own."""
    fields = {"name": f"p{number:04}", "ip": f"10.0.{number // 250}.{number % 250}", "ready": 5}
    return shorthand.expand({"pod": fields}, NOW)


def world_of(count: int) -> World:
    """Return a Service with that many pods."""
    given = [
        shorthand.expand({short: {"name": name}}, NOW)
        for short, name in (("service", "web"), ("node", "one"))
    ]
    return World([*given, *map(pod, range(count))], NOW)


def plan(world: World) -> int:
    """Plan and apply once; return how many actions it took."""
    view = ENDPOINT_SLICE.view(world, {})
    found = endpointslice.desired(view, NOW)
    world.apply(kinds.SERVICE, view.object, found)
    return len(found.actions)


def addresses(world: World) -> list[list[str]]:
    """Return the addresses of each slice."""
    slices = world.of(kinds.ENDPOINT_SLICE).items()
    return [[each["addresses"][0] for each in found["endpoints"]] for found in slices]


def test_a_slice_has_at_most_a_hundred_endpoints() -> None:
    world = world_of(250)
    assert plan(world) == 3
    assert sorted(map(len, addresses(world))) == [50, 100, 100]
    assert plan(world) == 0


def test_one_more_pod_changes_one_slice() -> None:
    world = world_of(250)
    plan(world)
    world.put(pod(250))
    view = ENDPOINT_SLICE.view(world, {})
    (action,) = endpointslice.desired(view, NOW).actions
    assert isinstance(action, Update)


def test_full_slices_make_a_new_one() -> None:
    world = world_of(200)
    plan(world)
    world.put(pod(200))
    view = ENDPOINT_SLICE.view(world, {})
    (action,) = endpointslice.desired(view, NOW).actions
    assert isinstance(action, Create)
    assert objects.name(action.object) not in {objects.name(each) for each in view.slices}


@pytest.mark.parametrize(("kept", "chosen"), [((95, 60), 60), ((90, 50), 90)])
def test_new_pods_join_the_fullest_slice_that_has_room_for_all(kept: tuple[int, int], chosen: int) -> None:
    world = world_of(200)
    plan(world)
    for number, names in enumerate(sorted(addresses(world))):
        for address in names[kept[number] :]:
            _, _, high, low = map(int, address.split("."))
            world.remove(kinds.POD, "default", f"p{high * 250 + low:04}")
    plan(world)
    assert sorted(map(len, addresses(world))) == sorted(kept)
    for number in range(200, 210):
        world.put(pod(number))
    assert plan(world) == 1
    assert sorted(map(len, addresses(world))) == sorted([chosen + 10, sum(kept) - chosen])


@settings(max_examples=8, deadline=None)
@given(
    before=st.integers(0, 130),
    gone=st.sets(st.integers(0, 129), max_size=60),
    unready=st.sets(st.integers(0, 129), max_size=20),
    added=st.integers(0, 80),
)
def test_every_pod_is_in_one_slice_whatever_changed(
    before: int, gone: set[int], unready: set[int], added: int
) -> None:
    world = world_of(before)
    plan(world)
    for number in range(before):
        if number in gone:
            world.remove(kinds.POD, "default", f"p{number:04}")
        elif number in unready:
            unready_pod = pod(number)
            world.put({**unready_pod, "status": {**unready_pod["status"], "conditions": []}})
    for number in range(before, before + added):
        world.put(pod(number))
    plan(world)
    found = addresses(world)
    assert all(len(each) <= 100 for each in found)
    present = [objects.status(each)["podIP"] for each in world.of(kinds.POD).items()]
    assert sorted(address for each in found for address in each) == sorted(present)
    assert plan(world) == 0
