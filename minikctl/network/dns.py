"""Keeping cluster DNS filled: every name server pod holds the records that the API implies."""

from __future__ import annotations

import asyncio
import logging
import operator
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from minikctl import errors
from minikctl.drivers.bind import NameServers
from minikctl.model import kinds, objects
from minikctl.model.objects import Key, Object
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import dns_records, dns_zones, proxy_view
from minikctl.plan.dns_records import Records
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

NAMESPACE = "kube-system"
LABEL = ("k8s-app", "kube-dns")
COALESCE_SECONDS = 0.012
COST_FACTOR = 4
CHECK_SECONDS = 60.0
RETRY_SECONDS = 0.1
RETRY_LIMIT_SECONDS = 2.0
MESSAGE_CHARACTERS = 30_000


class PodNames:
    """The records of all pods, followed pod by pod: there are many, and each change concerns one."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._users: dict[dns_records.RecordKey, dict[str, str]] = {}
        self.records: dict[dns_records.RecordKey, frozenset[str]] = {}
        """The records now; pods on the host's network share an address and so a name."""

    def follow(self, old: Object | None, new: Object | None) -> None:
        """Take one change of a pod."""
        for pod in (old, new):
            record = dns_records.of_pod(pod, self._domain) if pod else None
            if pod is None or record is None:
                continue
            users = self._users.setdefault(record[0], {})
            users.pop(objects.uid(pod), None)
            if pod is new:
                users[objects.uid(pod)] = record[1]
            self._settle(record[0], users)

    def _settle(self, key: dns_records.RecordKey, users: dict[str, str]) -> None:
        if users:
            self.records[key] = frozenset(users.values())
        else:
            del self._users[key]
            self.records.pop(key, None)


@dataclass(frozen=True)
class _Part:
    """The records of a Service by zone, and the objects that they were made of."""

    of: Sequence[Object]
    records: Mapping[str, Records]


class RecordBook:
    """The records by what the API says now, made at most once for each state of it."""

    def __init__(self, tools: Tools, settings: NetworkSettings) -> None:
        self._services = tools.informers.of(kinds.SERVICE)
        self._slices = tools.informers.of(kinds.ENDPOINT_SLICE)
        self._pods = tools.informers.of(kinds.POD)
        self._namespaces = tools.informers.of(kinds.NAMESPACE)
        self._domain = settings.cluster.domain
        self.zones = zones(settings)
        self._names = PodNames(self._domain)
        self._parts: dict[Key, _Part] = {}
        self._made: Mapping[str, Records] | None = None
        self._monotonic = tools.clock.monotonic
        self.cost = 0.0
        """So many seconds the records took when they were last made."""

    async def ready(self) -> None:
        """Return once the caches are filled."""
        for source in (self._services, self._slices, self._pods, self._namespaces):
            await source.synced()

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back on each change that may change records or name servers."""

        def expire(old: Object | None, new: Object | None) -> None:
            del old, new
            self._made = None
            changed()

        def pod(old: Object | None, new: Object | None) -> None:
            if essence(old) != essence(new):  # most changes of pods are of no interest here
                self._names.follow(old, new)
                expire(old, new)

        def namespace(old: Object | None, new: Object | None) -> None:
            if old is None or new is None:
                expire(old, new)

        self._namespaces.subscribe(namespace)
        self._services.subscribe(expire)
        self._slices.subscribe(expire)
        self._pods.subscribe(pod)

    def current(self) -> Mapping[str, Records]:
        """Return the records of each zone; the same object again while nothing changed."""
        if self._made is None:
            began = self._monotonic()
            spaces = [objects.name(one) for one in self._namespaces.items()]
            common = dns_records.by_zone(dns_records.of_all(spaces, self._domain), self.zones)
            parts = [common, *self._of_services()]
            made = {zone: dns_records.joined(part[zone] for part in parts) for zone in self.zones}
            self._made = {**made, self._domain: {**made[self._domain], **self._names.records}}
            self.cost = self._monotonic() - began
        return self._made

    def _of_services(self) -> Iterable[Mapping[str, Records]]:
        """Return the records of each Service by zone; only those of what has changed are made."""
        pieces = proxy_view.slices_by_service(self._slices.items())
        parts: dict[Key, _Part] = {}
        for service in self._services.items():
            key = objects.key(service)
            of = [service, *pieces.get(key, ())]
            part = self._parts.get(key)
            if part is None or len(part.of) != len(of) or any(map(operator.is_not, part.of, of)):
                records = dns_records.of_service(service, of[1:], self._domain)
                part = _Part(of, dns_records.by_zone(records, self.zones))
            parts[key] = part
        self._parts = parts
        return [part.records for part in parts.values()]

    def servers(self) -> dict[str, str]:
        """Return the address of each name server pod, by its uid."""
        pods = [pod for pod in self._pods.items(NAMESPACE) if is_server(pod) and not objects.is_deleting(pod)]
        return {objects.uid(pod): str(objects.status(pod)["podIP"]) for pod in pods}


class ClusterDns:
    """Fills every DNS pod."""

    def __init__(self, tools: Tools, servers: NameServers, settings: NetworkSettings) -> None:
        self._book = RecordBook(tools, settings)
        self._clock = tools.clock
        self._client = servers
        self._token = f'"{secrets.token_hex(8)}"'
        self._feeders: dict[str, tuple[Feeder, asyncio.Task[None]]] = {}
        self._tasks = tasks.Tasks()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Keep all servers filled until cancelled."""
        await self._book.ready()
        self._book.subscribe(self._wake.set)
        try:
            while True:
                await self._wake.wait()
                # With thousands of pods the records take a while: most of the time is left to others.
                await self._clock.sleep(max(COALESCE_SECONDS, COST_FACTOR * self._book.cost))
                self._wake.clear()
                self._note_servers()
                for feeder, _ in self._feeders.values():
                    feeder.wake.set()
        finally:
            await self._tasks.close()

    def _note_servers(self) -> None:
        found = self._book.servers()
        for uid, (feeder, task) in [*self._feeders.items()]:
            if found.get(uid) != feeder.address or task.done():
                task.cancel()
                del self._feeders[uid]
        for uid, address in found.items():
            if uid not in self._feeders:
                feeder = Feeder(address, self._client, self._book, self._token, self._clock)
                self._feeders[uid] = feeder, self._tasks.start(feeder.run(), f"dns server {address}")


