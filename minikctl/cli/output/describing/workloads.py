"""Deployments and ReplicaSets."""

from __future__ import annotations

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
    if status.get("conditions"):
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status", "Reason")
        sheet.row(1, "----", "------", "------")
        for entry in status["conditions"]:
            sheet.row(1, f"{entry['type']} ", entry["status"], entry.get("reason", ""))
    _replica_sets(sheet, obj, reader)
    common.events(sheet, obj, reader)


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
    if status.get("conditions"):
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status", "Reason")
        sheet.row(1, "----", "------", "------")
        for entry in status["conditions"]:
            sheet.row(1, f"{entry['type']} ", entry["status"], entry.get("reason", ""))
    common.events(sheet, obj, reader)


def _pod_phases(obj: Object, reader: common.Reader) -> str:
    selector = common.selector(objects.spec(obj).get("selector"))
    found = reader.listed("pods", objects.namespace(obj), labelSelector=selector)
    owned = [pod for pod in found if (objects.controller_of(pod) or {}).get("uid") == objects.uid(obj)]
    phases = [objects.status(pod).get("phase") for pod in owned]
    titles = {"Running": "Running", "Pending": "Waiting", "Succeeded": "Succeeded", "Failed": "Failed"}
    return " / ".join(f"{phases.count(phase)} {title}" for phase, title in titles.items())
