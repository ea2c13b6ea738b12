"""Claims, volumes and their classes."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common, volumes
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def claim(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a PersistentVolumeClaim."""
    spec, status = objects.spec(obj), objects.status(obj)
    bound = bool(spec.get("volumeName"))
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "StorageClass:", spec.get("storageClassName") or "")
    sheet.row(0, "Status:", _phase(obj))
    sheet.row(0, "Volume:", spec.get("volumeName") or "")
    common.marks(sheet, obj)
    sheet.row(0, "Finalizers:", _listed(objects.meta(obj).get("finalizers")))
    sheet.row(0, "Capacity:", (status.get("capacity") or {}).get("storage", "0") if bound else "")
    sheet.row(0, "Access Modes:", _short(status.get("accessModes")) if bound else "")
    if spec.get("volumeMode"):
        sheet.row(0, "VolumeMode:", spec["volumeMode"])
    common.column(sheet, "Used By", sorted(_users(obj, reader)))
    _conditions(sheet, status.get("conditions") or ())
    common.events(sheet, obj, reader)


def volume(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a PersistentVolume."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    common.marks(sheet, obj)
    sheet.row(0, "Finalizers:", _listed(objects.meta(obj).get("finalizers")))
    sheet.row(0, "StorageClass:", spec.get("storageClassName") or "")
    sheet.row(0, "Status:", _phase(obj))
    reference = spec.get("claimRef")
    shown = f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""
    sheet.row(0, "Claim:", shown)
    sheet.row(0, "Reclaim Policy:", spec.get("persistentVolumeReclaimPolicy") or "")
    sheet.row(0, "Access Modes:", _short(spec.get("accessModes")))
    if spec.get("volumeMode"):
        sheet.row(0, "VolumeMode:", spec["volumeMode"])
    sheet.row(0, "Capacity:", (spec.get("capacity") or {}).get("storage", "0"))
    _affinity(sheet, (spec.get("nodeAffinity") or {}).get("required"))
    sheet.row(0, "Message:", status.get("message") or "")
    sheet.row(0, "Source:")
    if not volumes.source(sheet, spec, of_volume=True):
        sheet.row(2, "<unknown>")
    common.events(sheet, obj, reader)


def storage_class(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a StorageClass."""
    notes = objects.annotations(obj)
    default = notes.get("storageclass.kubernetes.io/is-default-class") == "true"
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "IsDefaultClass:", "Yes" if default else "No")
    sheet.row(0, "Annotations:", common.plain_selector(notes))
    sheet.row(0, "Provisioner:", obj.get("provisioner", ""))
    sheet.row(0, "Parameters:", common.plain_selector(obj.get("parameters")))
    expansion = obj.get("allowVolumeExpansion")
    sheet.row(0, "AllowVolumeExpansion:", "<unset>" if expansion is None else str(expansion))
    options = obj.get("mountOptions") or ()
    sheet.row(0, "MountOptions:", *([] if options else ["<none>"]))
    for option in options:
        sheet.row(1, option)
    if obj.get("reclaimPolicy"):
        sheet.row(0, "ReclaimPolicy:", obj["reclaimPolicy"])
    if obj.get("volumeBindingMode"):
        sheet.row(0, "VolumeBindingMode:", obj["volumeBindingMode"])
    _topologies(sheet, obj.get("allowedTopologies"))
    common.events(sheet, obj, reader)


def _topologies(sheet: Sheet, terms: list[Object] | None) -> None:
    if terms is None:
        return
    sheet.row(0, "AllowedTopologies:", "" if terms else "<none>")
    for number, term in enumerate(terms):
        lines = []
        for each in term.get("matchLabelExpressions") or ():
            values = f" [{', '.join(each['values'])}]" if each.get("values") else ""
            lines.append(f"{each['key']} in{values}")
        sheet.row(1, f"Term {number}:", lines[0] if lines else "<none>")
        for line in lines[1:]:
            sheet.row(1, "", line)


def attributes_class(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a VolumeAttributesClass."""
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Annotations:", common.plain_selector(objects.annotations(obj)))
    sheet.row(0, "DriverName:", obj.get("driverName", ""))
    sheet.row(0, "Parameters:", common.plain_selector(obj.get("parameters")))
    common.events(sheet, obj, reader)


def _phase(obj: Object) -> str:
    if objects.is_deleting(obj):
        return f"Terminating (lasts {common.age(objects.meta(obj).get('deletionTimestamp'))})"
    return str(objects.status(obj).get("phase") or "")


def _listed(found: list[str] | None) -> str:
    return f"[{' '.join(found or ())}]"


def _short(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def _users(obj: Object, reader: common.Reader) -> list[str]:
    """Return the names of the pods that use the claim."""
    found = []
    for pod in reader.listed("pods", objects.namespace(obj)):
        for each in objects.spec(pod).get("volumes") or ():
            name = (each.get("persistentVolumeClaim") or {}).get("claimName")
            if "ephemeral" in each:
                name = f"{objects.name(pod)}-{each.get('name')}"
            if name == objects.name(obj):
                found.append(objects.name(pod))
    return list(dict.fromkeys(found))


def _conditions(sheet: Sheet, found: Any) -> None:
    if not found:
        return
    sheet.row(0, "Conditions:")
    columns = ("Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message")
    sheet.row(1, *columns)
    sheet.row(1, *("-" * len(column) for column in columns))
    for entry in found:
        moments = (common.moment(entry.get(f"last{name}Time")) for name in ("Probe", "Transition"))
        told = (entry.get("reason", ""), entry.get("message", ""))
        sheet.row(1, f"{entry['type']} ", entry["status"], *moments, *told)


def _affinity(sheet: Sheet, required: Object | None) -> None:
    if not required:
        sheet.row(0, "Node Affinity:", "<none>")
        return
    sheet.row(0, "Node Affinity:", "")
    sheet.row(1, "Required Terms:", "")
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        lines = []
        for each in (*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ())):
            values = f" [{', '.join(each['values'])}]" if each.get("values") else ""
            lines.append(f"{each['key']} {str(each['operator']).lower()}{values}")
        sheet.row(2, f"Term {index}:", lines[0] if lines else "<none>")
        for line in lines[1:]:
            sheet.row(2, "", line)
