"""Pods and pod templates."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common, containers
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.cli.output.describing.volumes import volumes
from minikctl.model import objects

Object = dict[str, Any]


def pod(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a pod."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    if spec.get("priority") is not None:
        sheet.row(0, "Priority:", spec["priority"])
    for key, title in (
        ("priorityClassName", "Priority Class Name"),
        ("runtimeClassName", "Runtime Class Name"),
    ):
        if spec.get(key):
            sheet.row(0, f"{title}:", spec[key])
    if spec.get("serviceAccountName"):
        sheet.row(0, "Service Account:", spec["serviceAccountName"])
    node = spec.get("nodeName")
    sheet.row(0, "Node:", f"{node}/{status.get('hostIP', '')}" if node else "<none>")
    if status.get("startTime"):
        sheet.row(0, "Start Time:", common.moment(status["startTime"]))
    common.marks(sheet, obj)
    _phase(sheet, obj, status)
    _addresses(sheet, status)
    controller(sheet, obj)
    if status.get("nominatedNodeName"):
        sheet.row(0, "Nominated Node Name:", status["nominatedNodeName"])
    _containers(sheet, obj, spec, status)
    _conditions(sheet, spec, status)
    volumes(sheet, spec.get("volumes"), "")
    sheet.row(0, "QoS Class:", status.get("qosClass") or "BestEffort")
    common.labels(sheet, "Node-Selectors", spec.get("nodeSelector"))
    tolerations(sheet, spec)
    _spread(sheet, spec)
    common.events(sheet, obj, reader)


def _phase(sheet: Sheet, obj: Object, status: Object) -> None:
    metadata = objects.meta(obj)
    if metadata.get("deletionTimestamp") and status.get("phase") not in ("Failed", "Succeeded"):
        sheet.row(0, "Status:", f"Terminating (lasts {common.age(metadata['deletionTimestamp'])})")
        sheet.row(0, "Termination Grace Period:", f"{metadata.get('deletionGracePeriodSeconds', 0)}s")
    else:
        sheet.row(0, "Status:", status.get("phase", ""))
    for key, title in (("reason", "Reason"), ("message", "Message")):
        if status.get(key):
            sheet.row(0, f"{title}:", status[key])
    profile = (objects.spec(obj).get("securityContext") or {}).get("seccompProfile")
    if profile:
        sheet.row(0, "SeccompProfile:", profile.get("type", ""))
        if profile.get("type") == "Localhost":
            sheet.row(0, "LocalhostProfile:", profile.get("localhostProfile", ""))


def _addresses(sheet: Sheet, status: Object) -> None:
    sheet.row(0, "IP:", status.get("podIP", ""))
    if not status.get("podIPs"):
        sheet.row(0, "IPs:", "<none>")
        return
    sheet.row(0, "IPs:")
    for entry in status["podIPs"]:
        sheet.row(1, "IP:", entry.get("ip", ""))


def controller(sheet: Sheet, obj: Object) -> None:
    """Write what controls the object, if anything does."""
    owner = objects.controller_of(obj)
    if owner:
        sheet.row(0, "Controlled By:", f"{owner['kind']}/{owner['name']}")


def _containers(sheet: Sheet, obj: Object, spec: Object, status: Object) -> None:
    if spec.get("initContainers"):
        known = status.get("initContainerStatuses") or []
        containers.group(sheet, "Init Containers", spec["initContainers"], known, obj, "")
    known = status.get("containerStatuses") or []
    containers.group(sheet, "Containers", spec.get("containers") or (), known, obj, "")
    if spec.get("ephemeralContainers"):
        known = status.get("ephemeralContainerStatuses") or []
        containers.group(sheet, "Ephemeral Containers", spec["ephemeralContainers"], known, obj, "")


def _conditions(sheet: Sheet, spec: Object, status: Object) -> None:
    found = {entry["type"]: entry for entry in status.get("conditions") or ()}
    if spec.get("readinessGates"):
        sheet.row(0, "Readiness Gates:")
        sheet.row(1, "Type", "Status")
        for gate in spec["readinessGates"]:
            known = found.get(gate["conditionType"])
            sheet.row(1, f"{gate['conditionType']} ", f"{known['status'] if known else '<none>'} ")
    if found:
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status")
        for kind, entry in found.items():
            sheet.row(1, f"{kind} ", f"{entry['status']} ")


def tolerations(sheet: Sheet, spec: Object, margin: str = "") -> None:
    """Write the tolerations, in the order of their keys."""
    found = sorted(spec.get("tolerations") or (), key=lambda entry: str(entry.get("key") or ""))
    lines = []
    for entry in found:
        text = str(entry.get("key") or "")
        if entry.get("value"):
            text += f"={entry['value']}"
        if entry.get("effect"):
            text += f":{entry['effect']}"
        if entry.get("operator") == "Exists" and not entry.get("value"):
            text += " op=Exists" if text else "op=Exists"
        if entry.get("tolerationSeconds") is not None:
            text += f" for {entry['tolerationSeconds']}s"
        lines.append(text)
    common.column(sheet, f"{margin}Tolerations", lines)


def _spread(sheet: Sheet, spec: Object) -> None:
    lines = []
    for entry in sorted(spec.get("topologySpreadConstraints") or (), key=lambda e: str(e["topologyKey"])):
        text = f"{entry['topologyKey']}:{entry['whenUnsatisfiable']} when max skew {entry['maxSkew']} is exceeded"
        if entry.get("labelSelector"):
            text += f" for selector {common.selector(entry['labelSelector'])}"
        lines.append(text)
    if lines:
        common.column(sheet, "Topology Spread Constraints", lines)


def template(sheet: Sheet, found: Object) -> None:
    """Write a pod template."""
    sheet.row(0, "Pod Template:")
    metadata, spec = found.get("metadata") or {}, found.get("spec") or {}
    common.labels(sheet, "  Labels", metadata.get("labels"))
    if metadata.get("annotations"):
        common.notes(sheet, metadata["annotations"], "  Annotations:")
    if spec.get("serviceAccountName"):
        sheet.row(0, "  Service Account:", spec["serviceAccountName"])
    if spec.get("initContainers"):
        containers.group(sheet, "Init Containers", spec["initContainers"], None, found, "  ")
    containers.group(sheet, "Containers", spec.get("containers") or (), None, found, "  ")
    volumes(sheet, spec.get("volumes"), "  ")
    _spread(sheet, spec)
    if spec.get("priorityClassName"):
        sheet.row(0, "  Priority Class Name:", spec["priorityClassName"])
    common.labels(sheet, "  Node-Selectors", spec.get("nodeSelector"))
    tolerations(sheet, spec, "  ")
