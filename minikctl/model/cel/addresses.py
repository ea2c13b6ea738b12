"""``ip("…")`` and ``cidr("…")`` and what can be asked of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

IP, CIDR = "net.IP", "net.CIDR"
_OPAQUE = "map(string, dyn)"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _read_ip(text: str) -> Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f'IP Address "{text}" parse error during conversion from string') from None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id:
            raise ValueError(f'IP address "{text}" with zone value is not allowed')
        if found.ipv4_mapped:
            raise ValueError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return found


def _read_cidr(text: str) -> Network:
    """Return the network with its address; raises ``ValueError`` with the words of Go's netip.ParsePrefix."""
    if fault := _fault_of_cidr(text):
        doubled = "network address parse error during conversion from string: " * 2
        raise ValueError(f'{doubled}netip.ParsePrefix("{text}"): {fault}')
    found = ipaddress.ip_interface(text)
    if isinstance(found, ipaddress.IPv6Interface) and found.ip.ipv4_mapped:
        raise ValueError(
            "network address parse error during conversion from string: "
            f'IPv4-mapped IPv6 address "{text}" is not allowed'
        )
    return found


def _fault_of_cidr(text: str) -> str | None:
    before, slash, bits = text.rpartition("/")
    if not slash:
        return "no '/'"
    try:
        address = ipaddress.ip_address(before)
    except ValueError:
        return f'ParseAddr("{before}"): unable to parse IP'
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "IPv6 zones cannot be present in a prefix"
    if not re.fullmatch("0|[1-9][0-9]*", bits):
        return f'bad bits after slash: "{bits}"'
    return "prefix length out of range" if int(bits) > address.max_prefixlen else None


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _ip(value: dict[str, Any]) -> Address:
    if IP not in value:
        raise ValueError("no such overload")
    return _read_ip(value[IP])


def _cidr(value: dict[str, Any]) -> Network:
    if CIDR not in value:
        raise ValueError("no such overload")
    return _read_cidr(value[CIDR])


def _holds_ip(value: dict[str, Any], other: Any) -> bool:
    return (_read_ip(other) if isinstance(other, str) else _ip(other)) in _cidr(value).network


def _holds_cidr(value: dict[str, Any], other: Any) -> bool:
    outer, inner = (
        _cidr(value).network,
        (_read_cidr(other) if isinstance(other, str) else _cidr(other)).network,
    )
    if outer.version != inner.version:
        return False
    return outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _masked(value: dict[str, Any]) -> dict[str, Any]:
    return {CIDR: str(_cidr(value).network)}


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    ("ip", ("string",), _OPAQUE, lambda text: {IP: str(_read_ip(text))}),
    ("isIP", ("string",), "bool", _is(_read_ip)),
    ("ip.isCanonical", ("string",), "bool", lambda text: str(_read_ip(text)) == text),
    (".family", (_OPAQUE,), "int", lambda value: _ip(value).version),
    (".isUnspecified", (_OPAQUE,), "bool", lambda value: _ip(value).is_unspecified),
    (".isLoopback", (_OPAQUE,), "bool", lambda value: _ip(value).is_loopback),
    (
        ".isLinkLocalMulticast",
        (_OPAQUE,),
        "bool",
        lambda value: (
            _ip(value) in ipaddress.ip_network("224.0.0.0/24" if _ip(value).version == 4 else "ff02::/16")
        ),
    ),
    (".isLinkLocalUnicast", (_OPAQUE,), "bool", lambda value: _ip(value).is_link_local),
    (
        ".isGlobalUnicast",
        (_OPAQUE,),
        "bool",
        lambda value: (
            not (
                _ip(value).is_unspecified
                or _ip(value).is_loopback
                or _ip(value).is_multicast
                or _ip(value).is_link_local
            )
            and str(_ip(value)) != "255.255.255.255"
        ),
    ),
    ("cidr", ("string",), _OPAQUE, lambda text: {CIDR: _read_cidr(text).with_prefixlen}),
    ("isCIDR", ("string",), "bool", _is(_read_cidr)),
    (".containsIP", (_OPAQUE, "string"), "bool", _holds_ip),
    (".containsIP", (_OPAQUE, _OPAQUE), "bool", _holds_ip),
    (".containsCIDR", (_OPAQUE, "string"), "bool", _holds_cidr),
    (".containsCIDR", (_OPAQUE, _OPAQUE), "bool", _holds_cidr),
    (".ip", (_OPAQUE,), _OPAQUE, lambda value: {IP: str(_cidr(value).ip)}),
    (".prefixLength", (_OPAQUE,), "int", lambda value: _cidr(value).network.prefixlen),
    (".masked", (_OPAQUE,), _OPAQUE, _masked),
]
