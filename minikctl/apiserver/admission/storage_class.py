"""DefaultStorageClass: a claim that names no class gets the one that is marked as default."""

from __future__ import annotations

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects
from minikctl.plan.storage import parts


class DefaultStorageClass(Plugin):
    """Sets spec.storageClassName of new claims."""

    name = "DefaultStorageClass"
    resources = frozenset(("persistentvolumeclaims",))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Set the class unless the claim names one, which may be "", in either way."""
        spec = request.new.get("spec")
        if not isinstance(spec, dict) or spec.get("storageClassName") is not None:
            return
        if parts.OLD_CLASS in objects.annotations(request.new):
            return
        default = parts.default_class(self._world.items(kinds.STORAGE_CLASS))
        if default is not None:
            spec["storageClassName"] = objects.name(default)
