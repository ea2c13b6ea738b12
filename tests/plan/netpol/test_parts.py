"""What pairs of pods that are all alike do not show: names of ports, ranges, words, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan import netpol, netpol_nft, netpol_ports
from minikctl.plan.netpol_ports import EVERYTHING
from tests.plan.netpol.grid import Grid, Traced, policy

A: dict[str, Any] = {"podSelector": {"matchLabels": {"pod": "a"}}}
EVERYBODY = [{"namespaceSelector": {}}]
EVERY_ADDRESS = [{"ipBlock": {"cidr": "10.1.0.0/24"}}]


def renamed(grid: Grid, name: str, **ports: int) -> None:
    """Have a pod serve these ports, under other names than the others do."""
    listed = [{"name": one, "containerPort": number} for one, number in ports.items()]
    grid.pods[name]["spec"]["containers"][0]["ports"] = listed


@pytest.mark.parametrize("peers", [EVERYBODY, EVERY_ADDRESS])
@pytest.mark.parametrize(("direction", "side"), [("ingress", "from"), ("egress", "to")])
def test_a_name_is_a_port_of_the_pod_that_is_connected_to(direction: str, side: str, peers: Any) -> None:
    rule = {side: peers, "ports": [{"port": "web"}]}
    spec: dict[str, Any] = {**A, "policyTypes": [direction.capitalize()], direction: [rule]}
    listed = [policy(**spec)]
    grid = Grid(policies=listed)
    renamed(grid, "x/a", web=80)
    renamed(grid, "x/b", web=81)
    traced = Traced(grid)
    own, other = ("x/b", "x/a"), ("x/a", "x/b")
    source, target = own if direction == "ingress" else other
    wanted = 80 if direction == "ingress" else 81
    assert [port for port in (80, 81) if traced.allowed(source, target, port)] == [wanted]
    if direction == "egress":
        assert not traced.allowed("x/a", "x/c", 80), "it has no port of that name"


def test_a_range_may_be_written_with_any_address_in_it() -> None:
    block = {"cidr": "10.1.0.77/24", "except": ["10.1.0.13/30"]}
    traced = Traced(Grid(policies=[policy(**A, ingress=[{"from": [{"ipBlock": block}]}])]))
    assert traced.allowed("x/a", "x/a")
    assert not traced.allowed("x/b", "x/a"), "10.1.0.12"
    assert traced.allowed("y/c", "x/a"), "10.1.0.16"


def test_ports_of_other_protocols_beside_a_name() -> None:
    rule = {"to": EVERY_ADDRESS, "ports": [{"port": 81}, {"port": "web"}]}
    grid = Grid(policies=[policy(**A, policyTypes=["Egress"], egress=[rule])])
    renamed(grid, "x/b", web=90)
    traced = Traced(grid)
    assert [port for port in (80, 81, 90) if traced.allowed("x/a", "x/b", port)] == [81, 90]


def test_ranges_neither_overlap_nor_touch() -> None:
    tcp = [("tcp", 80, 90), ("tcp", 85, 95), ("tcp", 96, 99), ("tcp", 101, 101), ("tcp", 82, 83)]
    assert netpol_ports.joined(tcp) == {("tcp", 80, 99), ("tcp", 101, 101)}
    assert netpol_ports.joined([("tcp", 0, 0), ("tcp", 2, 2)]) == {("tcp", 0, 0), ("tcp", 2, 2)}
    assert netpol_ports.joined([*tcp, ("any", 0, 65535)]) == EVERYTHING


def test_chains_are_called_after_their_ports_unless_that_is_long() -> None:
    ports = netpol_ports.joined([("udp", 53, 53), ("tcp", 80, 80), ("tcp", 90, 99)])
    assert netpol_ports.chain_name(ports) == "allow/tcp-80/tcp-90-99/udp-53"
    assert netpol_ports.chain_rules(ports) == (
        "tcp dport { 80, 90-99 } accept",
        "udp dport { 53 } accept",
        "drop",
    )
    many = [netpol_ports.joined([("tcp", port, port) for port in range(first, 200, 2)]) for first in (1, 3)]
    names = {netpol_ports.chain_name(one) for one in many}
    assert len(names) == 2
    assert all(len(name) == len("allow/") + 16 for name in names)
    for first in (0, 1):
        every = frozenset({("tcp", first, 65535)})
        assert netpol_ports.chain_rules(every) == ("meta l4proto tcp accept", "drop")


def test_neighbours_with_equal_ports_are_one_span() -> None:
    rules = [{"from": [{"ipBlock": {"cidr": "192.0.2.0/25"}}, {"ipBlock": {"cidr": "192.0.2.128/25"}}]}]
    one = {"from": [{"ipBlock": {"cidr": "198.51.100.7/32"}}]}
    listed = [policy(**A, ingress=[*rules, one])]
    table = netpol.Compiler(Grid(policies=listed).state()).table(("x", "a"))
    assert table is not None
    assert table.maps["ingress-blocks"] == {"192.0.2.0-192.0.2.255": "accept", "198.51.100.7": "accept"}


def test_what_allows_or_denies_is_said() -> None:
    grid = Grid(
        policies=[
            policy("shut", **A),
            policy("open", **A, ingress=[{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]),
        ]
    )
    assert grid.oracle("y/a", "x/b", 80, "tcp").ingress.reason == "no policy isolates x/b for ingress"
    assert grid.oracle("x/b", "x/b", 80, "tcp").egress.reason == "a pod always reaches itself"
    denied = grid.oracle("y/a", "x/a", 80, "tcp").ingress
    assert denied.reason == "policies shut, open isolate x/a for ingress, and no rule allows it"
    allowed = grid.oracle("192.0.2.7", "x/a", 80, "tcp")
    assert allowed.ingress.reason == "rule 1 of ingress in policy open allows it"
    assert allowed.egress.reason == "192.0.2.7 is not a pod that policies select"
    del grid.policies[1]
    denied = grid.oracle("y/a", "x/a", 80, "tcp").ingress
    assert denied.reason == "policy shut isolates x/a for ingress, and no rule allows it"


def test_flows_of_many_peers_are_forgotten_at_once() -> None:
    everybody = policy(**A, ingress=[{"from": EVERYBODY}])
    before = netpol.Compiler(Grid(policies=[everybody]).state()).table(("x", "a"))
    after = netpol.Compiler(Grid(policies=[policy(**A)]).state()).table(("x", "a"))
    assert before is not None
    assert after is not None
    (command,) = netpol_nft.purge_commands(before, after, "10.1.0.11")
    assert command[2].count("--orig-src") == 9
    many = {f"10.1.{n >> 8}.{n & 255}": "accept" for n in range(netpol_nft.PEER_PURGES + 1)}
    before = replace(before, maps={**before.maps, "ingress-pods": many})
    (command,) = netpol_nft.purge_commands(before, after, "10.1.0.11")
    assert "conntrack -D -p udp --orig-dst 10.1.0.11" in command[2]
    assert "--orig-src" not in command[2]
    ranged = netpol.Compiler(Grid(policies=[policy(**A, ingress=[{"from": EVERY_ADDRESS}])]).state())
    (command,) = netpol_nft.purge_commands(ranged.table(("x", "a")), after, "10.1.0.11")
    assert "--orig-src" not in command[2], "anybody may have lost something"


def test_what_selectors_allow_adds_to_what_the_ranges_at_the_pods_own_address_do() -> None:
    beside = {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.1.0.12/30"]}}]}
    named = {"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}], "ports": [{"port": 80}]}
    traced = Traced(Grid(policies=[policy(**A, ingress=[beside, named])]))
    assert [port for port in (80, 81) if traced.allowed("x/b", "x/a", port)] == [80], "10.1.0.12"
    assert [port for port in (80, 81) if traced.allowed("y/c", "x/a", port)] == [80, 81]
    within = {"from": [{"ipBlock": {"cidr": "10.1.0.12/30"}}], "ports": [{"port": 81}]}
    traced = Traced(Grid(policies=[policy(**A, ingress=[within, named])]))
    assert [port for port in (80, 81) if traced.allowed("x/b", "x/a", port)] == [80, 81]
    assert [port for port in (80, 81) if traced.allowed("x/c", "x/a", port)] == [81], "10.1.0.13"
