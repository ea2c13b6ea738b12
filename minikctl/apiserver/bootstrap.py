"""What a cluster has from its first moment: namespaces, a StorageClass, the Service of the API."""

from __future__ import annotations

import copy
from typing import Any

from minikctl import errors
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan.storage import provisioning

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_PORT = {"name": "https", "port": 443, "protocol": "TCP"}
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(registry: Registry, endpoint: tuple[str, int] | None = None) -> None:
    """Make what is missing; ``endpoint`` is the API's address as pods reach it, None when they cannot."""
    for name in NAMESPACES:
        await _create(registry, kinds.NAMESPACE, "", {"metadata": {"name": name}})
    await _create(registry, kinds.STORAGE_CLASS, "", copy.deepcopy(provisioning.STANDARD))
    target = endpoint[1] if endpoint else 443
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "clusterIP": registry.services.addresses.first,
        "ports": [{**_PORT, "targetPort": target}],
    }
    service = {"metadata": {"name": "kubernetes", "labels": _LABELS}, "spec": spec}
    await _create(registry, kinds.SERVICE, "default", service)
    if endpoint:
        await _publish(registry, *endpoint)


async def _create(registry: Registry, kind: Kind, namespace: str, obj: Object) -> None:
    obj.update(apiVersion=kind.api_version, kind=kind.kind)
    try:
        await registry.create(kind, namespace, obj)
    except errors.StatusError as error:
        if error.reason != "AlreadyExists":
            raise


async def _publish(registry: Registry, address: str, port: int) -> None:
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    await _put(
        registry,
        kinds.ENDPOINTS,
        {
            "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": ports}],
        },
    )
    await _put(
        registry,
        kinds.ENDPOINT_SLICE,
        {
            "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


async def _put(registry: Registry, kind: Kind, obj: Object) -> None:
    obj.update(apiVersion=kind.api_version, kind=kind.kind)
    try:
        await registry.update(kind, "default", "kubernetes", obj)
    except errors.StatusError as error:
        if error.reason != "NotFound":
            raise
        await registry.create(kind, "default", obj)
