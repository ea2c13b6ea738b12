"""LimitRanger: defaults and bounds for what pods and claims of a namespace ask for."""

from __future__ import annotations

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds
from minikctl.plan import limits


class LimitRanger(Plugin):
    """Applies the LimitRanges of the namespace."""

    name = "LimitRanger"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("pods", "persistentvolumeclaims"))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Give a new pod's containers the defaults of the namespace."""
        if request.operation == "CREATE" and request.kind is kinds.POD:
            limits.complete(request.new, self._world.items(kinds.LIMIT_RANGE, request.namespace))

    async def validate(self, request: Request) -> None:
        """Refuse what is out of the bounds; a running pod's containers are bounded when they are resized."""
        if request.operation == "UPDATE" and request.kind is kinds.POD:
            return
        ranges = self._world.items(kinds.LIMIT_RANGE, request.namespace)
        found = limits.violations(request.kind.kind, request.new, ranges)
        if found:
            raise request.refusal(found[0] if len(found) == 1 else f"[{', '.join(found)}]")
