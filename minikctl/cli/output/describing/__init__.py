"""Descriptions of objects, laid out as kubectl lays them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikctl.cli.output.describing import (
    addresses,
    batch,
    bounds,
    cluster,
    data,
    generic,
    pods,
    rights,
    scaling,
    services,
    storage,
    workloads,
)
from minikctl.cli.output.describing.common import Reader
from minikctl.cli.output.describing.sheet import Sheet

Describe = Callable[[Sheet, dict[str, Any], Reader], None]

KINDS: dict[tuple[str, str], Describe] = {
    ("", "Pod"): pods.pod,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("", "PersistentVolume"): storage.volume,
    ("storage.k8s.io", "StorageClass"): storage.storage_class,
    ("", "Service"): services.service,
    ("", "Endpoints"): services.endpoints,
    ("discovery.k8s.io", "EndpointSlice"): services.endpoint_slice,
    ("networking.k8s.io", "Ingress"): services.ingress,
    ("extensions", "Ingress"): services.ingress,
    ("networking.k8s.io", "IngressClass"): services.ingress_class,
    ("", "Node"): cluster.node,
    ("", "Namespace"): cluster.namespace,
    ("", "ServiceAccount"): cluster.service_account,
    ("", "ConfigMap"): data.config_map,
    ("", "Secret"): data.secret,
    ("batch", "Job"): batch.job,
    ("batch", "CronJob"): batch.cron_job,
    ("policy", "PodDisruptionBudget"): bounds.disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): scaling.autoscaler,
    ("scheduling.k8s.io", "PriorityClass"): bounds.priority_class,
    ("", "ResourceQuota"): bounds.quota,
    ("", "LimitRange"): bounds.limit_range,
    ("networking.k8s.io", "NetworkPolicy"): bounds.network_policy,
    ("networking.k8s.io", "ServiceCIDR"): addresses.service_cidr,
    ("networking.k8s.io", "IPAddress"): addresses.address,
    ("storage.k8s.io", "CSINode"): addresses.csi_node,
    ("storage.k8s.io", "VolumeAttributesClass"): storage.attributes_class,
    ("rbac.authorization.k8s.io", "Role"): rights.role,
    ("rbac.authorization.k8s.io", "ClusterRole"): rights.role,
    ("rbac.authorization.k8s.io", "RoleBinding"): rights.binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): rights.binding,
    ("certificates.k8s.io", "CertificateSigningRequest"): rights.request,
}


def text(obj: dict[str, Any], reader: Reader) -> str:
    """Return the description of an object."""
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    sheet = Sheet()
    KINDS.get((group, str(obj.get("kind"))), generic.describe)(sheet, obj, reader)
    return sheet.text()


def template(found: dict[str, Any]) -> str:
    """Return the description of a pod template, with tabs between its columns."""
    sheet = Sheet()
    pods.template(sheet, found)
    return sheet.raw()
