"""Ways to connect to pods: straight, or through the agent where this machine does not reach their network.

A rootless engine has its networks in a namespace of its own, Docker Desktop in a machine of its own.  Whoever
connects to a pod's address (probes, names, webhooks, aggregated APIs, the API's proxy) asks a ``Dialer``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ssl import SSLContext

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LIMIT = 2**16


class Dialer(Protocol):
    """Opens TCP connections."""

    async def open(
        self,
        host: str,
        port: int,
        *,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
        limit: int = LIMIT,
    ) -> Streams:
        """Return a connection, as ``asyncio.open_connection`` does: ``OSError`` says why there is none."""
        ...


class Direct:
    """Fits ``Dialer``: from this process."""

    async def open(
        self,
        host: str,
        port: int,
        *,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
        limit: int = LIMIT,
    ) -> Streams:
        """Return a connection, as ``asyncio.open_connection`` does: ``OSError`` says why there is none."""
        return await asyncio.open_connection(
            host, port, ssl=ssl, server_hostname=server_hostname, limit=limit
        )


DIRECT = Direct()


class Ways:
    """Fits ``Dialer``: straight, but into the network that ``lead`` named through somebody else."""

    def __init__(self) -> None:
        self._network: ipaddress.IPv4Network | None = None
        self._other: Dialer = DIRECT

    def lead(self, subnet: str, other: Dialer | None) -> None:
        """Have the other connect to addresses of the subnet from now on; None: this machine reaches them."""
        self._network = None if other is None else ipaddress.IPv4Network(subnet)
        self._other = other or DIRECT

    async def open(
        self,
        host: str,
        port: int,
        *,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
        limit: int = LIMIT,
    ) -> Streams:
        """Return a connection, as ``asyncio.open_connection`` does: ``OSError`` says why there is none."""
        way: Dialer = self._other if self._network is not None and _within(host, self._network) else DIRECT
        return await way.open(host, port, ssl=ssl, server_hostname=server_hostname, limit=limit)


def _within(host: str, network: ipaddress.IPv4Network) -> bool:
    try:
        return ipaddress.IPv4Address(host) in network
    except ValueError:
        return False


def is_here(bridge: str, gateway: str) -> bool:
    """Tell whether an engine network is reached from here: its bridge is in this network namespace.

    That is found out without a packet: a connection would leave the machine by its default route where the
    network is elsewhere.  The address alone does not tell: the network of another engine may have it, too.
    """
    if bridge not in (name for _, name in socket.if_nameindex()):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trying:
        try:
            trying.bind((gateway, 0))
        except OSError:
            return False
    return True
