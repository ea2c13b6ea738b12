"""Descriptions of objects, laid out as kubectl lays them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikctl.cli.output.describing import cluster, data, generic, pods, services, storage, workloads
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
