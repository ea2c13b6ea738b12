"""The controllers of NodePort and LoadBalancer Services: publishers in the engine, addresses in status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from minikctl import errors
from minikctl.drivers.engine import EngineEvent
from minikctl.model import kinds, objects
from minikctl.model.actions import api, network
from minikctl.model.objects import Key, Object
from minikctl.network import settings as names
from minikctl.network.outcomes import Outcomes
from minikctl.network.settings import NetworkSettings
from minikctl.network.sync import Member, RuleSync
from minikctl.network.tools import Tools
from minikctl.plan import loadbalancer, publisher
from minikctl.runtime.backoff import Backoff

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
RETRY_LIMIT_SECONDS = 15.0
PART = "publishers"
"""The name of this part of what publishes a Service's ports."""


def backoff() -> Backoff[Key]:
    """Return how long a Service waits whose ports could not be published: each try makes a container."""
    return Backoff(RETRY_SECONDS, RETRY_LIMIT_SECONDS)


class Publishers:
    """Keeps one publisher for each Service that has ports to publish."""

    name = "publishers"

    def __init__(
        self,
        tools: Tools,
        rules: RuleSync,
        settings: NetworkSettings,
        outcomes: Outcomes,
        has_sctp: Callable[[], bool] = lambda: False,
    ) -> None:
        """``has_sctp`` tells whether the engine's kernel has SCTP sockets, if that can be seen from here."""
        self._engine = tools.engine
        self._has_sctp = has_sctp
        self._services = tools.informers.of(kinds.SERVICE)
        self._rules = rules
        self._recorder = tools.recorder
        self._labels = {names.CLUSTER: settings.name, names.ROLE: names.PUBLISHER_ROLE}
        self._place = publisher.Place(
            cluster=settings.name,
            network=settings.cluster.network,
            image=settings.infra_image,
            address=settings.cluster.publish,
            labels=tuple(self._labels.items()),
            protocols=publisher.OTHERS if settings.shares_host else publisher.ALL,
            lowest_port=settings.lowest_port,
        )
        self._shares = settings.shares_ports
        self._of_ingress = frozenset(("tcp", port) for port in settings.ingress_ports)
        self._clock = tools.clock
        self._seen: set[Key] = set()
        self._outcomes = outcomes
        self._ours: set[str] = set()
        self._known: dict[str, Key] = {}
        self._no_sctp = False
        self._enqueue: Callable[[Key], None] = lambda _: None

    def subscribe(self, enqueue: Callable[[Key], None]) -> None:
        """Call ``enqueue`` with each Service whose publisher may have to change."""
        self._enqueue = enqueue

        def changed(old: Object | None, new: Object | None) -> None:
            enqueue(objects.key(new or old or {}))
            if self._shares:  # what one gives up another may have been waiting for
                for other in self._services.items():
                    if is_published(other):
                        enqueue(objects.key(other))

        self._services.subscribe(changed)

    async def follow(self) -> None:
        """Plan for each publisher that exists, also without its Service, and again when one ends."""
        await self._services.synced()
        while True:
            try:
                events = self._engine.events(self._labels)  # begun first: what is listed cannot end unheard
                listed = await self._engine.list(self._labels)
                for key in self._seen | {service_of(container.labels) for container in listed}:
                    self._notice(key)
                async for event in events:
                    if event.action in ("die", "destroy"):
                        self._ended(event)
            except errors.DriverError as error:
                log.warning("following publishers: %s", error)
            await self._clock.sleep(RETRY_SECONDS)

    async def watch(self) -> None:
        """Have a publisher replaced that somebody takes off the network: its ports are closed then."""
        while True:
            try:
                async for container_id in self._engine.departures(self._place.network):
                    if container_id in self._known and container_id not in self._ours:
                        self._rules.forget(container_id)
                        self._notice(self._known[container_id])
            except errors.DriverError as error:
                log.debug("departures: %s", error)
            await self._clock.sleep(RETRY_SECONDS)

    def _ended(self, event: EngineEvent) -> None:
        """Have a publisher replaced that ended, unless we are the ones who end it."""
        self._rules.forget(event.container_id)
        if event.action == "destroy":
            self._known.pop(event.container_id, None)
        if event.container_id not in self._ours:
            self._notice(service_of(event.labels))
        elif event.action == "destroy":
            self._ours.discard(event.container_id)

    def _notice(self, key: Key) -> None:
        self._seen.add(key)
        self._enqueue(key)

    async def ready(self) -> None:
        """Return once the Services are known."""
        await self._services.synced()

    async def observe(self, key: Key) -> publisher.View | None:
        """Return the Service and its publishers."""
        await self._services.synced()
        labels = self._labels | {names.SERVICE_NAMESPACE: key[0], names.SERVICE_NAME: key[1]}
        service = self._services.get(*key)
        if key not in self._seen and (service is None or not is_published(service)):
            return None  # most Services: they never had a publisher
        self._seen.add(key)
        await self._outcomes.known()
        present = tuple(await self._engine.list(labels))
        self._known |= {one.id: key for one in present}
        if service is None and not present:
            self._seen.discard(key)
        sctp = not self._no_sctp and self._has_sctp()
        held = self._held(service) if self._shares and service is not None else frozenset()
        return publisher.View(key, service, present, self._place, self._no_sctp, sctp, held)

    def _held(self, service: Object) -> frozenset[tuple[str, int]]:
        return self._of_ingress | publisher.held_by_others(service, self._services.items(), self._place)

    def desired(self, view: publisher.View, now: datetime) -> api.Plan:
        """Return what to do; pure."""
        del now
        return publisher.desired(view)

    async def execute(self, view: publisher.View, plan: api.Plan) -> None:
        """Do it in order; what fails is said in an event on the Service."""
        for action in plan.actions:
            await self._run(view, action)
        if view.service is not None and not publisher.waits(view):
            self._outcomes.fine(PART, view.service)

    async def _run(self, view: publisher.View, action: network.NetworkAction) -> None:
        match action:
            case network.RemovePublisher():
                await self._remove(action.container_id)
            case network.RunPublisher():
                await self._start(view, action)
            case api.RecordEvent():
                self._recorder.record(action)
            case api.Create() | api.Update() | api.Patch() | api.Delete():
                raise AssertionError(f"a publisher's plan does not write to the API: {action}")
            case _:
                assert_never(action)

    async def _remove(self, container_id: str) -> None:
        self._ours.add(container_id)
        self._rules.forget(container_id)
        await self._engine.remove(container_id)

    async def _start(self, view: publisher.View, action: network.RunPublisher) -> None:
        container_id = ""
        try:
            container_id = await self._engine.create(action.spec)
            self._ours.add(container_id)
            self._known[container_id] = view.key
            await self._engine.start(container_id)
            found = await self._engine.inspect(container_id)
            if found is not None and found.ip:
                await self._rules.attach(Member(container_id, found.pid, found.ip, view.key))
            self._ours.discard(container_id)
        except errors.DriverError as error:
            if container_id:
                await self._remove(container_id)
            if isinstance(error, errors.NoSctp) and action.spec.publishes_sctp:
                self._no_sctp = True
                self._enqueue(view.key)  # planned again at once, without those ports
                return
            if view.service is not None:
                self._outcomes.failed(PART, publisher.taken(view.service, str(error)))
            raise


