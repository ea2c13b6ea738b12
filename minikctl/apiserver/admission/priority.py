"""Priority: a pod's priority is the number behind the name of its class."""

from __future__ import annotations

from typing import Any

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects
from minikctl.model.objects import Object

SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
DEFAULT_POLICY = "PreemptLowerPriority"


class Priority(Plugin):
    """Resolves priorityClassName of pods, and lets there be one default class."""

    name = "Priority"
    operations = frozenset(("CREATE", "UPDATE"))
    resources = frozenset(("pods", "priorityclasses.scheduling.k8s.io"))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Set priority and preemptionPolicy of a new pod; refuse an unknown class."""
        spec = request.new.get("spec")
        if request.operation == "CREATE" and request.kind is kinds.POD and isinstance(spec, dict):
            self._resolve(request, spec)

    async def validate(self, request: Request) -> None:
        """Refuse a second class that is the default."""
        if request.kind is not kinds.PRIORITY_CLASS or not request.new.get("globalDefault"):
            return
        present = self._default()
        if present is not None and objects.name(present) != request.name:
            raise request.refusal(
                f"PriorityClass {objects.name(present)} is already marked as default. "
                "Only one default can exist"
            )

    def _default(self) -> Object | None:
        """Return the class for pods that name none: of several the one with the lowest value."""
        marked = [each for each in self._world.items(kinds.PRIORITY_CLASS) if each.get("globalDefault")]
        return min(marked, key=lambda each: int(each.get("value") or 0), default=None)

    def _resolve(self, request: Request, spec: dict[str, Any]) -> None:
        name = spec.get("priorityClassName") or ""
        found = self._world.get(kinds.PRIORITY_CLASS, "", str(name)) if name else self._default()
        if name and found is None and name not in SYSTEM:
            raise request.refusal(f"no PriorityClass with name {name} was found")
        if found is not None and not name:
            spec["priorityClassName"] = objects.name(found)
        value = SYSTEM.get(name, 0) if found is None else int(found.get("value") or 0)
        policy = DEFAULT_POLICY if found is None else str(found.get("preemptionPolicy") or DEFAULT_POLICY)
        if spec.get("priority") not in (None, value):
            raise request.refusal(
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
        if spec.get("preemptionPolicy") not in (None, policy):
            raise request.refusal(
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in "
                f"pod spec; priority admission controller computed {policy} from the given PriorityClass name"
            )
        spec["priority"], spec["preemptionPolicy"] = value, policy
