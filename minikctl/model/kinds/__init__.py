"""The kinds that the cluster serves; the next one is a module here, a line below and a file in schemas/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minikctl.model.kind import Kind
from minikctl.model.kinds import (
    configmap,
    deployment,
    endpoints,
    endpointslice,
    event,
    ingress,
    ingressclass,
    lease,
    namespace,
    node,
    pod,
    replicaset,
    secret,
    service,
    serviceaccount,
)

CONFIG_MAP = configmap.KIND
DEPLOYMENT = deployment.KIND
ENDPOINTS = endpoints.KIND
ENDPOINT_SLICE = endpointslice.KIND
EVENT = event.KIND
EVENT_EVENTS = event.KIND_EVENTS
INGRESS = ingress.KIND
INGRESS_V1BETA1 = ingress.KIND_V1BETA1
INGRESS_EXTENSIONS = ingress.KIND_EXTENSIONS
INGRESS_CLASS = ingressclass.KIND
LEASE = lease.KIND
NAMESPACE = namespace.KIND
NODE = node.KIND
POD = pod.KIND
REPLICA_SET = replicaset.KIND
SECRET = secret.KIND
SERVICE = service.KIND
SERVICE_ACCOUNT = serviceaccount.KIND

ALL: tuple[Kind, ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    REPLICA_SET,
    LEASE,
    ENDPOINT_SLICE,
    EVENT_EVENTS,
    INGRESS,
    INGRESS_V1BETA1,
    INGRESS_CLASS,
    INGRESS_EXTENSIONS,
)
"""Every kind in every served version; of a group's versions, the preferred one comes first."""

_BY_RESOURCE = {(kind.group, kind.version, kind.plural): kind for kind in ALL}
_BY_GVK = {(kind.group, kind.version, kind.kind): kind for kind in ALL}


def find(group: str, version: str, plural: str) -> Kind | None:
    """Return the kind that a REST path names, or None."""
    return _BY_RESOURCE.get((group, version, plural))


def by_gvk(group: str, version: str, kind: str) -> Kind | None:
    """Return the kind of that group, version and name, or None."""
    return _BY_GVK.get((group, version, kind))


def of(obj: Mapping[str, Any]) -> Kind | None:
    """Return the kind that an object's apiVersion and kind name, or None."""
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return by_gvk(group, version, str(obj.get("kind") or ""))


def stored(kind: Kind) -> Kind:
    """Return the kind under which objects of ``kind`` are kept: itself, or the one that it is a view of."""
    if kind.storage is None:
        return kind
    return _BY_GVK[(*kind.storage, kind.kind)]
