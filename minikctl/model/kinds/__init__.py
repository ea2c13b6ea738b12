"""The kinds that the cluster serves; the next one is a module here, a line below and a file in schemas/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minikctl.model.kind import Kind
from minikctl.model.kinds import (
    addresses,
    admissionregistration,
    apiservice,
    binding,
    certificatesigningrequest,
    componentstatus,
    configmap,
    controllerrevision,
    cronjob,
    customresourcedefinition,
    daemonset,
    deployment,
    devices,
    endpoints,
    endpointslice,
    event,
    flowcontrol,
    horizontalpodautoscaler,
    ingress,
    ingressclass,
    job,
    lease,
    limitrange,
    metrics,
    namespace,
    networkpolicy,
    node,
    persistentvolume,
    persistentvolumeclaim,
    pod,
    poddisruptionbudget,
    podtemplate,
    priorityclass,
    rbac,
    replicaset,
    replicationcontroller,
    resourcequota,
    runtimeclass,
    secret,
    service,
    serviceaccount,
    statefulset,
    storage,
)
from minikctl.model.kindtable import KindTable

API_SERVICE = apiservice.KIND
BINDING = binding.KIND
CERTIFICATE_SIGNING_REQUEST = certificatesigningrequest.KIND
CLUSTER_ROLE = rbac.CLUSTER_ROLE
CLUSTER_ROLE_BINDING = rbac.CLUSTER_ROLE_BINDING
COMPONENT_STATUS = componentstatus.KIND
CONFIG_MAP = configmap.KIND
CONTROLLER_REVISION = controllerrevision.KIND
CRON_JOB = cronjob.KIND
CSI_DRIVER = storage.CSI_DRIVER
CSI_NODE = storage.CSI_NODE
CUSTOM_RESOURCE_DEFINITION = customresourcedefinition.KIND
DAEMON_SET = daemonset.KIND
DEPLOYMENT = deployment.KIND
DEVICE_CLASS = devices.DEVICE_CLASS
ENDPOINTS = endpoints.KIND
ENDPOINT_SLICE = endpointslice.KIND
EVENT = event.KIND
EVENT_EVENTS = event.KIND_EVENTS
FLOW_SCHEMA = flowcontrol.FLOW_SCHEMA
HORIZONTAL_POD_AUTOSCALER = horizontalpodautoscaler.KIND
HORIZONTAL_POD_AUTOSCALER_V1 = horizontalpodautoscaler.KIND_V1
INGRESS = ingress.KIND
INGRESS_V1BETA1 = ingress.KIND_V1BETA1
INGRESS_EXTENSIONS = ingress.KIND_EXTENSIONS
INGRESS_CLASS = ingressclass.KIND
IP_ADDRESS = addresses.IP_ADDRESS
JOB = job.KIND
LEASE = lease.KIND
LIMIT_RANGE = limitrange.KIND
MUTATING_POLICY = admissionregistration.MUTATING_POLICY
MUTATING_POLICY_BINDING = admissionregistration.MUTATING_POLICY_BINDING
MUTATING_WEBHOOKS = admissionregistration.MUTATING_WEBHOOKS
NAMESPACE = namespace.KIND
NODE_METRICS = metrics.NODE
POD_METRICS = metrics.POD
NETWORK_POLICY = networkpolicy.KIND
NODE = node.KIND
PERSISTENT_VOLUME = persistentvolume.KIND
PERSISTENT_VOLUME_CLAIM = persistentvolumeclaim.KIND
POD = pod.KIND
POD_DISRUPTION_BUDGET = poddisruptionbudget.KIND
POD_TEMPLATE = podtemplate.KIND
PRIORITY_CLASS = priorityclass.KIND
PRIORITY_LEVEL = flowcontrol.PRIORITY_LEVEL
REPLICATION_CONTROLLER = replicationcontroller.KIND
REPLICA_SET = replicaset.KIND
RESOURCE_CLAIM = devices.RESOURCE_CLAIM
RESOURCE_CLAIM_TEMPLATE = devices.RESOURCE_CLAIM_TEMPLATE
RESOURCE_QUOTA = resourcequota.KIND
RESOURCE_SLICE = devices.RESOURCE_SLICE
ROLE = rbac.ROLE
ROLE_BINDING = rbac.ROLE_BINDING
RUNTIME_CLASS = runtimeclass.KIND
SECRET = secret.KIND
SERVICE = service.KIND
SERVICE_ACCOUNT = serviceaccount.KIND
SERVICE_CIDR = addresses.SERVICE_CIDR
STATEFUL_SET = statefulset.KIND
STORAGE_CLASS = storage.STORAGE_CLASS
VALIDATING_POLICY = admissionregistration.VALIDATING_POLICY
VALIDATING_POLICY_BINDING = admissionregistration.VALIDATING_POLICY_BINDING
VALIDATING_WEBHOOKS = admissionregistration.VALIDATING_WEBHOOKS
VOLUME_ATTACHMENT = storage.VOLUME_ATTACHMENT
VOLUME_ATTRIBUTES_CLASS = storage.VOLUME_ATTRIBUTES_CLASS

ALL: tuple[Kind, ...] = (
    BINDING,
    COMPONENT_STATUS,
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    API_SERVICE,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    EVENT_EVENTS,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V1,
    CRON_JOB,
    JOB,
    CERTIFICATE_SIGNING_REQUEST,
    INGRESS,
    INGRESS_CLASS,
    IP_ADDRESS,
    NETWORK_POLICY,
    SERVICE_CIDR,
    INGRESS_V1BETA1,
    INGRESS_EXTENSIONS,
    POD_DISRUPTION_BUDGET,
    *rbac.ALL,
    *storage.ALL,
    *devices.ALL,
    *admissionregistration.ALL,
    CUSTOM_RESOURCE_DEFINITION,
    PRIORITY_CLASS,
    LEASE,
    RUNTIME_CLASS,
    ENDPOINT_SLICE,
    *flowcontrol.ALL,
    NODE_METRICS,
    POD_METRICS,
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
