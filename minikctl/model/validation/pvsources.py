"""Sources of PersistentVolumes: those of pods, but that some are asked for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.validation import claims, volumes

Source = dict[str, Any]

ORDER = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
"""In this order sources are looked for: the first that is there counts."""
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_INITIATOR_AND_NAME = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName "
    "is specified."
)
_NO_NAMESPACE = "if the endpointnamespace is set, it must be a valid namespace name"


def first(spec: dict[str, Any]) -> str:
    """Return the source that counts, "" if there is none."""
    return next((field for field in ORDER if spec.get(field) is not None), "")


def validate(spec: dict[str, Any], name: str, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the source in the spec of a volume of that name, and with none or several."""
    present = [field for field in ORDER if spec.get(field) is not None]
    for field in present:
        if field != present[0] and field != "flexVolume":
            yield causes.forbidden(
                f"{path}.{volumes.FORBIDDEN_AS.get(field, field)}", "may not specify more than 1 volume type"
            )
            continue
        yield from _RULES.get(field, volumes.source_rule(field))(spec[field], f"{path}.{field}")
        if field == "iscsi" and spec[field].get("initiatorName"):
            portal = str(spec[field].get("targetPortal") or "")
            if len(f"{name}:{portal}") > 64:
                yield causes.invalid(f"{path}.iscsi.targetportal", portal, _INITIATOR_AND_NAME)
    if not present:
        yield causes.required(path, "must specify a volume type")


def inline(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the volume that a VolumeAttachment describes itself."""
    place = "in the context of inline volumes"
    for field in ("claimRef", "capacity"):
        if spec.get(field):
            yield causes.forbidden(f"{path}.{field}", f"may not be specified {place}")
    if spec.get("csi") is None:
        yield causes.required(f"{path}.csi", f"has to be specified {place}")
    modes = spec.get("accessModes") or ()
    if not modes:
        yield causes.required(f"{path}.accessModes")
    yield from claims.access_modes(modes, f"{path}.accessModes")
    if spec.get("persistentVolumeReclaimPolicy") not in (None, "", "Retain"):
        yield causes.forbidden(f"{path}.persistentVolumeReclaimPolicy", f"may only be Retain {place}")
    if spec.get("nodeAffinity") is not None:
        yield causes.forbidden(f"{path}.nodeAffinity", f"may not be specified {place}")
    yield from validate(spec, "", path)
    if spec.get("storageClassName"):
        yield causes.forbidden(f"{path}.storageClassName", f"may not be specified {place}")
    if spec.get("volumeMode") not in (None, "Filesystem"):
        text = f"may not specify volumeMode other than Filesystem {place}"
        yield causes.forbidden(f"{path}.volumeMode", text)


def _iscsi(found: Source, path: str) -> Iterator[Cause]:
    for cause in volumes.source_rule("iscsi")(found, path):
        # Of a volume's names it is not said how they begin.
        yield {**cause, "message": cause["message"].removesuffix(" starting with iqn, eui, or naa")}
    if found.get("secretRef") is not None and not found["secretRef"].get("name"):
        yield causes.required(f"{path}.secretRef.name")


def _glusterfs(found: Source, path: str) -> Iterator[Cause]:
    namespace, where = found.get("endpointsNamespace"), f"{path}.endpointsNamespace"
    if namespace == "":
        yield causes.invalid(where, namespace, _NO_NAMESPACE)
    elif namespace is not None:
        yield from (causes.invalid(where, namespace, fault) for fault in names.dns_label(namespace))


def _azure_file(found: Source, path: str) -> Iterator[Cause]:
    if found.get("secretNamespace") == "":
        yield causes.required(f"{path}.secretNamespace")


def _with_secret(rule: str) -> volumes.Rule:
    def check(found: Source, path: str) -> Iterator[Cause]:
        yield from volumes.source_rule(rule)(found, path)
        if found.get("secretRef") is not None and not found["secretRef"].get("namespace"):
            yield causes.required(f"{path}.secretRef.namespace")

    return check


def _csi(found: Source, path: str) -> Iterator[Cause]:
    yield from volumes.driver_name(str(found.get("driver") or ""), f"{path}.driver")
    for field in _CSI_SECRETS:
        reference = found.get(field)
        if reference is not None:
            yield from _named(reference, "name", names.dns_subdomain, f"{path}.{field}")
            yield from _named(reference, "namespace", names.dns_label, f"{path}.{field}")


def _named(reference: Source, part: str, rule: Callable[[str], list[str]], path: str) -> Iterator[Cause]:
    value, where = str(reference.get(part) or ""), f"{path}.{part}"
    if not value:
        yield causes.required(where)
    else:
        yield from (causes.invalid(where, value, fault) for fault in rule(value))


_RULES: dict[str, volumes.Rule] = {
    "azureFile": _azure_file,
    "cinder": _with_secret("cinder"),
    "csi": _csi,
    "glusterfs": _glusterfs,
    "iscsi": _iscsi,
    "storageos": _with_secret("storageos"),
}
