"""Policies of all shapes, drawn by hypothesis from what the grid can tell apart."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st

from tests.plan.netpol.grid import NAMES, SPACES, Grid, policy

PROBES = [(80, "tcp"), (81, "tcp"), (80, "udp"), (82, "sctp")]
PORTS: list[Any] = [80, 81, 82, "serve-80-tcp", "serve-81-tcp", "serve-80-udp", "nobody"]
CIDRS = [
    "10.1.0.0/24",
    "10.1.0.12/32",
    "10.1.0.14/31",
    "10.1.0.0/28",
    "0.0.0.0/0",
    "192.0.2.0/24",
    "10.1.0.16/28",
]
EXCEPTS = ["10.1.0.12/32", "10.1.0.12/30", "192.0.2.7/32", "10.1.0.16/29"]


def selector(key: str, values: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Return label selectors on one key."""
    some = st.lists(st.sampled_from([*values, "other"]), min_size=1, max_size=2, unique=True)
    return st.one_of(
        st.just({}),
        st.sampled_from(values).map(lambda value: {"matchLabels": {key: value}}),
        st.builds(
            lambda operator, chosen: {
                "matchExpressions": [{"key": key, "operator": operator, "values": chosen}]
            },
            st.sampled_from(["In", "NotIn"]),
            some,
        ),
        st.sampled_from(["Exists", "DoesNotExist"]).map(
            lambda operator: {"matchExpressions": [{"key": "extra", "operator": operator}]}
        ),
    )


pods = selector("pod", NAMES)
namespaces = selector("ns", SPACES)


def within(cidr: str) -> list[str]:
    """Return the exceptions that lie within a range."""
    outer = ipaddress.ip_network(cidr)
    return [one for one in EXCEPTS if ipaddress.ip_network(one).subnet_of(outer) and one != cidr]  # type: ignore[arg-type]


@st.composite
def block(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a block of addresses."""
    cidr = draw(st.sampled_from(CIDRS))
    possible = within(cidr)
    excepted = draw(st.lists(st.sampled_from(possible), max_size=2, unique=True)) if possible else []
    return {"ipBlock": {"cidr": cidr, **({"except": excepted} if excepted else {})}}


peer = st.one_of(
    pods.map(lambda one: {"podSelector": one}),
    namespaces.map(lambda one: {"namespaceSelector": one}),
    st.builds(lambda one, other: {"podSelector": one, "namespaceSelector": other}, pods, namespaces),
    block(),
)


@st.composite
def port(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a port."""
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["protocol"] = draw(st.sampled_from(["TCP", "UDP", "SCTP"]))
    number = draw(st.sampled_from([None, *PORTS]))
    if number is not None:
        found["port"] = number
    if isinstance(number, int) and draw(st.booleans()):
        found["endPort"] = number + draw(st.integers(0, 2))
    return found


def rule(field: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return rules of a direction."""
    return st.fixed_dictionaries(
        {}, optional={field: st.lists(peer, max_size=2), "ports": st.lists(port(), max_size=2)}
    )


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a policy."""
    spec: dict[str, Any] = {"podSelector": draw(pods)}
    if draw(st.booleans()):
        spec["ingress"] = draw(st.lists(rule("from"), max_size=2))
    if draw(st.booleans()):
        spec["egress"] = draw(st.lists(rule("to"), max_size=2))
    types = draw(st.sampled_from([None, ["Ingress"], ["Egress"], ["Ingress", "Egress"]]))
    if types:
        spec["policyTypes"] = types
    return policy(draw(st.sampled_from(["one", "two", "three"])), draw(st.sampled_from(SPACES)), **spec)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Draw a grid with policies and some labels that others lack."""
    grid = Grid(policies=draw(st.lists(policies(), min_size=1, max_size=4)))
    for name in draw(st.lists(st.sampled_from([*grid.pods]), max_size=3)):
        grid.pods[name]["metadata"]["labels"]["extra"] = "yes"
    for name in draw(st.lists(st.sampled_from(SPACES), max_size=1)):
        grid.namespaces[name]["extra"] = "yes"
    return grid
