"""The policy table that each pod's network namespace has to have by what the API says now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from minikctl.client import informer
from minikctl.model import kinds, objects
from minikctl.model.objects import Key, Object
from minikctl.network.rulebook import addresses
from minikctl.plan import netpol, netpol_view
from minikctl.plan.netpol_view import Labels
from minikctl.plan.proxy import Ruleset


class PolicyBook:
    """Compiles policy tables from the caches when they are asked for, at most once for each state of the API.

    An address that the node reports as it attaches a pod counts from then on, before the API has it: when a
    pod starts, the policies of all others know it already.
    """

    def __init__(self, informers: informer.Informers) -> None:
        self._policies = informers.of(kinds.NETWORK_POLICY)
        self._pods = informers.of(kinds.POD)
        self._namespaces = informers.of(kinds.NAMESPACE)
        self._nodes = informers.of(kinds.NODE)
        self._attached: dict[Key, str] = {}
        self._publishers: dict[str, str] = {}
        self._tables: dict[Key, Ruleset | None] = {}
        self._read: dict[Key, netpol_view.Policy] = {}
        self._compiler: netpol.Compiler | None = None

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back on each change that may change tables."""

        def expire() -> None:
            self._compiler = None
            changed()

        def policy(old: Object | None, new: Object | None) -> None:
            self._read.pop(objects.key(new or old or {}), None)
            expire()

        def pod(old: Object | None, new: Object | None) -> None:
            if self.exist and _told(old) != _told(new):
                expire()

        def namespace(old: Object | None, new: Object | None) -> None:
            if old is None or new is None or objects.labels(old) != objects.labels(new):
                expire()

        def node(old: Object | None, new: Object | None) -> None:
            if addresses(old) != addresses(new):
                expire()

        self._policies.subscribe(policy)
        self._pods.subscribe(pod)
        self._namespaces.subscribe(namespace)
        self._nodes.subscribe(node)

    async def ready(self) -> None:
        """Return once the caches are filled."""
        for source in (self._policies, self._pods, self._namespaces, self._nodes):
            await source.synced()

    @property
    def exist(self) -> bool:
        """Whether there is any policy: without one, no pod concerns another."""
        return next(iter(self._policies.items()), None) is not None

    def attached(self, pod: Key, address: str) -> None:
        """Learn the address of a pod whose namespace exists now."""
        if self._attached.get(pod) != address:
            self._attached[pod] = address
            self._compiler = None

    def detached(self, pod: Key, address: str) -> None:
        """Forget that address."""
        if self._attached.get(pod) == address:
            del self._attached[pod]
            self._compiler = None

    def publishes(self, container_id: str, address: str) -> None:
        """Learn of a container that publishes ports, "" when it is gone: its packets count as the node's."""
        if self._publishers.get(container_id, "") != address:
            self._publishers[container_id] = address
            if not address:
                del self._publishers[container_id]
            self._compiler = None

    def table(self, pod: Key) -> Ruleset | None:
        """Return a pod's table as of now, None when it has none; the same object while it stays equal.

        A pod that the API does not have any more keeps its table for as long as it runs.
        """
        if self._compiler is None:
            self._compiler = netpol.Compiler(self._state())
            self._forget()
        if self._pods.get(*pod) is None:
            return self._tables.get(pod)
        fresh, known = self._compiler.table(pod), self._tables.get(pod)
        if fresh is known or fresh == known:
            return known
        self._tables[pod] = fresh
        return fresh

    def _forget(self) -> None:
        """Drop the tables of pods that are neither in the API nor attached."""
        for pod in [*self._tables]:
            if pod not in self._attached and self._pods.get(*pod) is None:
                del self._tables[pod]

    def _state(self) -> netpol.State:
        if not self.exist:
            return netpol.State()
        return netpol.State(
            policies=tuple(self._policy(obj) for obj in self._policies.items()),
            pods=dict(self._members()),
            namespaces={objects.name(one): _labels(one) for one in self._namespaces.items()},
            nodes=tuple(sorted(self._node_addresses())),
        )

    def _node_addresses(self) -> set[str]:
        return {ip for node in self._nodes.items() for ip in addresses(node)} | {*self._publishers.values()}

    def _policy(self, obj: Object) -> netpol_view.Policy:
        key = objects.key(obj)
        if key not in self._read:
            self._read[key] = netpol_view.policy(obj)
        return self._read[key]

    def _members(self) -> Iterator[tuple[Key, tuple[netpol_view.Kin, str]]]:
        for pod in self._pods.items():
            if netpol_view.is_enforced(pod):
                key = objects.key(pod)
                told = netpol_view.address(pod)
                address = "" if netpol_view.is_finished(pod) else self._attached.get(key, told)
                yield key, (netpol_view.kin(pod), address)


def _told(pod: Object | None) -> object:
    """Return all of a pod that concerns policies."""
    return pod and (netpol_view.kin(pod), netpol_view.address(pod))


def _labels(obj: Object) -> Labels:
    return tuple(sorted(objects.labels(obj).items()))
