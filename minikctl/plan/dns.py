"""What a container's resolver is told: resolv.conf by dnsPolicy and dnsConfig, as kubelet forms it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_CHARACTERS = 2048
EMBEDDED_RESOLVER = "127.0.0.11"
"""Docker's own resolver, which is in every network namespace of a user-defined network."""


NO_CLUSTER_DNS = (
    "Cluster DNS cannot be reached from the host's network, which has no routes to Services; "
    "the host's resolver is used"
)


@dataclass(frozen=True)
class Resolver:
    """The three lists of a resolv.conf; an option is (name, value), value "" for a flag."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Resolution:
    """A finished resolv.conf and what had to be left out of it, as messages for DNSConfigForming events."""

    text: str
    warnings: tuple[str, ...] = ()


def resolution(pod: objects.Object, dns_ip: str, domain: str, host_lines: Sequence[str]) -> Resolution:
    """Return the pod's resolv.conf and the warnings about what it cannot be.

    ``host_lines`` are those of the host's file.
    """
    spec = objects.spec(pod)
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    host_network = bool(spec.get("hostNetwork"))
    host = parse(host_lines) if host_network else reachable(parse(host_lines))
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or host_network:
        base = host
    else:
        base = Resolver((dns_ip,), cluster_searches(pod, domain) + host.searches, (("ndots", "5"),))
    found = limited(merged(base, spec.get("dnsConfig") or {}))
    if policy == "ClusterFirstWithHostNet" and host_network:
        # Service addresses are not routed in the host's namespace: a query would leave the machine.
        return Resolution(found.text, (NO_CLUSTER_DNS, *found.warnings))
    return found


def cluster_searches(pod: objects.Object, domain: str) -> tuple[str, ...]:
    """Return the search domains that make ``svc`` and ``svc.ns`` resolve from the pod's namespace."""
    namespace = objects.namespace(pod) or "default"
    return (f"{namespace}.svc.{domain}", f"svc.{domain}", domain)


def parse(lines: Iterable[str]) -> Resolver:
    """Return what a resolv.conf says; comments and repeated ``search`` lines as resolvers take them."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[tuple[str, str]] = []
    for line in lines:
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search" | "domain", *names]:
                searches = tuple(name for name in names if name != ".")
            case ["options", *found]:
                options.extend((name, value) for name, _, value in (word.partition(":") for word in found))
    return Resolver(tuple(nameservers), searches, tuple(options))


def reachable(host: Resolver) -> Resolver:
    """Return the host's resolver as a pod can reach it: a loopback server is reached through the engine's."""
    found = tuple(EMBEDDED_RESOLVER if is_loopback(server) else server for server in host.nameservers)
    return Resolver(unique(found or (EMBEDDED_RESOLVER,)), host.searches, host.options)


def is_loopback(address: str) -> bool:
    """Tell whether the address means the machine itself."""
    return address.startswith("127.") or address == "::1"


def merged(base: Resolver, config: Mapping[str, Any]) -> Resolver:
    """Return ``base`` with the pod's dnsConfig appended; its options win by name."""
    options = dict(base.options)
    for option in config.get("options") or ():
        options[str(option.get("name") or "")] = str(option.get("value") or "")
    return Resolver(
        unique(base.nameservers + tuple(config.get("nameservers") or ())),
        unique(base.searches + tuple(config.get("searches") or ())),
        tuple(options.items()),
    )


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values in order, each once."""
    return tuple(dict.fromkeys(values))


def limited(resolver: Resolver) -> Resolution:
    """Return the text cut to what resolvers accept, with a warning for each cut."""
    warnings: list[str] = []
    nameservers = resolver.nameservers[:MAX_NAMESERVERS]
    if nameservers != resolver.nameservers:
        warnings.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            f"the applied nameserver line is: {' '.join(nameservers)}"
        )
    searches = fitting(resolver.searches)
    if searches != resolver.searches:
        warnings.append(
            "Search Line limits were exceeded, some search paths have been omitted, "
            f"the applied search line is: {' '.join(searches)}"
        )
    return Resolution(text(Resolver(nameservers, searches, resolver.options)), tuple(warnings))


def fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first search domains that fit the resolver's number and length."""
    kept = list(searches[:MAX_SEARCHES])
    while kept and len(" ".join(kept)) > MAX_SEARCH_CHARACTERS:
        kept.pop()
    return tuple(kept)


def text(resolver: Resolver) -> str:
    """Return the file's text, each line ended."""
    lines = []
    if resolver.searches:
        lines.append("search " + " ".join(resolver.searches))
    lines += [f"nameserver {address}" for address in resolver.nameservers]
    if resolver.options:
        words = (f"{name}:{value}" if value else name for name, value in resolver.options)
        lines.append("options " + " ".join(words))
    return "".join(line + "\n" for line in lines)
