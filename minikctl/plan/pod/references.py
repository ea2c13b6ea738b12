"""Which ConfigMaps, Secrets and claims a pod uses, so that it is planned again when they change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.storage import parts as storage


@dataclass(frozen=True)
class References:
    """Names in the pod's namespace."""

    config_maps: frozenset[str]
    secrets: frozenset[str]
    claims: frozenset[str] = frozenset()


def of(pod: Object) -> References:
    """Return what the pod's volumes, environments and pull secrets refer to."""
    found = [*_volumes(pod), *_environments(pod)]
    found += [("secret", ref.get("name")) for ref in objects.spec(pod).get("imagePullSecrets") or ()]

    def named(kind: str) -> frozenset[str]:
        return frozenset(str(name) for type_, name in found if type_ == kind and name)

    claims = frozenset(each.claim for each in storage.references(pod))
    return References(named("configMap"), named("secret"), claims)


def _volumes(pod: Object) -> Iterator[tuple[str, object]]:
    for volume in objects.spec(pod).get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for kind in ("configMap", "secret"):
                reference = source.get(kind) or {}
                yield kind, reference.get("name") or reference.get("secretName")


def _environments(pod: Object) -> Iterator[tuple[str, object]]:
    spec = objects.spec(pod)
    for container in objects.containers(spec):
        for source in container.get("envFrom") or ():
            yield "configMap", (source.get("configMapRef") or {}).get("name")
            yield "secret", (source.get("secretRef") or {}).get("name")
        for entry in container.get("env") or ():
            origin = entry.get("valueFrom") or {}
            yield "configMap", (origin.get("configMapKeyRef") or {}).get("name")
            yield "secret", (origin.get("secretKeyRef") or {}).get("name")
