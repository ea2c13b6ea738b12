"""The cluster's DNS records, as the DNS-based service discovery specification 1.1.0 has them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.plan import proxy_view
from minikctl.plan.dns_zones import reverse_name

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

    def pointer(self, address: str, name: str) -> None:
        self.sets[reverse_name(address), "PTR"].add(f"{name.lower()}.{self.domain}.")

    def service_record(self, port: Mapping[str, Any], number: int, owner: str, target: str) -> None:
        """Add the SRV record of a port that has a name."""
        if port.get("name"):
            protocol = str(port.get("protocol") or "TCP").lower()
            data = f"0 100 {number} {target.lower()}.{self.domain}."
            self.add(f"_{port['name']}._{protocol}.{owner}", "SRV", data)


def desired(view: View) -> Records:
    """Return all records that cluster DNS has to hold, besides the zones' own SOA and NS."""
    found = _Found(view.domain)
    found.add("dns-version", "TXT", f'"{SPECIFICATION}"')
    pieces = proxy_view.slices_by_service(view.slices)
    for service in view.services:
        _service(found, service, pieces.get(objects.key(service), ()))
    for pod in view.pods:
        if record := of_pod(pod, view.domain):
            found.sets[record[0]].add(record[1])
    return {key: frozenset(data) for key, data in found.sets.items()}


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
    if addresses:
        for port in spec.get("ports") or ():
            found.service_record(port, int(port.get("port") or 0), name, name)
    elif spec.get("clusterIP") == "None":
        _headless(found, name, slices)


def _headless(found: _Found, name: str, slices: Sequence[objects.Object]) -> None:
    for piece in slices:
        for entry in piece.get("endpoints") or ():
            if (entry.get("conditions") or {}).get("ready") is False:
                continue
            for address in entry.get("addresses") or ():
                host = f"{entry.get('hostname') or dashed(address)}.{name}"
                found.add(name, "A", address)
                found.add(host, "A", address)
                found.pointer(address, host)
                for port in piece.get("ports") or ():
                    found.service_record(port, int(port.get("port") or 0), name, host)


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
