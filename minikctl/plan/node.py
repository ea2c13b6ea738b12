"""Node: registered with what its machine has, ready while its engine answers, alive by its Lease.

One machine may play several nodes, each with its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from minikctl.model import kinds, objects, quantity
from minikctl.model.actions.api import ApiAction, Create, Patch, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import conditions

KUBELET = "kubelet"
"""Who tells what becomes of a node."""
LEASE_NAMESPACE = "kube-node-lease"
RENEW_SECONDS = 10.0
RENEWALS_PER_SECOND = 10
"""Of very many simulated nodes each renews its Lease less often, so that together they stay cheap."""
LEASE_RENEWALS = 4
"""A Lease lasts as long as so many renewals."""
ZONE = "topology.kubernetes.io/zone"
REPORT = timedelta(minutes=5)
"""A status that does not change is written again after this time, with a new heartbeat."""
COLLISION = "RouteCollision"
"""A condition that is there once a route of the machine has led past the pods, as those of VPNs may."""
SILENCED = "minikctl.dev/silenced"
"""An annotation: "true" has a node report nothing any more, as if its machine were lost."""


@dataclass(frozen=True)
class Facts:
    """What the machine and its engine are; ``collision`` says which route leads past the pods, "" if none."""

    cpus: int
    memory_bytes: int
    architecture: str
    operating_system: str
    kernel: str
    os_image: str
    runtime: str
    address: str
    storage_bytes: int = 0
    max_pods: int = 110
    collision: str = ""


@dataclass(frozen=True)
class Place:
    """What sets a node apart where one machine plays several: how many share it, what it is said to have."""

    zone: str = ""
    sharers: int = 1
    capacity: Mapping[str, str] = field(default_factory=dict)

    @property
    def renew_seconds(self) -> float:
        """Return how often the Lease is renewed."""
        return max(RENEW_SECONDS, self.sharers / RENEWALS_PER_SECOND)


@dataclass(frozen=True)
class View:
    """A node by name, as registered (None: not yet), its Lease, and its machine.

    ``facts`` are the latest known, None if the engine never answered; ``trouble`` says in a kubelet's words
    why the node is not ready, "" if it is.
    """

    name: str
    version: str
    node: Object | None
    lease: Object | None
    facts: Facts | None
    trouble: str = ""
    place: Place = Place()

    @property
    def object(self) -> Object:
        """Return the Node, empty before its registration."""
        return self.node or {}


def desired(view: View, now: datetime) -> Plan:
    """Return the registration, then the status when it changed or grew old, and the renewal of the Lease."""
    if view.node is None:
        if view.facts is None:
            return Plan(wake_in=RENEW_SECONDS)
        return Plan(_beginning(_registration(view, view.facts, now)), wake_in=RENEW_SECONDS)
    if objects.annotations(view.node).get(SILENCED) == "true":
        return Plan(wake_in=None)
    actions = [*_labels(view), *_renewal(view, now), *_warning(view)]
    renewed = _renewed_at(view.lease) if not any(_is_renewal(each) for each in actions) else now
    pause = timedelta(seconds=view.place.renew_seconds)
    next_renewal = (renewed + pause - now).total_seconds() if renewed else 0.0
    status = _status(view, view.node, now)
    actions += _turned(view.node, objects.status(view.node), status)
    return Plan(tuple(actions), status, max(next_renewal, 0.1))


def _beginning(node: Object) -> tuple[ApiAction, ...]:
    """Return the registration and what is told of it; a kubelet's events have a node's name for its uid."""
    name = objects.name(node)
    known = {**node, "metadata": {"name": name, "uid": name}}
    text = f"Node {name} event: Registered Node {name} in Controller"
    told = RecordEvent(known, "Normal", "RegisteredNode", text, "node-controller")
    return (Create(kinds.NODE, node), told, *_turned(known, {}, objects.status(node)))


def _turned(node: Object, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[RecordEvent]:
    """Yield that the node got ready, or is so no more."""
    was, now = (
        (conditions.find(each.get("conditions") or (), "Ready") or {}).get("status")
        for each in (before, after)
    )
    if (was == "True") == (now == "True"):
        return
    reason = "NodeReady" if now == "True" else "NodeNotReady"
    text = f"Node {objects.name(node)} status is now: {reason}"
    yield RecordEvent(node, "Normal", reason, text, KUBELET)


def _registration(view: View, facts: Facts, now: datetime) -> Object:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": view.name, "labels": _own_labels(view, facts)},
        "spec": {},
    }
    return {**node, "status": _status(view, node, now)}


def _own_labels(view: View, facts: Facts) -> dict[str, str]:
    zone = {ZONE: view.place.zone} if view.place.zone else {}
    return {
        **zone,
        "kubernetes.io/hostname": view.name,
        "kubernetes.io/os": facts.operating_system,
        "kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": facts.operating_system,
        "beta.kubernetes.io/arch": facts.architecture,
    }


def _labels(view: View) -> list[ApiAction]:
    if view.facts is None:
        return []
    present = objects.labels(view.object)
    changed = {key: each for key, each in _own_labels(view, view.facts).items() if present.get(key) != each}
    if not changed:
        return []
    return [Patch(kinds.NODE, "", view.name, {"metadata": {"labels": changed}})]


def _status(view: View, node: Object, now: datetime) -> dict[str, Any]:
    present = objects.status(node)
    found = list(present.get("conditions") or ())
    for each in _conditions(view, now):
        found = conditions.refreshed(found, each)
    status = {**present, **(_described(view, view.facts, present) if view.facts else {}), "conditions": found}
    if status == present and not _is_old(present, now):
        return status
    # Whenever the status is written, all heartbeats are.
    beating = [{**each, "lastHeartbeatTime": objects.timestamp(now)} for each in found]
    return {**status, "conditions": beating}


def _is_old(status: dict[str, Any], now: datetime) -> bool:
    ready = conditions.find(status.get("conditions") or (), "Ready") or {}
    beat = objects.parse_time(ready.get("lastHeartbeatTime"))
    return beat is None or not -REPORT < now - beat < REPORT


def _conditions(view: View, now: datetime) -> list[dict[str, Any]]:
    healthy = (
        ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    )
    found = [conditions.new(kind, "False", reason, message, now) for kind, reason, message in healthy]
    found += _collision(view, now)
    if view.trouble:
        return [*found, conditions.new("Ready", "False", "KubeletNotReady", view.trouble, now)]
    return [
        *found,
        conditions.new("Ready", "True", "KubeletReady", "kubelet is posting ready status", now),
    ]


def _collision(view: View, now: datetime) -> list[dict[str, Any]]:
    """Return the condition that tells of a route past the pods, once there has been one."""
    words = view.facts.collision if view.facts else ""
    if words:
        return [conditions.new(COLLISION, "True", "RouteLeadsElsewhere", words, now)]
    known = conditions.find(objects.status(view.object).get("conditions") or (), COLLISION)
    message = "no route of the machine leads past the pods"
    return [conditions.new(COLLISION, "False", "RoutesLeadToPods", message, now)] if known else []


def _warning(view: View) -> list[ApiAction]:
    """Return the event of a route past the pods, when it has just come."""
    words = view.facts.collision if view.facts else ""
    known = conditions.find(objects.status(view.object).get("conditions") or (), COLLISION) or {}
    if not words or (known.get("status"), known.get("message")) == ("True", words):
        return []
    return [RecordEvent(view.object, "Warning", COLLISION, words, "kubelet")]


def _described(view: View, facts: Facts, present: Mapping[str, Any]) -> dict[str, Any]:
    capacity = {**_advertised(present), **_capacity(facts, view.place)}
    return {
        "addresses": [
            {"type": type_, "address": address}
            for type_, address in (("InternalIP", facts.address), ("Hostname", view.name))
            if address
        ],
        "capacity": capacity,
        "allocatable": dict(capacity),
        "nodeInfo": {
            "architecture": facts.architecture,
            "bootID": "",
            "containerRuntimeVersion": facts.runtime,
            "kernelVersion": facts.kernel,
            "kubeProxyVersion": view.version,
            "kubeletVersion": view.version,
            "machineID": "",
            "operatingSystem": facts.operating_system,
            "osImage": facts.os_image,
            "systemUUID": "",
        },
    }


def _advertised(present: Mapping[str, Any]) -> dict[str, str]:
    """Return the extended resources that somebody gave the node by its status: a kubelet keeps them."""
    return {name: amount for name, amount in (present.get("capacity") or {}).items() if "/" in name}


def _capacity(facts: Facts, place: Place) -> dict[str, str]:
    """Return the node's share of the machine, and what it is said to have instead."""
    found = {
        "cpu": quantity.canonical(f"{facts.cpus * 1000 // place.sharers}m"),
        "ephemeral-storage": f"{facts.storage_bytes // place.sharers // 1024}Ki",
        "memory": f"{facts.memory_bytes // place.sharers // 1024}Ki",
        "pods": str(facts.max_pods),
    }
    if not facts.storage_bytes:
        del found["ephemeral-storage"]
    return {**found, **place.capacity}