def is_published(service: Object) -> bool:
    """Tell whether the Service's type has ports on the host."""
    return objects.spec(service).get("type") in publisher.PUBLISHED_TYPES


def service_of(labels: Any) -> Key:
    """Return the key of the Service that a publisher with these labels is for."""
    return labels.get(names.SERVICE_NAMESPACE, ""), labels.get(names.SERVICE_NAME, "")


class LoadBalancers:
    """Gives LoadBalancer Services their addresses; all Services are one view, as they share the range."""

    name = "load-balancers"

    def __init__(self, tools: Tools, settings: NetworkSettings) -> None:
        self._services = tools.informers.of(kinds.SERVICE)
        self._actions = tools.actions
        self._range = settings.cluster.load_balancer_range
        self._reserved = frozenset({settings.cluster.ingress_ip})

    def subscribe(self, enqueue: Callable[[str], None]) -> None:
        """Call ``enqueue`` whenever a Service of that type may have to be changed."""

        def changed(old: Object | None, new: Object | None) -> None:
            if any(obj and (is_published(obj) or loadbalancer.addresses(obj)) for obj in (old, new)):
                enqueue("")

        self._services.subscribe(changed)

    async def ready(self) -> None:
        """Return once the Services are known."""
        await self._services.synced()

    async def observe(self, key: str) -> loadbalancer.View | None:
        """Return all Services."""
        del key
        await self._services.synced()
        return loadbalancer.View(tuple(self._services.items()), self._range, self._reserved)

    def desired(self, view: loadbalancer.View, now: datetime) -> api.Plan:
        """Return what to do; pure."""
        del now
        return loadbalancer.desired(view)

    async def execute(self, view: loadbalancer.View, plan: api.Plan) -> None:
        """Write the statuses, and wait until the cache shows them."""
        del view
        await self._actions.execute(kinds.SERVICE, {}, plan)
