from __future__ import annotations

import ipaddress
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import subnets
from minikctl.drivers import ownership
from minikctl.drivers.engine import Network
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.routes import Route
from tests.fakes.clock import FakeClock

SETTINGS = ClusterSettings("lab")
STATE = "/somewhere/clusters/lab"


class FakeRoutes:
    """Fits ``Routes``: the routes that a test gives, of which the longest prefix counts, then the first."""

    def __init__(self, *found: tuple[str, int, bool]) -> None:
        self.found = [Route(ipaddress.IPv4Network(text), number, local) for text, number, local in found]

    def all(self) -> list[Route]:
        return self.found

    def interface(self, address: str) -> int:
        at = ipaddress.IPv4Address(address)
        fitting = [route for route in self.found if at in route.subnet]
        return max(fitting, key=lambda route: route.subnet.prefixlen).interface if fitting else 0


@pytest.fixture
def routes() -> FakeRoutes:
    return FakeRoutes(("192.168.0.0/24", 2, False), ("10.201.0.0/16", 3, False), ("10.202.0.9/32", 1, True))


BRIDGE = [("10.202.0.1/32", 7, True), ("10.202.0.0/20", 7, False)]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], ""),
        ([("10.0.0.0/8", 1, False), ("10.203.0.0/24", 1, False)], ""),
        ([("10.202.3.0/24", 1, False)], "this machine's route to 10.202.3.0/24 leads to lo, "),
        ([("10.202.3.4/32", 0, False)], "this machine's route to 10.202.3.4/32 leads to nowhere, "),
        ([("10.202.8.0/21", 1, False)], "this machine's route to 10.202.0.0/20 leads to lo, "),
    ],
)
def test_a_route_that_leads_past_pods_is_told(others: list[tuple[str, int, bool]], said: str) -> None:
    network = Network("n", "minikctl-lab", "10.202.0.0/20", "10.202.0.1", {})
    found = subnets.collision(FakeRoutes(*BRIDGE, *others), network)
    assert found.startswith(said)
    assert bool(found) is bool(said)
    assert subnets.collision(FakeRoutes(*others), network) == "", "it is no bridge of this machine"


def test_the_first_range_that_nobody_has() -> None:
    taken = [ipaddress.IPv4Network("10.201.0.0/16"), ipaddress.IPv4Network("10.202.8.0/24")]
    assert str(next(subnets.free(taken))) == "10.203.0.0/20"
    assert list(subnets.free([ipaddress.IPv4Network("10.0.0.0/8")])) == []


@pytest.mark.parametrize(("text", "known"), [("10.1.2.3/16", True), ("", False), ("fd00::/64", False)])
def test_only_ipv4_counts(text: str, known: bool) -> None:
    assert (subnets.parsed(text) is not None) is known


async def test_clusters_get_ranges_of_their_own_and_find_them_again(routes: FakeRoutes) -> None:
    engine = FakeEngine(FakeClock())
    first = await subnets.ensure(engine, SETTINGS, STATE, routes)
    assert (first.name, first.subnet, first.labels) == (
        "minikctl-lab",
        "10.202.0.0/20",
        ownership.labels("lab", STATE),
    )
    assert await subnets.ensure(engine, SETTINGS, STATE, routes) == first
    other = await subnets.ensure(engine, replace(SETTINGS, name="other"), STATE, routes)
    assert other.subnet == "10.203.0.0/20"


async def test_a_range_that_the_user_chose(routes: FakeRoutes) -> None:
    engine = FakeEngine(FakeClock())
    chosen = replace(SETTINGS, pod_cidr="10.99.0.0/24")
    assert (await subnets.ensure(engine, chosen, STATE, routes)).subnet == "10.99.0.0/24"
    with pytest.raises(errors.DriverError, match="overlap"):
        await subnets.ensure(engine, replace(chosen, name="other"), STATE, routes)


async def test_a_range_that_turns_out_to_be_taken_is_passed_over(routes: FakeRoutes) -> None:
    engine = FakeEngine(FakeClock())
    engine.fail("create_network", errors.DriverError("Pool overlaps with other one on this address space"))
    assert (await subnets.ensure(engine, SETTINGS, STATE, routes)).subnet == "10.203.0.0/20"


async def test_an_engine_that_goes_away_is_no_reason_to_try_others(routes: FakeRoutes) -> None:
    engine = FakeEngine(FakeClock())
    engine.fail("create_network", errors.EngineUnavailable("gone"))
    with pytest.raises(errors.EngineUnavailable):
        await subnets.ensure(engine, SETTINGS, STATE, routes)


async def test_a_cluster_of_that_name_with_other_state_is_refused_while_that_is_there(
    routes: FakeRoutes, tmp_path: Path
) -> None:
    engine = FakeEngine(FakeClock())
    (tmp_path / "store.db").touch()
    made = await subnets.ensure(engine, SETTINGS, str(tmp_path), routes)
    with pytest.raises(errors.DriverError, match=f'a cluster "lab", with its state in {tmp_path}'):
        await subnets.ensure(engine, SETTINGS, STATE, routes)
    assert (await subnets.ensure(engine, SETTINGS, str(tmp_path), routes)) == made
    (tmp_path / "store.db").unlink()
    assert (await subnets.ensure(engine, SETTINGS, STATE, routes)) == made


async def test_a_cluster_of_that_name_that_runs_elsewhere_is_refused_wherever_it_was_made(
    routes: FakeRoutes, tmp_path: Path
) -> None:
    engine = FakeEngine(FakeClock())
    made = await subnets.ensure(engine, SETTINGS, STATE, routes, [str(tmp_path)])
    assert await subnets.ensure(engine, SETTINGS, STATE, routes, [str(tmp_path)]) == made, "it has no state"
    (tmp_path / "store.db").touch()
    with pytest.raises(errors.DriverError, match=f'a cluster "lab", with its state in {tmp_path}'):
        await subnets.ensure(engine, SETTINGS, STATE, routes, [str(tmp_path)])


async def test_a_cluster_of_another_user_is_refused_though_its_state_cannot_be_looked_at(
    routes: FakeRoutes, tmp_path: Path
) -> None:
    engine = FakeEngine(FakeClock())
    state = tmp_path / "closed" / "lab"
    state.mkdir(parents=True)
    await subnets.ensure(engine, SETTINGS, str(state), routes)
    with nobody(state.parent), pytest.raises(errors.DriverError, match=f"with its state in {state}"):
        await subnets.ensure(engine, SETTINGS, STATE, routes)


@contextmanager
def nobody(place: Path) -> Iterator[None]:
    """Be somebody who may not look into a directory; root may everywhere."""
    who = os.geteuid()
    place.chmod(0)
    if not who:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(who)
        place.chmod(0o700)


async def test_a_simulated_cluster_has_room_for_a_million_pods(routes: FakeRoutes) -> None:
    made = await subnets.ensure(FakeEngine(FakeClock()), replace(SETTINGS, runtime="sim"), STATE, routes)
    assert made.subnet == subnets.SIMULATED