class Feeder:
    """Fills one name server: its zones are read once, then only what differs is sent.

    Each update asks for the marker that this run of the control plane left in the zone, so that a server that
    lost its zones, or was filled by another control plane, is noticed and read anew.
    """

    def __init__(
        self, address: str, client: NameServers, book: RecordBook, token: str, clock: clocks.Clock
    ) -> None:
        self.address = address
        self.wake = asyncio.Event()
        self._client = client
        self._book = book
        self._token = token
        self._clock = clock
        self._held: dict[str, Records] = {}
        self._vouched = False

    async def run(self) -> None:
        """Keep the server filled until cancelled."""
        delay = RETRY_SECONDS
        while True:
            self.wake.clear()
            try:
                for zone, records in self._book.current().items():
                    await self._fill(zone, records)
                await self._vouch()
                delay = RETRY_SECONDS
                await tasks.first(self.wake.wait(), self._check())
            except errors.DriverError as error:
                log.info("%s", error)
                self._held.clear()
                self._vouched = False
                await self._clock.sleep(delay)
                delay = min(delay * 2, RETRY_LIMIT_SECONDS)

    async def _check(self) -> None:
        """Ask now and then, by updates of nothing, whether the zones are still what was sent."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            for zone in self._book.zones:
                await self._client.update(self.address, zone, {}, (marker(zone), self._token))

    async def _vouch(self) -> None:
        """Have the server itself know that it has all names: its startup probe asks for that record."""
        if not self._vouched:
            zone = self._book.zones[0]
            vouched = {ready_record(zone): frozenset({self._token})}
            await self._client.update(self.address, zone, vouched, (marker(zone), self._token))
            self._vouched = True

    async def _fill(self, zone: str, wanted: Records) -> None:
        held = self._held.get(zone)
        if held is wanted:
            return
        key = marker(zone)
        if held is None:
            held = await self._client.records(self.address, zone)
            await self._client.update(self.address, zone, {key: frozenset({self._token})})
        others = (key[0], ready_record(zone)[0], f"ns.dns.{zone}.")
        kept = {own: data for own, data in held.items() if own[0] not in others}
        for part in dns_records.batches(dns_records.difference(kept, wanted), MESSAGE_CHARACTERS):
            await self._client.update(self.address, zone, part, (key, self._token))
        self._held[zone] = wanted


def marker(zone: str) -> dns_records.RecordKey:
    """Return the record that tells who filled the zone."""
    return f"{dns_zones.MARKER}.{zone}.", "TXT"


def ready_record(zone: str) -> dns_records.RecordKey:
    """Return the record that a server gets once it has everything."""
    return f"ready.{dns_zones.MARKER}.{zone}.", "TXT"


def zones(settings: NetworkSettings) -> tuple[str, ...]:
    """Return the zones of the cluster's name servers."""
    return dns_zones.zones(settings.cluster.domain, (settings.cluster.service_cidr, settings.subnet))


def is_server(pod: Object) -> bool:
    """Tell whether the pod is a name server that can be spoken to."""
    labelled = objects.namespace(pod) == NAMESPACE and objects.labels(pod).get(LABEL[0]) == LABEL[1]
    return labelled and bool(objects.status(pod).get("podIP"))


def essence(pod: Object | None) -> tuple[object, ...]:
    """Return what DNS has to do with of a pod."""
    if pod is None:
        return ()
    status = objects.status(pod)
    ended = status.get("phase") in ("Succeeded", "Failed")
    return objects.uid(pod), status.get("podIP"), ended, is_server(pod) and objects.is_deleting(pod)
