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
from minikctl.model.kindtable import KindTable

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

BUILT_IN = KindTable(ALL)
"""What is served before there is any custom kind; who must know those too asks the registry's table."""


def find(group: str, version: str, plural: str) -> Kind | None:
    """Return the kind that a REST path names, or None."""
    return BUILT_IN.find(group, version, plural)


def by_gvk(group: str, version: str, kind: str) -> Kind | None:
    """Return the kind of that group, version and name, or None."""
    return BUILT_IN.by_gvk(group, version, kind)


def of(obj: Mapping[str, Any]) -> Kind | None:
    """Return the kind that an object's apiVersion and kind name, or None."""
    return BUILT_IN.of(obj)


def stored(kind: Kind) -> Kind:
    """Return the kind under which objects of ``kind`` are kept: itself, or the one that it is a view of."""
    if kind.storage is None:
        return kind
    group, version = kind.storage
    found = by_gvk(group, version, kind.kind)
    assert found is not None, "the registry has the version in which a kind is kept"
    return found
