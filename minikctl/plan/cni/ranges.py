"""The cluster's range of addresses, cut into the engine's part and one of each node."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from minikctl import errors

USUAL, SMALLEST = 24, 28


@dataclass(frozen=True)
class Ranges:
    """``engine`` is what the container engine gives out, ``nodes`` what each node's plugins do."""

    engine: str
    nodes: tuple[str, ...]

    def node_address(self, index: int) -> str:
        """Return the address of a node's own container: from the end of the engine's part."""
        return str(ipaddress.IPv4Network(self.engine)[-2 - index])


def prefix(nodes: int) -> int:
    """Return how large a range must be that all nodes get their usual part."""
    return min(20, USUAL - nodes.bit_length())


def split(subnet: str, nodes: int) -> Ranges:
    """Return the parts; ``UsageError`` when the range is too small for so many nodes."""
    whole = ipaddress.IPv4Network(subnet)
    length = max(whole.prefixlen + nodes.bit_length(), USUAL)
    if length > SMALLEST or nodes > 2 ** (32 - length) - 8:
        raise errors.UsageError(f"error: {subnet} is too small to be shared by {nodes} nodes")
    engine, *parts = (
        str(part) for _, part in zip(range(nodes + 1), whole.subnets(new_prefix=length), strict=False)
    )
    return Ranges(engine, tuple(parts))
