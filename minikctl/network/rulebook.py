"""The rules that each kind of network namespace has to have by what the API says now."""

from __future__ import annotations

from collections.abc import Callable

from minikctl.client import informer
from minikctl.model import kinds, objects
from minikctl.model.objects import Key, Object
from minikctl.network.settings import NetworkSettings
from minikctl.plan import proxy, proxy_view, publisher

Profile = Key | None
"""None for pods, a Service's key for its publisher."""


class RuleBook:
    """Compiles rules from the caches when they are asked for, at most once for each state of the API."""

    def __init__(self, informers: informer.Informers, settings: NetworkSettings) -> None:
        self._services = informers.of(kinds.SERVICE)
        self._slices = informers.of(kinds.ENDPOINT_SLICE)
        self._nodes = informers.of(kinds.NODE)
        self._settings = settings
        self._compiled: dict[Profile, proxy.Compiled] = {}
        self._outdated: set[Profile] = set()

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back on each change that may change rules."""

        def service(old: Object | None, new: Object | None) -> None:
            self._expire(objects.key(new or old or {}))
            changed()

        def piece(old: Object | None, new: Object | None) -> None:
            for obj in (old, new):
                name = objects.labels(obj).get(proxy_view.SERVICE_NAME) if obj else None
                if obj and name:
                    self._expire((objects.namespace(obj), name))
            changed()

        def node(old: Object | None, new: Object | None) -> None:
            if addresses(old) != addresses(new):  # its heartbeats concern nobody here
                self._expire(None)
                changed()

        self._services.subscribe(service)
        self._slices.subscribe(piece)
        self._nodes.subscribe(node)

    async def ready(self) -> None:
        """Return once the caches are filled."""
        for source in (self._services, self._slices, self._nodes):
            await source.synced()

    def _expire(self, service: Profile) -> None:
        self._outdated |= {None, service}

    def current(self, profile: Profile) -> proxy.Compiled:
        """Return the rules as of now; the same object again while they stay equal."""
        found = self._compiled.get(profile)
        if found is not None and profile not in self._outdated:
            return found
        self._outdated.discard(profile)
        fresh = self._pods() if profile is None else self._publisher(profile)
        if fresh != found:
            self._compiled[profile] = found = fresh
        return found

    def _pods(self) -> proxy.Compiled:
        found = {address for node in self._nodes.items() for address in addresses(node)}
        facts = self._settings.facts(tuple(sorted(found)))
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
