"""Keeps the proxies of the nodes in the mode userspace, and tells the rules where their listeners are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping

from minikctl import errors
from minikctl.drivers.haproxy import Proxy
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.network import loading, rulebook, system
from minikctl.network.rulebook import RuleBook
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import userspace
from minikctl.plan.haproxy import CONFIG
from minikctl.plan.proxy import NodeProxy
from minikctl.plan.userspace import Place

log = logging.getLogger(__name__)

MODE = userspace.MODE
PART = "kube-proxy"
COALESCE_SECONDS = 0.012
RETRY_SECONDS = 0.2
RETRY_LIMIT_SECONDS = 5.0


class NodeProxies:
    """Follows Services and their endpoints: endpoints change by commands, ports by hitless reloads.

    Rules lead to a listener only once it listens.
    """

    def __init__(
        self, tools: Tools, proxies: Mapping[str, Proxy], book: RuleBook, settings: NetworkSettings
    ) -> None:
        of = tools.informers.of
        self._services, self._slices = of(kinds.SERVICE), of(kinds.ENDPOINT_SLICE)
        self._pods, self._policies = of(kinds.POD), of(kinds.NETWORK_POLICY)
        self._places = of(kinds.NODE)
        self._tools = tools
        self._book = book
        self._place = Place(threads=settings.proxy_threads)
        self._nodes = {name: _Node(proxy) for name, proxy in proxies.items()}

    def prepare(self) -> None:
        """Have configurations there that the proxies can start with, and know what those that run serve."""
        for node in self._nodes.values():
            node.prepare(self._place)
        self._book.through(self.find)

    def find(self, node: str) -> NodeProxy:
        """Return where a node's proxy is, as the caches have it."""
        found = next(self._pods_of(node), None)
        address = str(objects.status(found).get("podIP") or "") if found else ""
        return NodeProxy(address, self._nodes[node].ports if node in self._nodes else {})

    def _pods_of(self, node: str) -> Iterator[Object]:
        for pod in self._pods.items(system.NAMESPACE):
            here = objects.spec(pod).get("nodeName") == node
            if here and system.is_part(pod, PART) and not objects.is_deleting(pod):
                yield pod

    async def run(self) -> None:
        """Follow the API until cancelled."""
        for source in (self._services, self._slices, self._pods, self._policies, self._places):
            await source.synced()
        for source in (self._services, self._slices):
            source.subscribe(self._changed)
        self._pods.subscribe(self._pod)
        self._places.subscribe(self._place_changed)
        self._policies.subscribe(self._policy)
        self._changed()
        async with asyncio.TaskGroup() as group:
            for name, node in self._nodes.items():
                group.create_task(self._follow(name, node), name=f"proxy of {name}")

    def _changed(self, *_: Object | None) -> None:
        for node in self._nodes.values():
            node.wake.set()

    def _pod(self, old: Object | None, new: Object | None) -> None:
        if any(pod is not None and system.is_part(pod, PART) for pod in (old, new)):
            self._changed()
            self._book.moved()

    def _place_changed(self, old: Object | None, new: Object | None) -> None:
        if rulebook.zone(old) != rulebook.zone(new):
            self._changed()

    def _policy(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None:
            self._tools.recorder.record(userspace.masked(new))

    async def _follow(self, name: str, node: _Node) -> None:
        delay = RETRY_SECONDS
        while True:
            await node.wake.wait()
            await self._tools.clock.sleep(COALESCE_SECONDS)
            node.wake.clear()
            try:
                await self._round(name, node)
                delay = RETRY_SECONDS
            except errors.MinikctlError as error:
                log.warning("the proxy of %s: %s", name, error)
                node.loaded.forget()
                node.wake.set()
                await self._tools.clock.sleep(delay)
                delay = min(delay * 2, RETRY_LIMIT_SECONDS)

    async def _round(self, name: str, node: _Node) -> None:
        container = system.running_container(self._pods_of(name), PART, PART)
        if not container:
            return  # it starts with what is kept, and tells when it runs
        node.loaded.meet(container)
        found = userspace.listeners(self._services.items(), self._slices.items(), self._book.spot(name))
        ports, last = userspace.allot(node.ports, [one.chain for one in found], node.last)
        await node.loaded.bring(userspace.render(found, ports, node.loaded.slots, self._place))
        node.last = last
        if ports != node.ports:
            node.ports = ports
            self._book.moved()


class _Node:
    """The proxy of one node; ``ports`` are those that it listens on, ``last`` the one given last."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.loaded = loading.LoadedProxy(proxy, looked_at=False)
        self.wake = asyncio.Event()
        self.ports: Mapping[str, int] = {}
        self.last = userspace.FIRST_PORT - 1

    def prepare(self, place: Place) -> None:
        """Have a configuration there; the first serves nothing."""
        if not loading.readopt(self.proxy, place.sockets):
            self.proxy.keep(userspace.render((), {}, {}, place).files)
        self.ports = userspace.bound(self.proxy.held().get(CONFIG, ""))
        self.last = max(self.ports.values(), default=self.last)
