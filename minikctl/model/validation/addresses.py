"""IP addresses in objects."""

from __future__ import annotations

import ipaddress

_SPECIAL = {
    "is_unspecified": "may not be unspecified (0.0.0.0 or ::)",
    "is_loopback": "may not be in the loopback range (127.0.0.0/8, ::1/128)",
    "is_link_local": "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
    "is_multicast": "may not be in the multicast range (224.0.0.0/4, ff00::/8)",
}


def ip(value: str) -> list[str]:
    """Return what makes the value no IP address."""
    return [] if _parsed(value) else ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]


def canonical_ip(value: str) -> list[str]:
    """Return what makes the value no IP address in its one canonical form."""
    found = _parsed(value)
    if found is None:
        return ip(value)
    return [] if str(found) == value else [f'must be in canonical form ("{found}")']


def _parsed(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def family(value: str, wanted: str) -> list[str]:
    """Return what makes the value no address of that family, IPv4 or IPv6."""
    found = _parsed(value)
    if found is None:
        return ip(value)
    return [] if f"IPv{found.version}" == wanted else [f"must be an {wanted} address"]


def reachable(value: str) -> list[str]:
    """Return what makes the value no address at which another machine could be reached."""
    found = _parsed(value)
    if found is None:
        return ip(value)
    return [text for attribute, text in _SPECIAL.items() if getattr(found, attribute)]


def cidr(value: str) -> list[str]:
    """Return what makes the value no range of addresses."""
    try:
        ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        sound = False
    else:
        sound = "/" in value
    return [] if sound else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
