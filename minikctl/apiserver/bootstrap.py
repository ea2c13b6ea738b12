"""What a cluster has from its first moment: namespaces, roles, a StorageClass, the Service of the API."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import Any

from minikctl import errors
from minikctl.apiserver import rbac_bootstrap
from minikctl.apiserver.registry import Registry
from minikctl.model import flowcontrol, kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import api_endpoints
from minikctl.plan.storage import provisioning

logger = logging.getLogger(__name__)

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_PORT = {"name": "https", "port": 443, "protocol": "TCP"}
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(registry: Registry) -> None:
    """Make what is missing."""
    for name in NAMESPACES:
        await _create(registry, kinds.NAMESPACE, "", {"metadata": {"name": name}})
    await _create(registry, kinds.STORAGE_CLASS, "", copy.deepcopy(provisioning.STANDARD))
    await rbac_bootstrap.reconcile(registry)
    await _service_range(registry)
    await _flow_control(registry)
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "clusterIP": registry.services.addresses.first,
        "ports": [{**_PORT, "targetPort": api_endpoints.PORT}],
    }
    service = {"metadata": {"name": "kubernetes", "labels": _LABELS}, "spec": spec}
    await _create(registry, kinds.SERVICE, "default", service)


async def _flow_control(registry: Registry) -> None:
    """Make the FlowSchemas and PriorityLevelConfigurations of every cluster, together in few transactions."""
    tables = ((kinds.PRIORITY_LEVEL, flowcontrol.LEVELS), (kinds.FLOW_SCHEMA, flowcontrol.SCHEMAS))
    for kind, wanted in tables:
        known = {entry.key[1] for entry in registry.list(kind, "").entries}
        missing = [copy.deepcopy(each) for name, each in wanted.items() if name not in known]
        await asyncio.gather(*(_create(registry, kind, "", each) for each in missing))


async def _service_range(registry: Registry) -> None:
    """Make the ServiceCIDR that tells the range of Services' addresses; it is always ready."""
    cidr = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [registry.settings.service_cidr]}}
    await _create(registry, kinds.SERVICE_CIDR, "", cidr)
    found = registry.get(kinds.SERVICE_CIDR, "", "kubernetes")
    if not objects.condition(found, "Ready"):
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "",
            "message": "Kubernetes Service CIDR is ready",
            "lastTransitionTime": objects.timestamp(registry.clock.now()),
        }
        told = {**found, "status": {"conditions": [ready]}}
        await registry.update(kinds.SERVICE_CIDR, "", "kubernetes", told, subresource="status")


async def _create(registry: Registry, kind: Kind, namespace: str, obj: Object) -> None:
    obj.update(apiVersion=kind.api_version, kind=kind.kind)
    try:
        await registry.create(kind, namespace, obj)
    except errors.StatusError as error:
        if error.reason != "AlreadyExists":
            # A webhook of the user may stand in the way, and can only be removed once the API answers.
            logger.warning("%s %s is missing and was refused: %s", kind.kind, objects.name(obj), error)
