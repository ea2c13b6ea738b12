"""Compiled packets and the oracle agree on all pairs of the grid, whatever the policies are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from minikctl.model import objects
from minikctl.plan import netpol, netpol_nft
from tests.packets.tracer import Table
from tests.plan.netpol import generated
from tests.plan.netpol.grid import NODE, OUTSIDE, Grid, Traced, policy

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(generated.grids())
def test_generated_policies(grid: Grid) -> None:
    Traced(grid).agree(generated.PROBES)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(generated.grids(), generated.grids())
def test_a_change_ends_in_the_same_tables(before: Grid, after: Grid) -> None:
    """Whatever differs between two states, the difference leads to the table that is compiled anew."""
    old, new = netpol.Compiler(before.state()), netpol.Compiler(after.state())
    for one in before.pods.values():
        first, second = old.table(objects.key(one)), new.table(objects.key(one))
        changed = Table(name=netpol.TABLE).apply(netpol_nft.whole(first))
        changed.apply(netpol_nft.change(first, second))
        anew = Table(name=netpol.TABLE).apply(netpol_nft.whole(second))
        assert (changed.maps, changed.sets, changed.hooks) == (anew.maps, anew.sets, anew.hooks)
        assert {name: rules for name, rules in changed.chains.items() if rules} == anew.chains


# The families of cyclonus (pkg/generator), each policy held against the oracle on all pairs.

PEERS: list[dict[str, Any]] = [
    {key: value for key, value in (("podSelector", pods), ("namespaceSelector", spaces)) if value is not None}
    for pods, spaces in itertools.product(
        (None, {}, {"matchLabels": {"pod": "b"}}), (None, {}, {"matchLabels": {"ns": "y"}})
    )
    if pods is not None or spaces is not None
] + [
    {"ipBlock": {"cidr": "10.1.0.0/24"}},
    {"ipBlock": {"cidr": "10.1.0.0/24", "except": ["10.1.0.12/30"]}},
]
PORTS: list[list[dict[str, Any]]] = [
    [],
    [{}],
    [{"protocol": "UDP"}],
    [{"port": 80}],
    [{"port": 80, "protocol": "SCTP"}],
    [{"port": 79, "endPort": 81}],
    [{"port": "serve-81-tcp"}],
    [{"port": "serve-81-udp", "protocol": "UDP"}],
    [{"port": 80}, {"port": 80, "protocol": "UDP"}],
    [{"port": 7981}],
    [{"port": "serve-81-udp"}],
    [{"port": "nobody", "protocol": "TCP"}],
    [{"port": 80}, {"port": 443}],
    [{"port": port} for port in range(80, 180, 2)],
]
DIRECTIONS = [("Ingress", "from"), ("Egress", "to")]


def spec(direction: str, rules: list[Any], **more: Any) -> dict[str, Any]:
    return {"policyTypes": [direction], direction.lower(): rules, **more}


def families() -> dict[str, list[dict[str, Any]]]:
    """Return lists of policies by the family and what is special."""
    found: dict[str, list[dict[str, Any]]] = {}
    a = {"podSelector": {"matchLabels": {"pod": "a"}}}
    for direction, side in DIRECTIONS:
        for target in ({}, {"matchLabels": {"pod": "a"}}, {"matchLabels": {"pod": "nobody"}}):
            found[f"target {direction} {target}"] = [policy(**spec(direction, [], podSelector=target))]
        for rules in ([], [{}], [{side: []}], [{side: [], "ports": []}]):
            found[f"rules {direction} {rules}"] = [policy(**spec(direction, rules, **a))]
        for peer in PEERS:
            found[f"peer {direction} {peer}"] = [
                policy(**spec(direction, [{side: [peer], "ports": [{"port": 80}]}], **a))
            ]
        for one, two in itertools.combinations(PEERS, 2):
            found[f"peers {direction} {one} {two}"] = [
                policy(**spec(direction, [{side: [one]}, {side: [two], "ports": [{"port": 81}]}], **a))
            ]
        for ports in PORTS:
            found[f"ports {direction} {ports}"] = [policy(**spec(direction, [{"ports": ports}], **a))]
    return found | conflicts()


def conflicts() -> dict[str, list[dict[str, Any]]]:
    """Return policies that allow and deny the same, in both orders and by pods and by addresses."""
    by_pod: dict[str, Any] = {"podSelector": {}, "namespaceSelector": {}}
    by_address: dict[str, Any] = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    found = {}
    for direction, side in DIRECTIONS:
        one: Any
        two: Any
        for one, two in itertools.product(([], [{side: [by_pod]}], [{side: [by_address]}], [{}]), repeat=2):
            found[f"conflict {direction} {one} {two}"] = [
                policy("one", **spec(direction, one)),
                policy("two", **spec(direction, two)),
            ]
    return found


FAMILIES = families()


@pytest.mark.parametrize("family", ["target", "rules", "peer ", "peers", "ports", "conflict"])
def test_cyclonus_families(family: str) -> None:
    chosen = {name: one for name, one in FAMILIES.items() if name.startswith(family)}
    assert len(chosen) >= 6
    for listed in chosen.values():
        Traced(Grid(policies=listed)).agree([(80, "tcp"), (81, "udp")])


def test_cyclonus_actions() -> None:
    """Policies, pods and labels come, change and go."""
    grid = Grid(policies=[policy(**spec("Ingress", [{"from": [{"podSelector": {}}]}]))])
    assert not Traced(grid).allowed("y/a", "x/a")
    grid.pods["y/a"]["metadata"] |= {"namespace": "x", "name": "moved"}
    assert Traced(grid).allowed("y/a", "x/a")
    del grid.pods["x/b"]
    Traced(grid).agree(generated.PROBES)
    grid.policies[0]["spec"]["ingress"] = [{"from": [{"namespaceSelector": {"matchLabels": {"new": "yes"}}}]}]
    assert not Traced(grid).allowed("z/a", "x/a")
    grid.namespaces["z"]["new"] = "yes"
    assert Traced(grid).allowed("z/a", "x/a")
    grid.policies.clear()
    assert Traced(grid).allowed("y/c", "x/a")


# What is particular here.


def test_the_node_and_known_connections_pass() -> None:
    traced = Traced(Grid(policies=[policy(policyTypes=["Ingress", "Egress"])]))
    assert traced.allowed(NODE, "x/a")
    assert traced.allowed("x/a", NODE)
    assert traced.allowed("x/a", "x/a")
    assert not traced.allowed(OUTSIDE, "x/a")


def test_a_pod_in_the_hosts_network_is_no_peer_and_has_no_table() -> None:
    grid = Grid(policies=[policy(ingress=[{"from": [{"podSelector": {}}]}])])
    grid.pods["x/b"]["spec"]["hostNetwork"] = True
    compiler = netpol.Compiler(grid.state())
    assert compiler.table(("x", "b")) is None
    table = compiler.table(("x", "a"))
    assert table is not None
    assert "10.1.0.12" not in table.maps["ingress-pods"]


def test_ports_without_names_and_those_of_steps_before_the_pod_runs_are_not_found_by_name() -> None:
    grid = Grid(policies=[policy(ingress=[{"ports": [{"port": "step"}, {"port": "side"}]}])])
    step = {"name": "step", "ports": [{"name": "step", "containerPort": 81}]}
    side = {"name": "side", "restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 82}]}
    grid.pods["x/a"]["spec"] |= {
        "initContainers": [step, side],
        "containers": [{"name": "main", "ports": [{"containerPort": 80}]}],
    }
    traced = Traced(grid)
    assert [port for port in (80, 81, 82) if traced.allowed("x/b", "x/a", port)] == [82]


def test_a_finished_pod_leaves_the_sets() -> None:
    grid = Grid(policies=[policy(ingress=[{"from": [{"podSelector": {}}]}])])
    grid.pods["x/b"]["status"]["phase"] = "Succeeded"
    table = netpol.Compiler(grid.state()).table(("x", "a"))
    assert table is not None
    assert "10.1.0.12" not in table.maps["ingress-pods"]


def test_pods_of_one_workload_share_their_table() -> None:
    grid = Grid(policies=[policy(ingress=[{"from": [{"podSelector": {}}]}])])
    compiler = netpol.Compiler(grid.state())
    assert compiler.table(("x", "a")) is compiler.table(("x", "b"))
    assert compiler.table(("y", "a")) is None
    assert compiler.table(("x", "not there")) is None


def test_a_pod_that_comes_changes_elements_only() -> None:
    grid = Grid(policies=[policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"extra": "yes"}}}]}])])
    grid.pods["x/c"]["metadata"]["labels"]["extra"] = "yes"
    before = netpol.Compiler(grid.state()).table(("x", "a"))
    grid.pods["x/b"]["metadata"]["labels"]["extra"] = "yes"
    after = netpol.Compiler(grid.state()).table(("x", "a"))
    assert netpol_nft.change(before, after) == (
        "add element inet minikctl-policy ingress-pods { 10.1.0.12 : accept }\n"
    )
    assert netpol_nft.purge_commands(before, after, "10.1.0.11") == ()
    (command,) = netpol_nft.purge_commands(after, before, "10.1.0.11")
    assert "conntrack -D -p udp --orig-dst 10.1.0.11 --orig-src 10.1.0.12;" in command[2]


def test_the_cost_does_not_depend_on_the_number_of_policies() -> None:
    listed = [
        policy(f"policy-{number}", ingress=[{"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}]}])
        for number in range(100)
    ]
    one = netpol.Compiler(Grid(policies=listed[:1]).state()).table(("x", "a"))
    many = netpol.Compiler(Grid(policies=listed).state()).table(("x", "a"))
    assert one == many


def test_isolation_by_a_first_policy_forgets_udp_flows_of_that_direction() -> None:
    table = netpol.Compiler(Grid(policies=[policy(policyTypes=["Egress"])]).state()).table(("x", "a"))
    (command,) = netpol_nft.purge_commands(None, table, "10.1.0.11")
    assert "--orig-src 10.1.0.11;" in command[2]
    assert "--orig-dst" not in command[2]
    assert netpol_nft.purge_commands(table, None, "10.1.0.11") == ()
    assert netpol_nft.change(table, None).endswith("delete table inet minikctl-policy\n")
    assert netpol_nft.change(table, table) == ""
