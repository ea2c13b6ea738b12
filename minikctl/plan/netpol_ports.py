"""Sets of ports: what a peer may reach, as ranges per protocol that neither overlap nor touch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby

from minikctl.plan.netpol_view import Kin, Port

Range = tuple[str, int, int]
"""(protocol, first, last); the protocol ``any`` with all ports means everything, whatever the protocol."""
Ports = frozenset[Range]

NOTHING: Ports = frozenset()
EVERYTHING: Ports = frozenset({("any", 0, 65535)})
NAME_LENGTH = 90


def resolved(wanted: tuple[Port, ...] | None, named: Kin | None) -> Ports:
    """Return the ports that a rule names; names are looked up at ``named``, and nobody has them at None.

    A name that is not found stands for no port, not for any.
    """
    if wanted is None:
        return EVERYTHING
    found: list[Range] = []
    for port in wanted:
        if port.name:
            found += [
                (one.protocol, one.number, one.number)
                for one in (named.ports if named else ())
                if (one.name, one.protocol) == (port.name, port.protocol)
            ]
        else:
            found.append((port.protocol, port.first, port.last or 65535))
    return joined(found)


def joined(ranges: Iterable[Range]) -> Ports:
    """Return the union of ranges."""
    found: list[Range] = []
    for protocol, group in groupby(sorted(ranges), key=lambda one: one[0]):
        if protocol == "any":
            return EVERYTHING
        low, high = -2, -2
        for _, first, last in group:
            if first > high + 1:
                if high >= 0:
                    found.append((protocol, low, high))
                low, high = first, last
            high = max(high, last)
        found.append((protocol, low, high))
    return frozenset(found)


def chain_name(ports: Ports) -> str:
    """Return the name of the chain that lets these ports pass, readable unless it would be long."""
    text = "/".join(f"{protocol}-{_span(first, last, '-')}" for protocol, first, last in sorted(ports))
    if len(text) > NAME_LENGTH:
        text = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"allow/{text}"


def chain_rules(ports: Ports) -> tuple[str, ...]:
    """Return the rules of that chain: these ports pass, all others are dropped."""
    found = []
    for protocol, group in groupby(sorted(ports), key=lambda one: one[0]):
        spans = [(first, last) for _, first, last in group]
        if spans[0] in ((0, 65535), (1, 65535)):
            found.append(f"meta l4proto {protocol} accept")
        else:
            listed = ", ".join(_span(first, last, "-") for first, last in spans)
            found.append(f"{protocol} dport {{ {listed} }} accept")
    return (*found, "drop")


def _span(first: int, last: int, between: str) -> str:
    return str(first) if first == last else f"{first}{between}{last}"
