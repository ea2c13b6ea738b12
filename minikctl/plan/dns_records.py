"""The cluster's DNS records: those of the DNS-based service discovery specification 1.1.0, and CoreDNS' own.

These are SRV records of all ports at the names of Services and endpoints, addresses at the names of ports,
and names of endpoints of Services that have an address.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.plan import proxy_view
from minikctl.plan.dns_zones import MARKER, reverse_name

SPECIFICATION = "1.1.0"
LABEL_LIMIT = 63
"""No label of a name in DNS is longer; the API takes longer ones in an external name, and port names to which
SRV records add a character."""
NAME_LIMIT = 254
"""No absolute name in DNS is longer, its last dot included."""

RecordKey = tuple[str, str]
"""(absolute name, type)."""
Records = Mapping[RecordKey, frozenset[str]]
"""Every record set: its data as in a zone file."""


@dataclass(frozen=True)
class View:
    """What the records are made from; names of pods may be kept beside, as each needs its pod only."""

    services: tuple[objects.Object, ...]
    slices: tuple[objects.Object, ...]
    pods: tuple[objects.Object, ...]
    domain: str
    namespaces: tuple[str, ...] = ()
    """Those that there are: their names exist, without data of any type, whatever is in them."""


@dataclass(frozen=True)
class _Way:
    """One port at one address, and the name to ask for it, without the domain."""

    port: Mapping[str, Any]
    host: str
    address: str


class _Found:
    """Records being collected."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self.sets: defaultdict[RecordKey, set[str]] = defaultdict(set)

    def add(self, name: str, type: str, data: str) -> None:
        """Add a record, unless DNS has no room for its name: what cannot be written would stop the others."""
        owner = f"{name.lower()}.{self.domain}."
        if fits(owner):
            self.sets[owner, type].add(data)

    def records(self) -> Records:
        """Return what was collected."""
        return {key: frozenset(data) for key, data in self.sets.items()}

    def pointer(self, address: str, name: str) -> None:
        self.sets[reverse_name(address), "PTR"].add(f"{name.lower()}.{self.domain}.")

    def ports(self, name: str, ways: Sequence[_Way]) -> None:
        """Add the SRV records of a Service: all at its name, and those of each named port at the port's."""
        self.services(name, ways)
        named: defaultdict[str, list[_Way]] = defaultdict(list)
        for way in ways:
            if way.port.get("name"):
                protocol = str(way.port.get("protocol") or "TCP").lower()
                named[f"_{way.port['name']}._{protocol}.{name}"].append(way)
        for owner, some in named.items():
            self.services(owner, some)
            for way in some:
                self.add(owner, "A", way.address)

    def services(self, owner: str, ways: Sequence[_Way]) -> None:
        """Add SRV records that share the weight of 100."""
        for way in ways:
            if number := int(way.port.get("port") or 0):
                weight = max(1, 100 // len(ways))
                self.add(owner, "SRV", f"0 {weight} {number} {way.host.lower()}.{self.domain}.")


def desired(view: View) -> Records:
    """Return all records that cluster DNS has to hold, besides the zones' own SOA and NS."""
    pieces = proxy_view.slices_by_service(view.slices)
    parts = [of_all(view.namespaces, view.domain)]
    parts += [of_service(one, pieces.get(objects.key(one), ()), view.domain) for one in view.services]
    pods = [of_pod(one, view.domain) for one in view.pods]
    parts += [{one[0]: frozenset({one[1]})} for one in pods if one]
    return joined(parts)


def of_all(namespaces: Iterable[str], domain: str) -> Records:
    """Return what is no Service's and no pod's."""
    found = _Found(domain)
    found.add("dns-version", "TXT", f'"{SPECIFICATION}"')
    for namespace in namespaces:
        for kind in ("svc", "pod"):
            found.add(f"{MARKER}.{namespace}.{kind}", "TXT", '"namespace"')
    return found.records()


def of_service(service: objects.Object, slices: Sequence[objects.Object], domain: str) -> Records:
    """Return the records of a Service with these slices."""
    found = _Found(domain)
    _service(found, service, slices)
    return found.records()


def joined(parts: Iterable[Records]) -> Records:
    """Return the records of all parts together; an address may have names by several Services."""
    found: dict[RecordKey, frozenset[str]] = {}
    for part in parts:
        for key, data in part.items():
            held = found.get(key)
            found[key] = data if held is None else held | data
    return found


def _service(found: _Found, service: objects.Object, slices: Sequence[objects.Object]) -> None:
    spec = objects.spec(service)
    name = f"{objects.name(service)}.{objects.namespace(service)}.svc"
    if spec.get("type") == "ExternalName":
        target = str(spec.get("externalName") or "").rstrip(".")
        if target and fits(f"{target}."):
            found.add(name, "CNAME", f"{target}.")
        return
    addresses = proxy_view.cluster_addresses(spec)
    for address in addresses:
        found.add(name, "A", address)
        found.pointer(address, name)
    ways = [_Way(port, name, address) for port in spec.get("ports") or () for address in addresses]
    if addresses or spec.get("clusterIP") == "None":
        behind = _endpoints(found, name, slices, headless=not addresses)
        found.ports(name, ways if addresses else behind)


def _endpoints(
    found: _Found, name: str, slices: Sequence[objects.Object], *, headless: bool
) -> Sequence[_Way]:
    """Add the names of the ready endpoints of a Service; return the ways there."""
    ways: list[_Way] = []
    hosts: defaultdict[str, list[_Way]] = defaultdict(list)
    for piece in slices:
        ports = piece.get("ports") or ()
        for entry in piece.get("endpoints") or ():
            if (entry.get("conditions") or {}).get("ready") is False:
                continue
            for address in entry.get("addresses") or ():
                host = f"{entry.get('hostname') or dashed(address)}.{name}"
                if headless:
                    found.add(name, "A", address)
                found.add(host, "A", address)
                found.pointer(address, host)
                own = [_Way(port, host, address) for port in ports]
                hosts[host] += own
                ways += own
    for host, some in hosts.items():
        found.services(host, some)
    return ways


def of_pod(pod: objects.Object, domain: str) -> tuple[RecordKey, str] | None:
    """Return the name and the address of a pod that lives: none is vouched for after its pod."""
    status = objects.status(pod)
    address = str(status.get("podIP") or "")
    if status.get("phase") in ("Succeeded", "Failed") or not proxy_view.is_ipv4(address):
        return None
    return (f"{dashed(address)}.{objects.namespace(pod)}.pod.{domain}.".lower(), "A"), address


def dashed(address: str) -> str:
    """Return the label that stands for an address."""
    return str(ipaddress.IPv4Address(address)).replace(".", "-")


def fits(name: str) -> bool:
    """Tell whether an absolute name is short enough for DNS, as a whole and in each label."""
    return len(name) <= NAME_LIMIT and all(len(label) <= LABEL_LIMIT for label in name.split("."))


def by_zone(records: Records, zones: Sequence[str]) -> dict[str, Records]:
    """Return the records of each zone; those that no zone contains are left out."""
    found: dict[str, dict[RecordKey, frozenset[str]]] = {zone: {} for zone in zones}
    suffixes = [(f".{zone}.", zone) for zone in sorted(zones, key=len, reverse=True)]
    for key, data in records.items():
        name = f".{key[0]}"
        for suffix, zone in suffixes:
            if name.endswith(suffix):
                found[zone][key] = data
                break
    return dict(found)


def difference(held: Records, wanted: Records) -> Records:
    """Return the record sets to be set so that ``held`` becomes ``wanted``; an empty one is to be deleted."""
    gone: dict[RecordKey, frozenset[str]] = {key: frozenset() for key in held if key not in wanted}
    return gone | {key: data for key, data in wanted.items() if held.get(key) != data}


def batches(changes: Records, limit: int) -> Iterable[Records]:
    """Yield the changes in parts of at most that many characters; those of one name stay together.

    Deletions come first within a name, as a CNAME and other data cannot be there at the same time.
    """
    by_name: defaultdict[str, list[tuple[RecordKey, frozenset[str]]]] = defaultdict(list)
    for key, data in changes.items():
        by_name[key[0]].append((key, data))
    part: dict[RecordKey, frozenset[str]] = {}
    size = 0
    for name, entries in by_name.items():
        entries.sort(key=lambda entry: (bool(entry[1]), entry[0]))
        length = sum(len(name) + 32 + sum(len(one) + 16 for one in data) for _, data in entries)
        if part and size + length > limit:
            yield part
            part, size = {}, 0
        part |= dict(entries)
        size += length
    if part:
        yield part
