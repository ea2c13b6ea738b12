"""The rules that each kind of network namespace has to have by what the API says now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from minikctl.client import informer
from minikctl.model import kinds, objects
from minikctl.model.objects import Key, Object
from minikctl.network.settings import NetworkSettings
from minikctl.plan import proxy, proxy_view, publisher, service_cidr
from minikctl.plan.node import ZONE
from minikctl.plan.proxy_view import Spot

Profile = Key | None
"""None for pods, a Service's key for its publisher."""
FindProxy = Callable[[str], proxy.NodeProxy]
"""Tells the proxy of a node."""


class RuleBook:
    """Compiles rules from the caches when they are asked for, at most once for each state of the API.

    Pods of all nodes have the same rules, unless each node has a proxy or some Service prefers what is close.
    """

    def __init__(self, informers: informer.Informers, settings: NetworkSettings) -> None:
        self._services = informers.of(kinds.SERVICE)
        self._slices = informers.of(kinds.ENDPOINT_SLICE)
        self._nodes = informers.of(kinds.NODE)
        self._pods = informers.of(kinds.POD)
        self._ranges = informers.of(kinds.SERVICE_CIDR)
        self._settings = settings
        self._proxies: FindProxy | None = None
        self._compiled: dict[Key | Spot, proxy.Compiled] = {}
        self._current: set[Key | Spot] = set()
        self._spots_matter: bool | None = None
        self._lasting: dict[str, bool] | None = None
        self._changed: list[Callable[[], None]] = []

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back on each change that may change rules."""

        def service(old: Object | None, new: Object | None) -> None:
            key = objects.key(new or old or {})
            self._expire(key)
            if new is None:
                self._compiled.pop(key, None)
            changed()

        def piece(old: Object | None, new: Object | None) -> None:
            self._lasting = None
            for obj in (old, new):
                name = objects.labels(obj).get(proxy_view.SERVICE_NAME) if obj else None
                if obj and name:
                    self._expire((objects.namespace(obj), name))
            changed()

        def node(old: Object | None, new: Object | None) -> None:
            # Its heartbeats concern nobody here.
            if (addresses(old), zone(old)) != (addresses(new), zone(new)):
                self._expire()
                self._forget_nodes()
                changed()

        self._changed.append(changed)
        self._services.subscribe(service)
        self._slices.subscribe(piece)
        self._nodes.subscribe(node)
        self._ranges.subscribe(lambda _old, _new: self.moved())

    async def ready(self) -> None:
        """Return once the caches are filled."""
        for source in (self._services, self._slices, self._nodes, self._pods, self._ranges):
            await source.synced()

    def through(self, proxies: FindProxy) -> None:
        """Have TCP connections go through the nodes' proxies; ``moved`` is to tell when these change."""
        self._proxies = proxies

    def moved(self) -> None:
        """Take note that what concerns all pods has changed, such as what is found of nodes' proxies."""
        self._expire()
        for changed in self._changed:
            changed()

    def _expire(self, *services: Key) -> None:
        """Have the rules of all pods, and those of these Services' publishers, compiled anew."""
        self._spots_matter = None
        self._current = {one for one in self._current if not isinstance(one, Spot) and one not in services}

    def _forget_nodes(self) -> None:
        """Let go of the rules of nodes that are no more."""
        there = {self.spot(objects.name(node)) for node in self._nodes.items()} | {proxy_view.ANYWHERE}
        self._compiled = {
            one: rules for one, rules in self._compiled.items() if not isinstance(one, Spot) or one in there
        }

    def current(self, profile: Profile, pod: Key | None = None) -> proxy.Compiled:
        """Return the rules as of now, for a pod those of its node; the same object again while equal."""
        place = self._spot(pod) if profile is None else profile
        found = self._compiled.get(place)
        if found is not None and place in self._current:
            return found
        fresh = self._rules(place) if isinstance(place, Spot) else self._publisher(place)
        if fresh == found:
            fresh = found
        if isinstance(place, Spot) or self._services.get(*place) is not None:
            self._current.add(place)
            self._compiled[place] = fresh
        return fresh

    def lasts(self, address: str) -> bool | None:
        """Tell whether an EndpointSlice does not know yet that the pod ends; None if it is no endpoint."""
        if self._lasting is None:
            self._lasting = proxy_view.lasting(self._slices.items())
        return self._lasting.get(address)

    def _spot(self, pod: Key | None) -> Spot:
        """Return where the pod is, as far as that matters to any Service."""
        if self._spots_matter is None:
            services, slices = self._services.items(), self._slices.items()
            depends = proxy_view.depends_on_spot(services, slices)
            self._spots_matter = depends or self._proxies is not None
        if not self._spots_matter:
            return proxy_view.ANYWHERE
        found = self._pods.get(*pod) if pod is not None else None
        return self.spot(str(objects.spec(found or {}).get("nodeName") or self._settings.node))

    def spot(self, node: str) -> Spot:
        """Return the node with its zone."""
        return Spot(node, zone(self._nodes.get("", node)))

    def _rules(self, spot: Spot) -> proxy.Compiled:
        found = {address for node in self._nodes.items() for address in addresses(node)}
        settings = self._settings
        facts = settings.facts(tuple(sorted(found)), spot)
        first, reserved = settings.cluster.service_cidr, settings.reserved
        routed = service_cidr.routed(self._ranges.items(), first, reserved)
        facts = replace(facts, ranges=(*routed, settings.cluster.load_balancer_range))
        if self._proxies is not None:
            facts = replace(facts, proxy=self._proxies(spot.node))
        return proxy.compile_pods(self._services.items(), self._slices.items(), facts)

    def _publisher(self, key: Key) -> proxy.Compiled:
        service = self._services.get(*key)
        return publisher.compile_rules(service, self._slices.items(key[0]), self._settings.fence)


def addresses(node: Object | None) -> frozenset[str]:
    """Return the node's IPv4 addresses."""
    listed = objects.status(node).get("addresses") or () if node else ()
    found = {
        str(entry.get("address")) for entry in listed if entry.get("type") in ("InternalIP", "ExternalIP")
    }
    return frozenset(address for address in found if proxy_view.is_ipv4(address))


def zone(node: Object | None) -> str:
    """Return the node's zone, "" if it has none."""
    return objects.labels(node).get(ZONE, "") if node else ""
