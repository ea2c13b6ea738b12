"""Virtual packets through policy tables: whether a new connection passes both ends.

It reads the nft text itself, and knows exactly the grammar that is generated: any other rule is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from minikctl.plan import netpol, netpol_nft
from minikctl.plan.proxy import Ruleset
from tests.packets.tracer import Table

HOOKS = {"output": "output priority 10;", "prerouting": "prerouting priority -110;"}


@dataclass(frozen=True)
class Flow:
    """The first packet of a connection between two addresses, or one of a ``known`` connection."""

    source: str
    target: str
    port: int = 80
    protocol: str = "tcp"
    known: bool = False


def table_of(rules: Ruleset | None) -> Table:
    """Return the table as its text describes it, empty for None."""
    return Table(name=netpol.TABLE).apply(netpol_nft.whole(rules))


def passes(flow: Flow, at_source: Table | None, at_target: Table | None) -> bool:
    """Tell whether the packet leaves its pod and enters the other; None for what is no pod."""
    return _passes(flow, at_source, "output") and _passes(flow, at_target, "prerouting")


def _passes(flow: Flow, table: Table | None, hook: str) -> bool:
    if table is None:
        return True
    bases = [name for name, text in table.hooks.items() if HOOKS[hook] in text]
    assert len(bases) <= 1
    return all(_chain(table, name, flow) is not False for name in bases)


def _chain(table: Table, name: str, flow: Flow) -> bool | None:
    for rule in table.chains[name]:
        verdict = _rule(table, rule, flow)
        if verdict is not None:
            return verdict
    return None


def _rule(table: Table, rule: str, flow: Flow) -> bool | None:
    own = flow.source == flow.target
    exact: dict[str, Callable[[], bool | None]] = {
        "ct state established,related accept": lambda: flow.known or None,
        'iif "lo" accept': lambda: own or None,
        "fib daddr type local accept": lambda: own or None,
        netpol.NEIGHBOURS: lambda: None,
        "drop": lambda: False,
        f"meta l4proto {flow.protocol} accept": lambda: True,
    }
    if rule in exact:
        return exact[rule]()
    if re.fullmatch(r"meta l4proto (tcp|udp|sctp) accept", rule):
        return None
    if found := re.fullmatch(r"(tcp|udp|sctp) dport \{ (.+) \} accept", rule):
        return True if found[1] == flow.protocol and _listed(flow.port, found[2]) else None
    if found := re.fullmatch(r"ip ([sd])addr @nodes accept", rule):
        return True if _side(flow, found[1]) in table.sets["nodes"] else None
    if found := re.fullmatch(r"ip ([sd])addr vmap @(\S+)", rule):
        return _looked_up(table, found[2], _side(flow, found[1]), flow)
    raise AssertionError(f"unknown rule: {rule}")


def _side(flow: Flow, letter: str) -> str:
    return flow.source if letter == "s" else flow.target


def _looked_up(table: Table, name: str, address: str, flow: Flow) -> bool | None:
    elements = table.maps[name]
    if name in table.ranges:
        holding = [key for key in elements if _within(address, key)]
        assert len(holding) <= 1, f"{holding} overlap"
        verdict = elements[holding[0]] if holding else None
    else:
        verdict = elements.get(address)
    if verdict is None or verdict == "accept":
        return True if verdict else None
    ended = _chain(table, verdict.removeprefix("goto "), flow)
    assert ended is not None, f"{verdict} ends without a verdict"
    return ended


def _within(address: str, span: str) -> bool:
    first, _, last = span.partition("-")
    return IPv4Address(first) <= IPv4Address(address) <= IPv4Address(last or first)


def _listed(port: int, spans: str) -> bool:
    pairs = [span.partition("-") for span in spans.split(", ")]
    return any(int(first) <= port <= int(last or first) for first, _, last in pairs)
