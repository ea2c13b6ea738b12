"""DefaultIngressClass: an Ingress that names no class gets the one that is marked as default."""

from __future__ import annotations

from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.admission.world import World
from minikctl.model import kinds, objects

IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    """Sets spec.ingressClassName of new Ingresses."""

    name = "DefaultIngressClass"
    resources = frozenset(("ingresses.networking.k8s.io",))

    def __init__(self, world: World) -> None:
        self._world = world

    async def mutate(self, request: Request) -> None:
        """Set the class unless the Ingress names one in either way."""
        spec = request.new.setdefault("spec", {})
        if not isinstance(spec, dict) or spec.get("ingressClassName") is not None:
            return
        if OLD_CLASS in objects.annotations(request.new):
            return
        default = self._default()
        if default:
            spec["ingressClassName"] = default

    def _default(self) -> str:
        """Return the default class: the newest, of several; "" for none."""
        marked = [
            each
            for each in self._world.items(kinds.INGRESS_CLASS)
            if objects.annotations(each).get(IS_DEFAULT) == "true"
        ]
        if not marked:
            return ""
        newest = max(objects.meta(each).get("creationTimestamp") or "" for each in marked)
        return min(
            objects.name(each) for each in marked if objects.meta(each).get("creationTimestamp") == newest
        )