def _renewal(view: View, now: datetime) -> list[ApiAction]:
    if view.lease is None:
        return [Create(kinds.LEASE, _lease(view, now))]
    renewed = _renewed_at(view.lease)
    # A moment to come is one of before the clock was set back.
    if renewed is not None and 0 <= (now - renewed).total_seconds() < view.place.renew_seconds:
        return []
    body = {"spec": {"renewTime": objects.micro_timestamp(now)}}
    return [Patch(kinds.LEASE, LEASE_NAMESPACE, view.name, body)]


def _is_renewal(action: ApiAction) -> bool:
    return isinstance(action, Create | Patch) and action.kind is kinds.LEASE


def _renewed_at(lease: Object | None) -> datetime | None:
    return objects.parse_time(objects.spec(lease or {}).get("renewTime"))


def _lease(view: View, now: datetime) -> Object:
    owner = {"apiVersion": "v1", "kind": "Node", "name": view.name, "uid": objects.uid(view.object)}
    stamp = objects.micro_timestamp(now)
    return {
        "apiVersion": kinds.LEASE.api_version,
        "kind": "Lease",
        "metadata": {"name": view.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": view.name,
            "leaseDurationSeconds": int(LEASE_RENEWALS * view.place.renew_seconds),
            "renewTime": stamp,
        },
    }
