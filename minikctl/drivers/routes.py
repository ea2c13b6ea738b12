"""The machine's IPv4 routes of all tables, as VPNs often have one of their own: by rtnetlink(7)."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Subnet = ipaddress.IPv4Network

_NEW, _GET, _ERROR, _DONE = 24, 26, 2, 3
_REQUEST, _DUMP = 1, 0x300
_DESTINATION, _INTERFACE = 1, 4
_UNICAST, _LOCAL, _REFUSING = 1, 2, (6, 7, 8)
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True)
class Route:
    """A range and the number of the interface to it, 0 if none; ``local``: the machine's own address."""

    subnet: Subnet
    interface: int
    local: bool = False


class Routes(Protocol):
    """Tells where the machine sends what."""

    def all(self) -> Sequence[Route]:
        """Return the routes of all tables, default routes aside; none where they cannot be read."""
        ...

    def interface(self, address: str) -> int:
        """Return the number of the interface by which packets to the address leave, 0 if by none."""
        ...


class KernelRoutes:
    """Fits ``Routes``: asks the kernel; knows no route where that is not Linux."""

    def all(self) -> Sequence[Route]:
        """Return the routes of all tables."""
        asked = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
        return [route for route in parsed(_answer(asked, _REQUEST | _DUMP)) if route.subnet.prefixlen]

    def interface(self, address: str) -> int:
        """Return the interface to the address."""
        asked = _ROUTE.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
        asked += _ATTRIBUTE.pack(8, _DESTINATION) + socket.inet_aton(address)
        return next((route.interface for route in parsed(_answer(asked, _REQUEST))), 0)


class NoRoutes:
    """Fits ``Routes``: for a world in memory."""

    def all(self) -> Sequence[Route]:
        """Return none."""
        return ()

    def interface(self, address: str) -> int:
        """Return none."""
        del address
        return 0


def ranges(routes: Routes) -> list[Subnet]:
    """Return the ranges to which the machine has routes, default routes and its own addresses aside."""
    return [route.subnet for route in routes.all() if not route.local]


def name(interface: int) -> str:
    """Return the name of an interface, "nowhere" for none."""
    with contextlib.suppress(OSError, OverflowError):
        return socket.if_indextoname(interface)
    return "nowhere"


def parsed(answer: bytes) -> Iterator[Route]:
    """Yield the routes of messages as the kernel sends them."""
    for kind, body in _messages(answer):
        if kind != _NEW:
            continue
        _, length, _, _, _, _, _, type_, _ = _ROUTE.unpack_from(body)
        found = dict(_attributes(body[_ROUTE.size :]))
        if type_ not in (_UNICAST, _LOCAL, *_REFUSING):
            continue
        address = socket.inet_ntoa(found.get(_DESTINATION, bytes(4)))
        number = int.from_bytes(found.get(_INTERFACE, b""), sys.byteorder)
        yield Route(Subnet((address, length), strict=False), number, type_ == _LOCAL)


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _HEADER.size <= len(answer):
        length, kind, _, _, _ = _HEADER.unpack_from(answer, start)
        yield kind, answer[start + _HEADER.size : start + length]
        start += length + 3 & ~3


def _attributes(rest: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + _ATTRIBUTE.size <= len(rest):
        length, kind = _ATTRIBUTE.unpack_from(rest, start)
        yield kind, rest[start + _ATTRIBUTE.size : start + length]
        start += length + 3 & ~3


def _answer(asked: bytes, flags: int) -> bytes:
    """Return all messages of the kernel's answer, b"" where it is not asked in this way."""
    if not hasattr(socket, "AF_NETLINK"):
        return b""
    found = b""
    with contextlib.suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as talk:
        talk.settimeout(1)
        talk.sendto(_HEADER.pack(_HEADER.size + len(asked), _GET, flags, 1, 0) + asked, (0, 0))
        while True:
            piece = talk.recv(_BUFFER_BYTES)
            found += piece
            kinds = {kind for kind, _ in _messages(piece)}
            if not flags & _DUMP or kinds & {_DONE, _ERROR}:
                break
    return found
