"""RuntimeClass: a pod gets the overhead and the scheduling of its class; an unknown one is refused."""

from __future__ import annotations

from typing import Any

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds


class RuntimeClass(Plugin):
    """Resolves runtimeClassName of new pods, as Kubernetes' plugin of that name does."""

    name = "RuntimeClass"
    operations = frozenset(("CREATE",))
    resources = frozenset(("pods",))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Take over what the class says; refuse a class that is not there, or another overhead."""
        spec = request.new.get("spec")
        if not isinstance(spec, dict) or not spec.get("runtimeClassName"):
            return
        name = str(spec["runtimeClassName"])
        found = self._world.get(kinds.RUNTIME_CLASS, "", name)
        if found is None:
            raise request.refusal(f'pod rejected: RuntimeClass "{name}" not found')
        overhead = (found.get("overhead") or {}).get("podFixed")
        if spec.get("overhead") and spec["overhead"] != overhead:
            raise request.refusal(
                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            )
        if overhead:
            spec["overhead"] = dict(overhead)
        _schedule(request, spec, found.get("scheduling") or {})


def _schedule(request: Request, spec: dict[str, Any], rules: dict[str, Any]) -> None:
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (rules.get("nodeSelector") or {}).items():
        if selector.setdefault(key, value) != value:
            raise request.refusal(
                "conflict: runtimeClass.scheduling.nodeSelector and pod.spec.nodeSelector have different "
                f"values for {key}"
            )
    if selector:
        spec["nodeSelector"] = selector
    own = list(spec.get("tolerations") or ())
    own += [each for each in rules.get("tolerations") or () if each not in own]
    if own:
        spec["tolerations"] = own
