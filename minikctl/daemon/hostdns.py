"""How the machine itself resolves names: what pods with dnsPolicy Default and the cluster's DNS build on."""

from __future__ import annotations

from collections.abc import Sequence

HOSTS = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
BEHIND_STUB = "/run/systemd/resolve/resolv.conf"
"""Where systemd-resolved has the true servers when resolv.conf has only its stub on loopback."""


def lines(path: str = RESOLV_CONF, behind_stub: str = BEHIND_STUB) -> tuple[str, ...]:
    """Return the machine's resolv.conf without comments; servers on loopback are not reachable for pods."""
    found = _read(path)
    if _servers(found) and not any(map(_is_reachable, _servers(found))):
        found = _read(behind_stub) or found
    return tuple(line for line in found if _is_kept(line))


def hosts(path: str = HOSTS) -> str:
    """Return the machine's own table of hosts, "" if it has none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""


def servers(path: str = RESOLV_CONF, behind_stub: str = BEHIND_STUB) -> tuple[str, ...]:
    """Return the addresses of the machine's name servers that others can reach."""
    return tuple(_servers(lines(path, behind_stub)))


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            stripped = [line.strip() for line in source]
    except OSError:
        return []
    return [line for line in stripped if line and line[0] not in "#;"]


def _servers(found: Sequence[str]) -> list[str]:
    parts = [line.split() for line in found]
    return [part[1] for part in parts if part[0] == "nameserver" and len(part) > 1]


def _is_reachable(server: str) -> bool:
    return not server.startswith("127.") and server != "::1"


def _is_kept(line: str) -> bool:
    return all(map(_is_reachable, _servers([line])))
