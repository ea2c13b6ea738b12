"""Keeps the proxy that publishes the TCP ports of NodePort and LoadBalancer Services on this machine."""

from __future__ import annotations

import asyncio
import logging

from minikctl import errors
from minikctl.drivers.haproxy import Proxy
from minikctl.drivers.listening import Listening
from minikctl.model import kinds, objects
from minikctl.model.objects import Key, Object
from minikctl.network import loading, publishers, system
from minikctl.network.outcomes import Outcomes
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import ingress_secrets, loadbalancer, proxy_view, publisher_haproxy
from minikctl.plan.haproxy import CONFIG, Rendered
from minikctl.plan.publisher_haproxy import Bind, Place, Port
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

PART = "publisher"
CONTAINER = "haproxy"
INGRESS = (system.NAMESPACE, "ingress")
"""The Service of the Ingress proxy."""
COALESCE_SECONDS = 0.012
RETRY_SECONDS = 0.2
RETRY_LIMIT_SECONDS = 5.0
TAKEN_SECONDS = 3.0
"""So often it is looked whether a port that another process has is free."""
REMIND_SECONDS = 30 * 60.0
"""So often a failure that lasts is told again: Events are kept for an hour."""


class PortProxy:
    """Follows Services and their endpoints: endpoints change by commands, ports by hitless reloads.

    A port that another process listens on is left out, told in an event, and published once it is free.
    """

    def __init__(
        self,
        tools: Tools,
        proxy: Proxy,
        listening: Listening,
        settings: NetworkSettings,
        outcomes: Outcomes,
    ) -> None:
        of = tools.informers.of
        self._services, self._slices = of(kinds.SERVICE), of(kinds.ENDPOINT_SLICE)
        self._pods, self._ingresses = of(kinds.POD), of(kinds.INGRESS)
        self._tools = tools
        self._proxy = proxy
        self._listening = listening
        self._settings = settings
        self._place = Place(
            settings.gateway, threads=settings.proxy_threads, memory=settings.cluster.last_loopback
        )
        self._wake = asyncio.Event()
        self._loaded = loading.LoadedProxy(proxy)
        self._taken: frozenset[Bind] = frozenset()
        self._outcomes = outcomes
        self._told: dict[tuple[str, str], float] = {}
        """When the events that hold now were recorded, by uid and message."""

    def prepare(self) -> None:
        """Have a configuration there that the proxy can start with; the first publishes nothing."""
        if not loading.readopt(self._proxy, self._place.sockets):
            self._proxy.keep(publisher_haproxy.render((), (), {}, self._place).files)

    async def run(self) -> None:
        """Follow the API until cancelled."""
        for source in (self._services, self._slices, self._pods, self._ingresses):
            await source.synced()
        self._services.subscribe(self._service)
        self._slices.subscribe(self._endpoints)
        self._pods.subscribe(self._pod)
        self._ingresses.subscribe(self._ingress)
        self._wake.set()
        delay = RETRY_SECONDS
        while True:
            await self._changed()
            try:
                await self._round()
                delay = RETRY_SECONDS
            except errors.MinikctlError as error:
                log.warning("publishing ports: %s", error)
                self._loaded.forget()
                self._wake.set()
                await self._tools.clock.sleep(delay)
                delay = min(delay * 2, RETRY_LIMIT_SECONDS)

    async def _changed(self) -> None:
        """Return when something has changed, or when a taken port may have become free."""
        if self._taken:
            await tasks.first(self._wake.wait(), self._tools.clock.sleep(TAKEN_SECONDS))
        else:
            await self._wake.wait()
        if self._wake.is_set():
            await self._tools.clock.sleep(COALESCE_SECONDS)
            self._wake.clear()

    def _service(self, old: Object | None, new: Object | None) -> None:
        if any(obj is not None and publishers.is_published(obj) for obj in (old, new)):
            self._wake.set()

    def _endpoints(self, old: Object | None, new: Object | None) -> None:
        piece = new or old or {}
        name = objects.labels(piece).get(proxy_view.SERVICE_NAME, "")
        service = self._services.get(objects.namespace(piece), name)
        if service is not None and (publishers.is_published(service) or objects.key(service) == INGRESS):
            self._wake.set()

    def _ingress(self, old: Object | None, new: Object | None) -> None:
        hosts = [ingress_secrets.local_hosts([obj]) if obj else frozenset() for obj in (old, new)]
        if hosts[0] != hosts[1]:
            self._wake.set()

    def _local(self) -> frozenset[Key]:
        """Return the Services to publish at 127.0.0.1: the Ingress, while hosts of localhost lead there."""
        hosts = ingress_secrets.local_hosts(self._ingresses.items())
        wanted = any(host.endswith(ingress_secrets.LOCAL) for host in hosts)
        return frozenset({INGRESS}) if wanted else frozenset()

    def _pod(self, old: Object | None, new: Object | None) -> None:
        if any(obj is not None and system.is_part(obj, PART) for obj in (old, new)):
            self._wake.set()

    async def _round(self) -> None:
        await self._outcomes.known()
        local = self._local()
        services = [
            one for one in self._services.items() if self._is_complete(one) or objects.key(one) in local
        ]
        settings = self._settings
        publish, slices = settings.cluster.publish, tuple(self._slices.items())
        wanted: tuple[Port, ...] = (
            *publisher_haproxy.published(services, slices, publish, settings.fence, local, settings.gateway),
            *publisher_haproxy.health_checks(services, slices, (publish, settings.gateway)),
        )
        container = system.running_container(self._pods.items(system.NAMESPACE), PART, CONTAINER)
        if not container:
            await self._leave_for_the_start(wanted)
            return
        self._loaded.meet(container)
        own = publisher_haproxy.listens_at(self._proxy.held().get(CONFIG, ""))
        self._taken = publisher_haproxy.taken(wanted, self._listening(), own)
        await self._loaded.bring(self._render(wanted))
        self._tell(wanted, services)

    def _is_complete(self, service: Object) -> bool:
        """Tell whether the Service is to be published now: a balancer once it has its address."""
        ours = loadbalancer.is_ours(service)
        return publishers.is_published(service) and not (ours and not loadbalancer.addresses(service))

    async def _leave_for_the_start(self, wanted: tuple[Port, ...]) -> None:
        """Take out of the next start's files what another process has: with it the proxy would not start.

        A proxy that is up before its pod's status says so has its ports itself: there is nothing to take out.
        """
        held = publisher_haproxy.listens_at(self._proxy.held().get(CONFIG, ""))
        taken = publisher_haproxy.taken(wanted, self._listening(), ())
        if not taken & held or await self._proxy.is_up():
            return
        self._taken = taken
        self._proxy.doubt()  # it may be starting with the files of before
        self._proxy.keep(self._render(wanted).files)

    def _render(self, wanted: tuple[Port, ...]) -> Rendered:
        return publisher_haproxy.render(wanted, self._taken, self._loaded.slots, self._place)

    def _tell(self, wanted: tuple[Port, ...], services: list[Object]) -> None:
        """Record what is not as wished, when it appears and from time to time, and what is after all."""
        known = {objects.key(one): one for one in services}
        refused = publisher_haproxy.refusals(wanted, self._taken, known)
        now = self._tools.clock.monotonic()
        told: dict[tuple[str, str], float] = {}
        for event in refused:
            key = objects.uid(event.regarding), event.message
            told[key] = self._told.get(key, -REMIND_SECONDS)
            if now - told[key] >= REMIND_SECONDS:
                told[key] = now
                self._outcomes.failed(PART, event)
        failed = {objects.uid(event.regarding) for event in refused}
        for service in services:
            if objects.uid(service) not in failed:
                self._outcomes.fine(PART, service)
            for event in publisher_haproxy.unenforced(service, self._settings.cluster.publish):
                key = objects.uid(service), event.message
                told[key] = self._told.get(key, now)
                if key not in self._told:
                    self._tools.recorder.record(event)
        self._told = told
