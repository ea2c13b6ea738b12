from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import subnets
from minikctl.drivers import ownership
from minikctl.drivers.fake_engine import FakeEngine
from tests.fakes.clock import FakeClock

SETTINGS = ClusterSettings("lab")
STATE = "/somewhere/clusters/lab"

ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100A8C0	0003	0	0	0	00000000	0	0	0
eth0	0000A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000C90A	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


@pytest.fixture
def routes(tmp_path: Path) -> str:
    path = tmp_path / "route"
    path.write_text(ROUTES)
    return str(path)


def test_routes_of_the_host_are_read(routes: str) -> None:
    assert [str(each) for each in subnets.host_routes(routes)] == ["192.168.0.0/24", "10.201.0.0/16"]
    assert subnets.host_routes("/nonexistent") == []


def test_the_first_range_that_nobody_has() -> None:
    taken = [ipaddress.IPv4Network("10.201.0.0/16"), ipaddress.IPv4Network("10.202.8.0/24")]
    assert str(next(subnets.free(taken))) == "10.203.0.0/20"
    assert list(subnets.free([ipaddress.IPv4Network("10.0.0.0/8")])) == []


@pytest.mark.parametrize(("text", "known"), [("10.1.2.3/16", True), ("", False), ("fd00::/64", False)])
def test_only_ipv4_counts(text: str, known: bool) -> None:
    assert (subnets.parsed(text) is not None) is known


async def test_clusters_get_ranges_of_their_own_and_find_them_again(routes: str) -> None:
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


async def test_a_range_that_the_user_chose(routes: str) -> None:
    engine = FakeEngine(FakeClock())
    chosen = replace(SETTINGS, pod_cidr="10.99.0.0/24")
    assert (await subnets.ensure(engine, chosen, STATE, routes)).subnet == "10.99.0.0/24"
    with pytest.raises(errors.DriverError, match="overlap"):
        await subnets.ensure(engine, replace(chosen, name="other"), STATE, routes)


async def test_a_range_that_turns_out_to_be_taken_is_passed_over(routes: str) -> None:
    engine = FakeEngine(FakeClock())
    engine.fail("create_network", errors.DriverError("Pool overlaps with other one on this address space"))
    assert (await subnets.ensure(engine, SETTINGS, STATE, routes)).subnet == "10.203.0.0/20"


async def test_an_engine_that_goes_away_is_no_reason_to_try_others(routes: str) -> None:
    engine = FakeEngine(FakeClock())
    engine.fail("create_network", errors.EngineUnavailable("gone"))
    with pytest.raises(errors.EngineUnavailable):
        await subnets.ensure(engine, SETTINGS, STATE, routes)


async def test_a_cluster_of_that_name_with_other_state_is_refused_while_that_is_there(
    routes: str, tmp_path: Path
) -> None:
    engine = FakeEngine(FakeClock())
    (tmp_path / "store.db").touch()
    made = await subnets.ensure(engine, SETTINGS, str(tmp_path), routes)
    with pytest.raises(errors.DriverError, match=f'a cluster "lab", with its state in {tmp_path}'):
        await subnets.ensure(engine, SETTINGS, STATE, routes)
    assert (await subnets.ensure(engine, SETTINGS, str(tmp_path), routes)) == made
    (tmp_path / "store.db").unlink()
    assert (await subnets.ensure(engine, SETTINGS, STATE, routes)) == made


async def test_a_simulated_cluster_has_room_for_a_million_pods(routes: str) -> None:
    made = await subnets.ensure(FakeEngine(FakeClock()), replace(SETTINGS, runtime="sim"), STATE, routes)
    assert made.subnet == subnets.SIMULATED
