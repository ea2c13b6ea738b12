"""Nodes with what is on them: kept up to date by each change, so that no plan counts all pods again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import readiness
from minikctl.plan.scheduler import requests
from minikctl.plan.scheduler.facts import PodFacts

ZONE = "topology.kubernetes.io/zone"
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Room:
    """A node and what is left of it."""

    __slots__ = ("have", "labels", "likely", "name", "node", "owners", "pods", "ports", "used", "zone")

    def __init__(self, node: Object) -> None:
        self.pods: dict[str, PodFacts] = {}
        self.used: dict[str, int] = {}
        self.likely = (0, 0)
        self.ports: Counter[requests.Port] = Counter()
        self.owners: Counter[str] = Counter()
        self.renew(node)

    def renew(self, node: Object) -> None:
        """Take what the node says of itself now."""
        self.node = node
        self.name = objects.name(node)
        self.labels: Mapping[str, str] = objects.labels(node)
        self.zone = self.labels.get(ZONE, "")
        self.have = requests.allocatable(node)

    def copy(self) -> Room:
        """Return a room that can be changed without this one."""
        found = Room.__new__(Room)
        for name in ("node", "name", "labels", "zone", "have", "likely"):
            setattr(found, name, getattr(self, name))
        found.pods, found.used = dict(self.pods), dict(self.used)
        found.ports, found.owners = Counter(self.ports), Counter(self.owners)
        return found

    def add(self, pod: PodFacts) -> None:
        """Put the pod on the node."""
        self.pods[pod.uid] = pod
        self._count(pod, 1)

    def remove(self, uid: str) -> None:
        """Take the pod off the node."""
        self._count(self.pods.pop(uid), -1)

    def _count(self, pod: PodFacts, sign: int) -> None:
        for name, amount in pod.requests.items():
            self.used[name] = self.used.get(name, 0) + sign * amount
        self.likely = (self.likely[0] + sign * pod.likely[0], self.likely[1] + sign * pod.likely[1])
        if pod.owner:
            self.owners[pod.owner] += sign
        for port in pod.ports:
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]

    @property
    def is_cordoned(self) -> bool:
        """Tell whether the node takes no new pods."""
        return bool(objects.spec(self.node).get("unschedulable"))

    @property
    def taints(self) -> list[Mapping[str, str]]:
        """Return the node's taints; being cordoned counts as one."""
        found = list(objects.spec(self.node).get("taints") or ())
        return [*found, _UNSCHEDULABLE] if self.is_cordoned else found


class Summary:
    """All nodes with their pods, and the pods that wait."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.waiting: dict[Key, PodFacts] = {}
        self.minding: dict[str, PodFacts] = {}
        """Bound pods with affinity terms of their own, by uid."""
        self._bound: dict[str, dict[str, PodFacts]] = {}
        """By node, also by nodes that are not there (yet), and by uid."""

    @classmethod
    def of(cls, nodes: Iterable[Object], pods: Iterable[Object]) -> Summary:
        """Return the summary of these nodes and pods."""
        found = cls()
        for node in nodes:
            found.node_changed(None, node)
        for pod in pods:
            found.pod_changed(None, pod)
        return found

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        """Follow one change of a node; one that is being deleted takes nothing any more."""
        name = objects.name(new or old or {})
        if new is None or objects.is_deleting(new):
            self.rooms.pop(name, None)
            return
        room = self.rooms.get(name)
        if room is not None:
            room.renew(new)
            return
        room = self.rooms[name] = Room(new)
        for pod in self._bound.get(name, {}).values():
            room.add(pod)

    def pod_changed(self, old: Object | None, new: Object | None) -> None:
        """Follow one change of a pod; a finished one takes no room."""
        if old is not None and new is not None and self._is_told(old, new):
            return
        if old is not None:
            self._forget(old)
        if new is None or readiness.is_finished(new):
            return
        pod = PodFacts(new)
        node = pod.node
        if not node:
            self.waiting[objects.key(new)] = pod
            return
        self._bound.setdefault(node, {})[pod.uid] = pod
        if pod.has_terms:
            self.minding[pod.uid] = pod
        if node in self.rooms:
            self.rooms[node].add(pod)

    def _is_told(self, old: Object, new: Object) -> bool:
        """Tell whether nothing changed that is read off a pod but the rest of its status, and keep that."""
        node = str(objects.spec(old).get("nodeName") or "")
        known = self._bound.get(node, {}).get(objects.uid(new)) or self.waiting.get(objects.key(new))
        if known is None or known.uid != objects.uid(new) or readiness.is_finished(new):
            return False
        readers = (objects.spec, objects.labels, objects.controller_of)
        if any(read(old) != read(new) for read in readers) or _asks_otherwise(known, old, new):
            return False
        known.pod = new
        return True

    def _forget(self, pod: Object) -> None:
        uid = objects.uid(pod)
        self.waiting.pop(objects.key(pod), None)
        self.minding.pop(uid, None)
        node = str(objects.spec(pod).get("nodeName") or "")
        if self._bound.get(node, {}).pop(uid, None) is not None and node in self.rooms:
            self.rooms[node].remove(uid)
        if node in self._bound and not self._bound[node]:
            del self._bound[node]


def _asks_otherwise(known: PodFacts, old: Object, new: Object) -> bool:
    """Tell whether a change of the status changes what the pod counts for."""
    return requests.told(old) != requests.told(new) and requests.of_pod(new) != known.requests
