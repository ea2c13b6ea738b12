"""A chain of links, and what is known of the cluster when it is walked."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import proxy_view
from minikctl.plan.node import ZONE
from minikctl.plan.proxy_view import Spot


class State(enum.Enum):
    """How a link is; the value is what is shown."""

    HOLDS = "ok"
    NOTE = "note"
    BROKEN = "BROKEN"
    UNKNOWN = "?"


@dataclass(frozen=True)
class Link:
    """One link: what it is about and a sentence on it."""

    name: str
    state: State
    words: str


def holds(name: str, words: str) -> Link:
    """Return a link that is as it should be."""
    return Link(name, State.HOLDS, words)


def note(name: str, words: str) -> Link:
    """Return a link that holds, but not as one may expect."""
    return Link(name, State.NOTE, words)


def broken(name: str, words: str) -> Link:
    """Return a link that does not hold."""
    return Link(name, State.BROKEN, words)


def unknown(name: str, words: str) -> Link:
    """Return a link that could not be looked at, and why."""
    return Link(name, State.UNKNOWN, words)


def first_broken(links: Iterable[Link]) -> Link | None:
    """Return the link that everything behind it hangs on, None when all hold."""
    return next((link for link in links if link.state is State.BROKEN), None)


@dataclass(frozen=True)
class Listener:
    """An address that a pod's process listens at, by TCP or UDP; "0.0.0.0" is all of them."""

    address: str
    port: int
    protocol: str = "tcp"


@dataclass(frozen=True)
class Facts:
    """What was found out live, in the namespace of ``client``: "namespace/name", "" when none was entered.

    ``names`` are answers of cluster DNS, ``rules`` the text of the namespace's table, ``listeners`` by pod;
    ``connections`` tell how a TCP connection to (address, port) went, ``associations`` what came of the
    beginning of one of SCTP, ``machine`` how this machine's own to where ports are published
    failed, "" if it did not; ``silent`` are the names to which no answer came at all.  What is absent was
    not looked at.
    """

    client: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    rules: str | None = None
    listeners: Mapping[Key, frozenset[Listener]] = field(default_factory=dict)
    connections: Mapping[tuple[str, int], str] = field(default_factory=dict)
    associations: Mapping[tuple[str, int], str] = field(default_factory=dict)
    machine: Mapping[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """The API's objects, and the facts; ``client`` is the pod that connects, if one was named."""

    facts: Facts = Facts()
    domain: str = "cluster.local"
    services: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    ingresses: Sequence[Object] = ()
    classes: Sequence[Object] = ()
    secrets: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    events: Sequence[Object] = ()
    client: Object | None = None

    def slices_of(self, key: Key) -> list[Object]:
        """Return the IPv4 EndpointSlices of a Service."""
        return proxy_view.slices_by_service(self.slices).get(key, [])

    def spot(self) -> Spot | None:
        """Return where the pod is whose namespace was entered, None when that is not known."""
        where = self.facts.client
        pod = next((one for one in self.pods if "/".join(objects.key(one)) == where), None)
        name = str(objects.spec(pod).get("nodeName") or "") if pod else ""
        labels = [objects.labels(one) for one in self.nodes if objects.name(one) == name]
        return Spot(name, labels[0].get(ZONE, "")) if labels else None

    def pod_at(self, address: str) -> Object | None:
        """Return the pod that has an address."""
        return next((one for one in self.pods if objects.status(one).get("podIP") == address), None)

    def said_of(self, obj: Object, *reasons: str) -> str:
        """Return the last message of the object's events with one of these reasons, "" without one."""
        last = self.last_of(obj, *reasons)
        return str(last.get("message") or last.get("note") or "") if last else ""

    def last_of(self, obj: Object, *reasons: str) -> Object | None:
        """Return the last of the object's events with one of these reasons."""
        found = [
            one
            for one in self.events
            if (one.get("involvedObject") or one.get("regarding") or {}).get("uid") == objects.uid(obj)
            and one.get("reason") in reasons
        ]
        found.sort(key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))
        return found[-1] if found else None


def listed(words: Sequence[str], most: int = 3) -> str:
    """Return the words joined, the first few of many."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
