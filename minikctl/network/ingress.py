"""The Ingress controller: routes from the API into the proxy, addresses and refusals back to the API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from minikctl import errors
from minikctl.drivers.haproxy import Proxy, Refused
from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.objects import Key, Object
from minikctl.network import certificates, loading, system
from minikctl.network.authority import LocalAuthority
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import haproxy, ingress, ingress_haproxy, ingress_secrets, ingress_status, proxy_view
from minikctl.plan.haproxy import Rendered
from minikctl.plan.ingress_haproxy import DEFAULT_CERTIFICATE, certificate_file
from minikctl.plan.ingress_routes import Certificate, Credentials, Routing, View

Found = TypeVar("Found")
log = logging.getLogger(__name__)

PART = "ingress"
CONTAINER = "haproxy"
COALESCE_SECONDS = 0.012
RETRY_SECONDS = 0.2
RETRY_LIMIT_SECONDS = 5.0


class IngressBook:
    """Reads all that routing depends on from the caches."""

    def __init__(self, tools: Tools, authority: LocalAuthority) -> None:
        of = tools.informers.of
        self._authority = authority
        self._clock = tools.clock
        self._ingresses = of(kinds.INGRESS)
        self._classes = of(kinds.INGRESS_CLASS)
        self._services = of(kinds.SERVICE)
        self._slices = of(kinds.ENDPOINT_SLICE)
        self._secrets = of(kinds.SECRET)
        self._maps = of(kinds.CONFIG_MAP)
        self._pods = of(kinds.POD)
        self._certificates: dict[Key, tuple[str, Certificate]] = {}
        self._credentials: dict[Key, tuple[str, Credentials]] = {}
        self._spoilt: dict[str, str] = {}

    async def ready(self) -> None:
        """Return once the caches are filled."""
        for source in (
            self._ingresses,
            self._classes,
            self._services,
            self._slices,
            self._secrets,
            self._maps,
            self._pods,
        ):
            await source.synced()

    def subscribe(self, wake: asyncio.Event) -> None:
        """Set the event on each change that may change routes."""

        def changed(old: Object | None, new: Object | None) -> None:
            del old, new
            wake.set()

        def secret(old: Object | None, new: Object | None) -> None:
            found = tuple(self._ingresses.items())
            wanted = ingress_secrets.secrets_of(found) | ingress_secrets.user_secrets_of(found)
            wanted |= ingress_secrets.credentials_of(found)
            if objects.key(new or old or {}) in wanted:
                wake.set()

        def config(old: Object | None, new: Object | None) -> None:
            if objects.key(new or old or {}) in ingress_secrets.maps_of(self._ingresses.items()):
                wake.set()

        def pod(old: Object | None, new: Object | None) -> None:
            if any(obj is not None and system.is_part(obj, PART) for obj in (old, new)):
                wake.set()

        for source in (self._ingresses, self._classes, self._services, self._slices):
            source.subscribe(changed)
        self._secrets.subscribe(secret)
        self._maps.subscribe(config)
        self._pods.subscribe(pod)

    def view(self, refused: frozenset[Key]) -> View:
        """Return what routes are made from now."""
        found = tuple(self._ingresses.items())
        return View(
            ingresses=found,
            classes=tuple(self._classes.items()),
            services={objects.key(service): service for service in self._services.items()},
            slices=proxy_view.slices_by_service(self._slices.items()),
            certificates=dict(self._usable(found)) | self._issued(found),
            refused=refused,
            users=self._users(found),
            credentials=dict(self._trusted(found)),
            maps={
                key: one
                for key in ingress_secrets.maps_of(found)
                if (one := self._maps.get(*key)) is not None
            },
        )

    def _trusted(self, found: tuple[Object, ...]) -> Iterator[tuple[Key, Credentials]]:
        wanted = ingress_secrets.credentials_of(found)
        yield from self._checked(wanted, self._credentials, certificates.credentials)

    def _checked(
        self,
        wanted: Collection[Key],
        known: dict[Key, tuple[str, Found]],
        check: Callable[[Object], Found],
    ) -> Iterator[tuple[Key, Found]]:
        """Yield what was found of each wanted Secret that there is; ``known`` keeps it, as checking costs."""
        for key in [key for key in known if key not in wanted]:
            del known[key]
        for key in wanted:
            secret = self._secrets.get(*key)
            if secret is None:
                continue
            revision = objects.resource_version(secret)
            held = known.get(key)
            if held is None or held[0] != revision:
                held = known[key] = revision, check(secret)
            yield key, held[1]

    def _issued(self, found: tuple[Object, ...]) -> dict[Key, Certificate]:
        return self._authority.certificates(ingress_secrets.local_hosts(found), self._clock.now())

    def _users(self, found: tuple[Object, ...]) -> dict[Key, tuple[tuple[str, str], ...]]:
        wanted = {key: self._secrets.get(*key) for key in ingress_secrets.user_secrets_of(found)}
        return ingress_secrets.users(found, {key: one for key, one in wanted.items() if one is not None})

    def _usable(self, found: tuple[Object, ...]) -> Iterator[tuple[Key, Certificate]]:
        wanted = ingress_secrets.secrets_of(found)
        for key, held in self._checked(wanted, self._certificates, certificates.from_secret):
            yield key, self._judged(held)
        present = {held.pem for _, held in self._certificates.values()}
        self._spoilt = {pem: why for pem, why in self._spoilt.items() if pem in present}

    def _judged(self, held: Certificate) -> Certificate:
        why = self._spoilt.get(held.pem, "")
        return Certificate(held.secret, "", f'Secret "{held.secret[1]}": {why}') if why else held

    def spoil(self, certificate: Certificate) -> None:
        """Take note that the proxy does not take a certificate: it counts as unusable until it is another."""
        self._spoilt[certificate.pem] = "the proxy does not take this certificate (its key may be too short)"

    def ingresses(self) -> dict[Key, Object]:
        """Return all Ingresses by their keys."""
        return {objects.key(one): one for one in self._ingresses.items()}

    def container(self) -> str:
        """Return the id of the running proxy container, "" if there is none."""
        return system.running_container(self._pods.items(system.NAMESPACE), PART, CONTAINER)


class IngressController:
    """Keeps the proxy's configuration up to date: endpoints by commands, other routes by reload.

    An Ingress that the proxy does not take is left out and told, so that all others are served.
    """

    def __init__(self, tools: Tools, proxy: Proxy, settings: NetworkSettings) -> None:
        self._authority = LocalAuthority(settings.root)
        self._book = IngressBook(tools, self._authority)
        self._tools = tools
        self._proxy = proxy
        self._address = settings.cluster.ingress_ip
        self._ports = () if settings.ingress_ports == (80, 443) else settings.ingress_ports
        self._place = ingress_haproxy.Place(threads=settings.proxy_threads)
        self._wake = asyncio.Event()
        self._loaded = loading.LoadedProxy(proxy)
        self._refused: dict[Key, str] = {}
        self._told: frozenset[tuple[Key, str, str]] = frozenset()
        self._default_pem = ""

    def prepare(self) -> None:
        """Have a configuration there that the proxy can start with; the first answers 404 to everything."""
        held = self._proxy.held()
        self._authority.recall(held)
        self._default_pem = held.get(DEFAULT_CERTIFICATE) or certificates.self_signed(self._tools.clock)
        if not loading.readopt(self._proxy, self._place.sockets):
            self._proxy.keep(self._render(Routing(), {}).files)

    async def run(self) -> None:
        """Follow the API until cancelled."""
        await self._book.ready()
        self._book.subscribe(self._wake)
        delay = RETRY_SECONDS
        while True:
            await self._wake.wait()
            await self._tools.clock.sleep(COALESCE_SECONDS)
            self._wake.clear()
            try:
                await self._round()
                delay = RETRY_SECONDS
            except errors.MinikctlError as error:
                log.warning("ingress: %s", error)
                if isinstance(error, errors.DriverError):
                    self._failed(error)
                self._wake.set()
                await self._tools.clock.sleep(delay)
                delay = min(delay * 2, RETRY_LIMIT_SECONDS)

    async def _round(self) -> None:
        container = self._book.container()
        if not container:
            # It starts with the last good configuration, and tells when it runs.
            self._put_off()
            return
        self._loaded.meet(container)
        present = self._book.ingresses()
        self._forgive(present)
        while True:
            view = self._book.view(frozenset(self._refused))
            routing = ingress.routing(view)
            rendered = self._render(routing, view.certificates)
            try:
                await self._loaded.bring(rendered)
                break
            except Refused as error:
                if not self._spoil(error, view):
                    self._blame(error, rendered, present)
        self._tell(routing, present)
        await self._write_status(routing, present)

    def _failed(self, error: errors.DriverError) -> None:
        """Take nothing of the proxy for granted; who refuses the status of an Ingress is not the proxy."""
        self._loaded.forget()
        if not isinstance(error, Refused):
            with contextlib.suppress(errors.DriverError):  # where files cannot be written, neither can these
                self._put_off()

    def _put_off(self) -> None:
        """Where routes have changed, a proxy that starts now does not say of theirs that there are none."""
        held = dict(self._proxy.held())
        waiting = ingress_haproxy.waiting(held)
        if waiting == held:
            return
        view = self._book.view(frozenset(self._refused))
        if self._render(ingress.routing(view), view.certificates).files != held:
            self._proxy.keep(waiting)

    def _render(self, routing: Routing, found: Mapping[Key, Certificate]) -> Rendered:
        return ingress_haproxy.render(routing, found, self._default_pem, self._loaded.slots, self._place)

    def _forgive(self, present: Mapping[Key, Object]) -> None:
        """Try refused Ingresses again once they have changed."""
        self._refused = {
            key: wish for key, wish in self._refused.items() if key in present and _wish(present[key]) == wish
        }

    def _spoil(self, error: Refused, view: View) -> bool:
        """Do without the certificates that made the proxy refuse; tell whether there are any."""
        found = [
            one
            for key, one in view.certificates.items()
            if one.pem
            and key[0]
            and re.search(rf"{re.escape(certificate_file(key))}(?![\w.-])", error.output)
        ]
        for one in found:
            self._book.spoil(one)
        return bool(found)

    def _blame(self, error: Refused, rendered: Rendered, present: Mapping[Key, Object]) -> None:
        """Tell the Ingresses that made the proxy refuse; raise if there is none to blame."""
        guilty = {key for key in haproxy.culprits(error.output, rendered) if key in present}
        if not guilty - set(self._refused):
            raise error
        for key in guilty:
            self._refused[key] = _wish(present[key])
            message = f"left out, as the proxy refuses it: {error}"
            self._tools.recorder.record(
                api.RecordEvent(present[key], "Warning", "Refused", message, ingress.COMPONENT)
            )

    def _tell(self, routing: Routing, present: Mapping[Key, Object]) -> None:
        """Record each problem once, when it appears."""
        found = {(one.ingress, one.reason, one.message): one for one in routing.problems}
        new = [one for key, one in found.items() if key not in self._told]
        self._told = frozenset(found)
        for event in ingress_status.events(new, present):
            self._tools.recorder.record(event)

    async def _write_status(self, routing: Routing, present: Mapping[Key, Object]) -> None:
        patches = [
            api.Patch(kinds.INGRESS, *objects.key(found), patch, "status")
            for found, patch in ingress_status.status_changes(
                present.values(), routing.served, self._address, self._ports
            )
        ]
        if patches:
            await self._tools.actions.execute(kinds.INGRESS, {}, api.Plan(actions=tuple(patches)))


def _wish(ingress: Object) -> str:
    """Return what differs once the user asks for something else; annotations are in no generation."""
    annotations = sorted(objects.annotations(ingress).items())
    return haproxy.digest(objects.uid(ingress), objects.generation(ingress), annotations)
