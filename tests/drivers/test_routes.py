"""The machine's routes, as the kernel tells them."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

from minikctl.drivers import routes
from minikctl.drivers.routes import KernelRoutes, Route


def message(kind: int, *, length: int = 24, type_: int = 1, address: str = "", interface: int = 0) -> bytes:
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, length, 0, 0, 254, 3, 0, type_, 0)
    if address:
        body += struct.pack("=HH", 8, 1) + socket.inet_aton(address)
    body += struct.pack("=HHB", 5, 100, 1) + bytes(3)
    if interface:
        body += struct.pack("=HHI", 8, 4, interface)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def test_messages_are_routes() -> None:
    answer = b"".join(
        (
            message(24, address="10.201.0.0", length=16, interface=7),
            message(24, address="10.9.0.0", type_=6),
            message(24, address="10.201.0.1", length=32, type_=2, interface=7),
            message(24, address="10.201.255.255", length=32, type_=3, interface=7),
            message(24, length=0, interface=2),
            message(20, address="10.7.0.0"),
            message(3),
        )
    )
    found = [(str(each.subnet), each.interface, each.local) for each in routes.parsed(answer)]
    assert found == [
        ("10.201.0.0/16", 7, False),
        ("10.9.0.0/24", 0, False),
        ("10.201.0.1/32", 7, True),
        ("0.0.0.0/0", 2, False),
    ]


def test_this_machine_is_asked() -> None:
    known = KernelRoutes()
    own = Route(ipaddress.IPv4Network("127.0.0.0/8"), socket.if_nametoindex("lo"), True)
    assert own in known.all()
    assert all(each.subnet.prefixlen for each in known.all())
    assert own.subnet not in routes.ranges(known)
    assert routes.name(known.interface("127.0.0.1")) == "lo"
    assert known.interface("240.0.0.1") in (0, known.interface("8.8.8.8"))
    assert routes.name(0) == "nowhere"


def test_where_the_kernel_is_not_asked_in_this_way_there_are_none(monkeypatch: Any) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK")
    assert [*KernelRoutes().all()] == []
    assert KernelRoutes().interface("127.0.0.1") == 0


def test_a_world_in_memory_has_none() -> None:
    assert ([*routes.NoRoutes().all()], routes.NoRoutes().interface("127.0.0.1")) == ([], 0)
