"""Nodes, namespaces and service accounts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from minikctl.cli.output.describing import common, quotas
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects, quantity

Object = dict[str, Any]

ROLE_PREFIX = "node-role.kubernetes.io/"
INFO = (
    ("machineID", "Machine ID"), ("systemUUID", "System UUID"), ("bootID", "Boot ID"),
    ("kernelVersion", "Kernel Version"), ("osImage", "OS Image"), ("operatingSystem", "Operating System"),
    ("architecture", "Architecture"), ("containerRuntimeVersion", "Container Runtime Version"),
    ("kubeletVersion", "Kubelet Version"),
)  # fmt: skip


def node(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Node, with the pods on it."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    roles = [key.removeprefix(ROLE_PREFIX) for key in objects.labels(obj) if key.startswith(ROLE_PREFIX)]
    sheet.row(0, "Roles:", ",".join(sorted(roles)) or "<none>")
    common.marks(sheet, obj)
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    taints = [_taint(entry) for entry in spec.get("taints") or ()]
    common.column(sheet, "Taints", taints)
    sheet.row(0, "Unschedulable:", str(bool(spec.get("unschedulable"))).lower())
    _lease(sheet, obj, reader)
    _conditions(sheet, status)
    sheet.row(0, "Addresses:")
    for entry in status.get("addresses") or ():
        sheet.row(1, f"{entry['type']}:", entry["address"])
    for key, title in (("capacity", "Capacity"), ("allocatable", "Allocatable")):
        if status.get(key):
            sheet.row(0, f"{title}:")
            for name, value in sorted(status[key].items()):
                sheet.row(1, f"{name}:", value)
    sheet.row(0, "System Info:")
    for key, title in INFO:
        sheet.row(1, f"{title}:", (status.get("nodeInfo") or {}).get(key, ""))
    for key, title in (("podCIDR", "PodCIDR"), ("providerID", "ProviderID")):
        if spec.get(key):
            sheet.row(0, f"{title}:", spec[key])
    if spec.get("podCIDRs"):
        sheet.row(0, "PodCIDRs:", ",".join(spec["podCIDRs"]))
    _pods(sheet, obj, reader)
    common.events(sheet, obj, reader)


def _taint(entry: Object) -> str:
    value = f"={entry['value']}" if entry.get("value") else ""
    return f"{entry['key']}{value}:{entry.get('effect', '')}"


def _lease(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    lease = reader.one("leases", "kube-node-lease", objects.name(obj)) or {}
    spec = objects.spec(lease)
    sheet.row(0, "Lease:")
    sheet.row(1, "HolderIdentity:", spec.get("holderIdentity") or "<unset>")
    sheet.row(1, "AcquireTime:", common.moment(spec.get("acquireTime")))
    sheet.row(1, "RenewTime:", common.moment(spec.get("renewTime")))


def _conditions(sheet: Sheet, status: Object) -> None:
    if not status.get("conditions"):
        return
    titles = ["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"]
    sheet.row(0, "Conditions:")
    sheet.row(1, *titles)
    sheet.row(1, *("-" * len(title) for title in titles))
    for entry in status["conditions"]:
        sheet.row(
            1,
            f"{entry['type']} ",
            f"{entry['status']} ",
            f"{common.moment(entry.get('lastHeartbeatTime'))} ",
            f"{common.moment(entry.get('lastTransitionTime'))} ",
            f"{entry.get('reason', '')} ",
            entry.get("message", ""),
        )


def _pods(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    chosen = f"spec.nodeName={objects.name(obj)},status.phase!=Failed,status.phase!=Succeeded"
    found = reader.listed("pods", "", fieldSelector=chosen)
    allocatable = objects.status(obj).get("allocatable") or objects.status(obj).get("capacity") or {}
    titles = [
        "Namespace",
        "Name",
        "",
        "CPU Requests",
        "CPU Limits",
        "Memory Requests",
        "Memory Limits",
        "Age",
    ]
    sheet.row(0, "Non-terminated Pods:", f"({len(found)} in total)")
    sheet.row(1, *titles)
    sheet.row(1, *("-" * len(title) if title else "" for title in titles))
    totals: dict[tuple[str, str], Fraction] = {}
    for pod in found:
        cells = []
        for resource in ("cpu", "memory"):
            for kind in ("requests", "limits"):
                value = _of_pod(pod, kind, resource)
                totals[kind, resource] = totals.get((kind, resource), Fraction(0)) + value
                cells.append(_share(value, resource, allocatable))
        age = common.age(objects.meta(pod).get("creationTimestamp"))
        sheet.row(1, objects.namespace(pod), objects.name(pod), "", *cells, age)
    _allocated(sheet, totals, allocatable)


def _of_pod(pod: Object, kind: str, resource: str) -> Fraction:
    def value(container: Object) -> Fraction:
        return quantity.parse(((container.get("resources") or {}).get(kind) or {}).get(resource) or 0)

    spec = objects.spec(pod)
    together = sum((value(container) for container in spec.get("containers") or ()), Fraction(0))
    return max([together, *(value(container) for container in spec.get("initContainers") or ())])


def _share(value: Fraction, resource: str, allocatable: Object) -> str:
    whole = quantity.parse(allocatable.get(resource) or 0)
    percent = int(value * 100 / whole) if whole else 0
    return f"{_text(value, resource)} ({percent}%)"


def _text(value: Fraction, resource: str) -> str:
    if resource == "cpu":
        millis = -((-value * 1000) // 1)
        return f"{millis // 1000}" if millis % 1000 == 0 else f"{millis}m"
    count = int(value)
    return quantity.canonical(f"{count // 1024}Ki") if count and count % 1024 == 0 else str(count)


def _allocated(sheet: Sheet, totals: dict[tuple[str, str], Fraction], allocatable: Object) -> None:
    sheet.row(0, "Allocated resources:")
    sheet.row(1, "(Total limits may be over 100 percent, i.e., overcommitted.)")
    sheet.row(1, "Resource", "Requests", "Limits")
    sheet.row(1, "--------", "--------", "------")
    for resource in ("cpu", "memory", "ephemeral-storage"):
        shares = [
            _share(totals.get((kind, resource), Fraction(0)), resource, allocatable)
            for kind in ("requests", "limits")
        ]
        sheet.row(1, resource, *shares)


def namespace(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Namespace, with what it may have."""
    common.head(sheet, obj, namespaced=False)
    sheet.row(0, "Status:", objects.status(obj).get("phase", ""))
    conditions = objects.status(obj).get("conditions")
    if conditions:
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status", "LastTransitionTime", "Reason", "Message")
        sheet.row(1, "----", "------", "------------------", "------", "-------")
        for entry in conditions:
            moment = common.moment(entry.get("lastTransitionTime"))
            cells = (
                entry["type"],
                entry["status"],
                moment,
                entry.get("reason", ""),
                entry.get("message", ""),
            )
            sheet.row(1, *cells)
    name = objects.name(obj)
    quotas.write(sheet, reader.listed("resourcequotas", name), reader.listed("limitranges", name))


def service_account(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a ServiceAccount."""
    common.head(sheet, obj)
    pull = [entry.get("name", "") for entry in obj.get("imagePullSecrets") or ()]
    common.column(sheet, "Image pull secrets", pull)
    common.events(sheet, obj, reader)
