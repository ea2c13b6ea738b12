"""Where cluster DNS asks for names that are not the cluster's, by the ConfigMap that CoreDNS users know.

``kube-system/coredns`` has a Corefile, ``coredns-custom`` further ``*.server`` blocks and ``*.override``
plugins.  ``forward`` (also to stub domains), ``hosts``, ``rewrite name`` of one name, ``log`` and the ``ttl``
of ``kubernetes`` are done by the name server; what has no counterpart here is listed, so that it can be told.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from minikctl.plan import corefile, dns_overrides, dns_zones
from minikctl.plan.corefile import Block, Directive
from minikctl.plan.dns_overrides import Override
from minikctl.plan.dns_zones import TTL

CONFIG_MAP = "coredns"
CUSTOM = "coredns-custom"
HOST_FILE = "/etc/resolv.conf"
DEFAULT_PORT = "53"
MAX_TTL = 3600
MAX_PORT = 65535
_DONE_OTHERWISE = frozenset(
    {
        "autopath",
        "bind",
        "bufsize",
        "cache",
        "cancel",
        "debug",
        "errors",
        "health",
        "import",
        "lameduck",
        "loadbalance",
        "loop",
        "minimal",
        "ready",
        "reload",
        "root",
        "timeouts",
    }
)
"""Plugins that either describe what the name server does anyway, or do not change any answer."""


_AS_HERE = ("pods verified",)
_WITHOUT_EFFECT = ("endpoint", "fallthrough", "kubeconfig", "startup_timeout", "tls")
"""Options of kubernetes that say what is so anyway, where the API is, or what to do with names of others."""
_CHANGING = ("except", "force_tcp")
"""Options of forward that change who is asked, and how."""


@dataclass(frozen=True)
class Forwarding:
    """Servers for all other names, for some zones, whether queries are logged, and what is not done.

    A server is an address, or ``address port number``; ``ttl`` is that of the cluster's records;
    ``overrides`` are answered before anything else.
    """

    upstreams: tuple[str, ...] = ()
    stubs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    log: bool = False
    ignored: tuple[str, ...] = ()
    ttl: int = TTL
    overrides: tuple[Override, ...] = ()


def read(
    data: Mapping[str, str], custom: Mapping[str, str], host: Sequence[str], zones: Sequence[str]
) -> Forwarding:
    """Return what the ConfigMaps' data ask for; without a Corefile the host's servers are asked.

    ``zones`` are the name server's own, the cluster's domain first: nobody else is asked about them.

    Raises ``corefile.Malformed``.
    """
    text = data.get("Corefile")
    if text is None:
        return Forwarding(tuple(host))
    extra = [text for name, text in sorted(custom.items()) if name.endswith(".override")]
    blocks = [*corefile.parse(text)]
    for name, more in sorted(custom.items()):
        if name.endswith(".server"):
            blocks += corefile.parse(more)
    found = _Found(host, zones, data)
    for block in blocks:
        found.block(block)
    for one in extra:
        found.directives(["."], corefile.parse_directives(one))
    return found.forwarding()


class _Found:
    """What the blocks ask for, being collected."""

    def __init__(self, host: Sequence[str], own: Sequence[str], files: Mapping[str, str]) -> None:
        self._files = files
        self._overrides: list[Override] = []
        self._host = tuple(host)
        self._own = frozenset(own)
        self._domain = own[0]
        self._upstreams: tuple[str, ...] = ()
        self._stubs: dict[str, tuple[str, ...]] = {}
        self._log = False
        self._ttl = TTL
        self._ignored: list[str] = []

    def forwarding(self) -> Forwarding:
        stubs = tuple(sorted(self._stubs.items()))
        ignored, overrides = tuple(dict.fromkeys(self._ignored)), dns_overrides.settled(self._overrides)
        return Forwarding(self._upstreams, stubs, self._log, ignored, self._ttl, overrides)

    def block(self, block: Block) -> None:
        self.directives([zone for one in block.zones for zone in zones_of(one)], block.directives)

    def directives(self, zones: Sequence[str], directives: Iterable[Directive]) -> None:
        for one in directives:
            if one.name == "forward":
                self._forward(zones, one)
            elif one.name == "kubernetes":
                self._kubernetes(one)
            elif one.name == "hosts":
                answers, ignored = dns_overrides.hosts(zones, one, self._files)
                self._overrides += answers
                self._ignored += ignored
            elif one.name == "rewrite":
                alias = dns_overrides.rewrite(zones, one)
                self._overrides += [alias] if alias else []
                self._ignored += [] if alias else [" ".join((one.name, *one.arguments))]
            elif one.name == "log":
                self._log = True
            elif one.name not in _DONE_OTHERWISE:
                self._ignored.append(one.name)

    def _kubernetes(self, directive: Directive) -> None:
        for one in directive.body:
            words = " ".join((one.name, *one.arguments))
            if one.name == "ttl":
                self._ttl = _ttl(one.arguments)
            elif words not in _AS_HERE and one.name not in _WITHOUT_EFFECT:
                self._ignored.append(f"kubernetes {words}")

    def _forward(self, zones: Sequence[str], directive: Directive) -> None:
        if len(directive.arguments) < 2:
            raise corefile.Malformed("forward needs FROM and TO")
        source, *wanted = directive.arguments
        servers = tuple(server for one in wanted for server in self._servers(one))
        self._ignored += [f"forward {one.name}" for one in directive.body if one.name in _CHANGING]
        for zone in zones if source == "." else zones_of(source):
            if zone == ".":
                self._upstreams = servers
            elif zone in self._own or zone.endswith(f".{self._domain}"):
                self._ignored.append(f"forward of {zone}")
            elif servers:
                self._stubs[zone] = servers

    def _servers(self, text: str) -> tuple[str, ...]:
        if text == HOST_FILE:
            return self._host
        address, _, port = text.removeprefix("dns://").partition(":")
        try:
            ipaddress.IPv4Address(address)
        except ValueError:
            self._ignored.append(f"forward to {text}")
            return ()
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port) <= MAX_PORT):
            raise corefile.Malformed(f"forward to {text}: {port} is no port")
        return (address if port in ("", DEFAULT_PORT) else f"{address} port {int(port)}",)


def _ttl(arguments: Sequence[str]) -> int:
    """Return what ``ttl`` says; CoreDNS takes the same range (plugin/kubernetes/setup.go)."""
    if len(arguments) != 1 or not arguments[0].isdecimal() or int(arguments[0]) > MAX_TTL:
        raise corefile.Malformed(f"ttl must be in range [0, {MAX_TTL}]: {' '.join(arguments) or 'nothing'}")
    return int(arguments[0])


def zones_of(text: str) -> list[str]:
    """Return the zones that a word in a server block's head names: ``.:53``, ``example.org``, 10.0.0.0/24."""
    zone = text.partition("://")[2] or text
    zone = zone.rpartition(":")[0] if ":" in zone else zone
    if "/" in zone:
        try:
            return dns_zones.reverse_zones(zone)
        except ValueError:
            raise corefile.Malformed(f"{text} is no zone") from None
    name = zone.lower().removesuffix(".")
    if name and not dns_overrides.NAME.fullmatch(name):
        raise corefile.Malformed(f"{text} is no zone")
    return [name or "."]
