"""ResourceQuota: what is made in a namespace has to fit into its quotas.

What is used is counted when it is asked for, and what other requests are about to store counts as used: no
number of requests side by side overdraws a quota.  Kubernetes charges the quota's status instead; here the
status is for people, and kept by the controller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects, quantity
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.plan.quota import planner, scopes, usage

_GROWING = frozenset(("services", "persistentvolumeclaims"))
"""Resources whose objects may ask for more later."""


@dataclass(frozen=True)
class _Pending:
    """What a request that is under way will use."""

    kind: Kind
    object: Object
    asked: dict[str, str]


class ResourceQuota(Plugin):
    """Checks creations, and updates that ask for more, against the quotas of the namespace."""

    name = "ResourceQuota"
    operations = frozenset(("CREATE", "UPDATE"))

    def __init__(self, world: World) -> None:
        self._world = world
        self._pending: dict[str, dict[int, _Pending]] = {}

    async def validate(self, request: Request) -> None:
        """Refuse what does not fit; else have it count as used until the request is over."""
        if not request.kind.namespaced:
            return
        if request.operation == "UPDATE" and request.resource not in _GROWING:
            return
        quotas = [
            each
            for each in self._world.items(kinds.RESOURCE_QUOTA, request.namespace)
            if _concerns(each, request.kind, request.new)
        ]
        if not quotas:
            return
        asked = _asked(request)
        for quota in quotas:
            self._check(request, quota, asked)
        if asked and not request.dry_run:
            under_way = self._pending.setdefault(request.namespace, {})
            under_way[id(request)] = _Pending(request.kind, request.new, asked)
            request.is_counted = True

    def finished(self, request: Request) -> None:
        """Forget the request: what it stored is counted by now."""
        under_way = self._pending.get(request.namespace)
        if under_way is not None:
            under_way.pop(id(request), None)
            if not under_way:
                del self._pending[request.namespace]

    def _check(self, request: Request, quota: Object, asked: dict[str, str]) -> None:
        hard = objects.spec(quota).get("hard") or {}
        if request.kind is kinds.POD:
            lacking = usage.missing(request.new, hard)
            if lacking:
                raise request.refusal(f"failed quota: {objects.name(quota)}: must specify {lacking}")
        names = [name for name in hard if name in asked]
        over = planner.exceeded(quota, asked, self._used(quota, request, names))
        if over:
            raise request.refusal(over)

    def _used(self, quota: Object, request: Request, names: list[str]) -> dict[str, str]:
        """Return what is used of these resources, and about to be."""
        present = planner.used(quota, names, self._counted(request))
        under_way = self._pending.get(request.namespace, {}).values()
        coming = [each.asked for each in under_way if _concerns(quota, each.kind, each.object)]
        return usage.total([present, *coming], names)

    def _counted(self, request: Request) -> Iterator[tuple[Kind, Object]]:
        for each in self._world.items(request.kind, request.namespace):
            yield request.kind, each


def _concerns(quota: Object, kind: Kind, obj: Object) -> bool:
    hard = objects.spec(quota).get("hard") or {}
    return any(usage.counts(name, kind) for name in hard) and scopes.selects(quota, kind, obj)


def _asked(request: Request) -> dict[str, str]:
    """Return by how much the request raises what is used."""
    asked = usage.of(request.kind, request.new)
    if request.old is None:
        return asked
    before = usage.of(request.kind, request.old)
    more = {name: quantity.less(amount, before.get(name, "0")) for name, amount in asked.items()}
    return {name: amount for name, amount in more.items() if quantity.parse(amount) > 0}
