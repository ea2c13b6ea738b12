"""Deployments, ReplicaSets, StatefulSets, DaemonSets and ReplicationControllers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minikctl.cli.output.describing import common, pods
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def deployment(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Deployment."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    common.marks(sheet, obj)
    sheet.row(0, "Selector:", common.selector(spec.get("selector")))
    counts = [("updated", "updatedReplicas"), ("total", "replicas"), ("available", "availableReplicas")]
    counts.append(("unavailable", "unavailableReplicas"))
    shown = [f"{spec.get('replicas', 1)} desired", *(f"{status.get(key, 0)} {name}" for name, key in counts)]
    sheet.row(0, "Replicas:", " | ".join(shown))
    strategy = spec.get("strategy") or {}
    sheet.row(0, "StrategyType:", strategy.get("type", ""))
    sheet.row(0, "MinReadySeconds:", spec.get("minReadySeconds", 0))
    rolling = strategy.get("rollingUpdate")
    if rolling:
        bounds = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        sheet.row(0, "RollingUpdateStrategy:", bounds)
    pods.template(sheet, spec.get("template") or {})
    _conditions(sheet, status)
    _replica_sets(sheet, obj, reader)
    common.events(sheet, obj, reader)


def _conditions(sheet: Sheet, status: Object) -> None:
    if status.get("conditions"):
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status", "Reason")
        sheet.row(1, "----", "------", "------")
        for entry in status["conditions"]:
            sheet.row(1, f"{entry['type']} ", entry["status"], entry.get("reason", ""))


def _replica_sets(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    found = reader.listed("replicasets.apps", objects.namespace(obj))
    owned = [rs for rs in found if (objects.controller_of(rs) or {}).get("uid") == objects.uid(obj)]
    owned.sort(key=lambda rs: (str(objects.meta(rs).get("creationTimestamp")), objects.name(rs)))
    wanted = _template(objects.spec(obj).get("template") or {})
    new = next((rs for rs in owned if _template(objects.spec(rs).get("template") or {}) == wanted), None)
    old = [_counted(rs) for rs in owned if rs is not new]
    sheet.row(0, "OldReplicaSets:", ", ".join(old) or "<none>")
    sheet.row(0, "NewReplicaSet:", _counted(new) if new else "<none>")


def _template(found: Object) -> Object:
    metadata = dict(found.get("metadata") or {})
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**found, "metadata": {key: value for key, value in metadata.items() if value}}


def _counted(rs: Object) -> str:
    made, wanted = objects.status(rs).get("replicas", 0), objects.spec(rs).get("replicas", 0)
    return f"{objects.name(rs)} ({made}/{wanted} replicas created)"


def replica_set(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ReplicaSet."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Selector:", common.selector(spec.get("selector")))
    common.marks(sheet, obj)
    pods.controller(sheet, obj)
    sheet.row(0, "Replicas:", f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    sheet.row(0, "Pods Status:", _pod_phases(obj, reader))
    pods.template(sheet, spec.get("template") or {})
    _conditions(sheet, status)
    common.events(sheet, obj, reader)


def _pod_phases(obj: Object, reader: common.Reader) -> str:
    return _phases(obj, common.selector(objects.spec(obj).get("selector")), reader)


def _phases(obj: Object, selector: str, reader: common.Reader) -> str:
    found = reader.listed("pods", objects.namespace(obj), labelSelector=selector)
    owned = [pod for pod in found if (objects.controller_of(pod) or {}).get("uid") == objects.uid(obj)]
    phases = [objects.status(pod).get("phase") for pod in owned]
    titles = {"Running": "Running", "Pending": "Waiting", "Succeeded": "Succeeded", "Failed": "Failed"}
    return " / ".join(f"{phases.count(phase)} {title}" for phase, title in titles.items())


def replication_controller(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ReplicationController."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Selector:", common.plain_selector(spec.get("selector")))
    common.marks(sheet, obj)
    sheet.row(0, "Replicas:", f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    sheet.row(0, "Pods Status:", _phases(obj, common.plain_selector(spec.get("selector")), reader))
    pods.template(sheet, spec.get("template") or {})
    _conditions(sheet, status)
    common.events(sheet, obj, reader)


def daemon_set(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a DaemonSet."""
    spec, status = objects.spec(obj), objects.status(obj)
    template = spec.get("template") or {}
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Selector:", common.selector(spec.get("selector")))
    sheet.row(0, "Node-Selector:", common.plain_selector(objects.spec(template).get("nodeSelector")))
    common.marks(sheet, obj)
    for title, field in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        sheet.row(0, f"{title}: {status.get(field, 0)}")
    sheet.row(0, "Pods Status:", _pod_phases(obj, reader))
    pods.template(sheet, template)
    common.events(sheet, obj, reader)


def stateful_set(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a StatefulSet."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    sheet.row(0, "Selector:", common.selector(spec.get("selector")))
    common.marks(sheet, obj)
    sheet.row(0, "Service Name:", spec.get("serviceName") or "")
    sheet.row(0, "Pod Management Policy:", spec.get("podManagementPolicy") or "")
    sheet.row(0, "Replicas:", f"{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    sheet.row(0, "Update Strategy:", strategy.get("type") or "")
    rolling = strategy.get("rollingUpdate") or {}
    for title, field in (("Partition:", "partition"), ("MaxUnavailable:", "maxUnavailable")):
        if rolling.get(field) is not None:
            sheet.row(1, title, rolling[field])
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    if retention:
        sheet.row(0, "Persistent Volume Claim Retention Policy:")
        sheet.row(1, "WhenDeleted:", retention.get("whenDeleted", ""))
        sheet.row(1, "WhenScaled:", retention.get("whenScaled", ""))
    sheet.row(0, "Pods Status:", _pod_phases(obj, reader))
    pods.template(sheet, spec.get("template") or {})
    _claims(sheet, spec.get("volumeClaimTemplates") or ())
    common.events(sheet, obj, reader)


def _claims(sheet: Sheet, templates: Iterable[Object]) -> None:
    found = list(templates)
    sheet.row(0, "Volume Claims:", *([] if found else ["<none>"]))
    for claim in found:
        spec = objects.spec(claim)
        sheet.row(1, "Name:", objects.name(claim))
        sheet.row(1, "StorageClass:", spec.get("storageClassName") or "")
        labels = [f"{key}={value}" for key, value in sorted(objects.labels(claim).items())]
        common.column(sheet, "Labels", labels, 1)
        notes = [f"{key}={value}" for key, value in sorted(objects.annotations(claim).items())]
        common.column(sheet, "Annotations", notes, 1)
        size = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "<default>")
        sheet.row(1, "Capacity:", size)
        sheet.row(1, "Access Modes:", f"[{' '.join(spec.get('accessModes') or ())}]")
