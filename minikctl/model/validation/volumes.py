"""Volumes of a pod, and the sources that PersistentVolumes have as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minikctl.model import causes, metadata, names, quantity
from minikctl.model.kind import Cause
from minikctl.model.validation import claims, environment, paths, selection

Volume = dict[str, Any]
Rule = Callable[[dict[str, Any], str], Iterator[Cause]]

LONGEST_DRIVER = 63
_MOST_MODE = 0o777
_MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"
_MORE = "may not specify more than 1 volume type"
_CONFLICT = "conflicting duplicate paths"
_ISCSI = {
    "iqn": r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9-.]+)(:[^,;*&$|\s]+)?",
    "eui": "eui.[A-Za-z0-9]{16}",
    "naa": "naa.[A-Za-z0-9]{32}",
}
_VOLUME_FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"}
)
_ALL_SOURCES_NEED_NAME = ("secret", "configMap")
_ORDER = (
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
)
"""In this order sources are looked for: the first that is there counts."""
FORBIDDEN_AS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
"""How Kubernetes calls sources when there are several."""
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def validate(volumes: Iterable[Volume], path: str, pod: str = "") -> Iterator[Cause]:
    """Yield what is wrong with the volumes of a pod, whose name matters for claims that are made for it."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", str(volume.get("name") or "")
        if name:
            for fault in names.dns_label(name):
                yield causes.invalid(f"{where}.name", name, fault)
        if name in seen:
            yield causes.duplicate(f"{where}.name", name)
        seen.add(name)
        sources = [field for field in _ORDER if volume.get(field) is not None]
        for field in sources[:1]:
            yield from source_rule(field)(volume[field], f"{where}.{field}")
        for field in sources[1:]:
            yield causes.forbidden(f"{where}.{FORBIDDEN_AS.get(field, field)}", _MORE)
        if sources[:1] == ["ephemeral"] and pod and name:
            claim = f"{pod}-{name}"
            for fault in names.dns_subdomain(claim):
                yield causes.invalid(f"{where}.name", name, f'PVC name "{claim}": {fault}')


def source_rule(field: str) -> Rule:
    """Return what finds faults in a source beyond its schema; ``field`` is the source's name."""
    return _RULES.get(field, _nothing)


def _nothing(_found: dict[str, Any], _path: str) -> Iterator[Cause]:
    """Find nothing: the schema knows all rules of the source."""
    return iter(())


def driver_name(name: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no name of a CSI driver."""
    if not name:
        yield causes.required(path)
    if len(name) > LONGEST_DRIVER:
        yield causes.too_long(path, LONGEST_DRIVER)
    for fault in names.dns_subdomain(name.lower()):
        yield causes.invalid(path, name, fault)


# --- files from objects ---------------------------------------------------------------------------


def _keys(found: dict[str, Any], path: str) -> Iterator[Cause]:
    for index, item in enumerate(found.get("items") or ()):
        if value := item.get("path"):
            yield from paths.not_reserved(value, f"{path}.items[{index}].path")


def _config_map(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if not found.get("name"):
        yield causes.required(f"{path}.name")
    yield from _keys(found, path)


def _secret(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if not found.get("secretName"):
        yield causes.required(f"{path}.secretName")
    yield from _keys(found, path)


def _downward(found: dict[str, Any], path: str) -> Iterator[Cause]:
    for item in found.get("items") or ():
        yield from _downward_file(item, path)


def _downward_file(item: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with one file; as Kubernetes does, all are reported at the volume's path."""
    yield from _file_path(item, path)
    if not 0 <= (item.get("mode") or 0) <= _MOST_MODE:
        yield causes.invalid(f"{path}.mode", item["mode"], _MODE_RANGE)
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        yield from environment.field_reference(field, f"{path}.fieldRef", _VOLUME_FIELDS)
        if resource is not None:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield causes.invalid(path, "resource", detail)
    elif resource is not None:
        if not resource.get("containerName"):
            yield causes.required(f"{path}.resourceFieldRef.containerName")
        yield from environment.resource_reference(resource, f"{path}.resourceFieldRef")
    else:
        yield causes.required(path, "one of fieldRef and resourceFieldRef is required")


def _file_path(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if value := found.get("path"):
        yield from paths.not_reserved(value, f"{path}.path")
    else:
        yield causes.required(f"{path}.path")


def _projected(found: dict[str, Any], path: str) -> Iterator[Cause]:
    taken: set[str] = set()
    for index, each in enumerate(found.get("sources") or ()):
        where = f"{path}.sources[{index}]"
        if len(each) > 1:
            yield causes.forbidden(where, _MORE)
        for name, inner in each.items():
            yield from _projection(name, inner, f"{where}.{name}")
            for file in _files(name, inner):
                if file in taken:
                    shown = inner.get("name", "") if name in _ALL_SOURCES_NEED_NAME else file
                    yield causes.invalid(path, shown, _CONFLICT)
                taken.add(file)


def _files(name: str, inner: dict[str, Any]) -> list[str]:
    if name in (*_ALL_SOURCES_NEED_NAME, "downwardAPI"):
        return [item["path"] for item in inner.get("items") or () if item.get("path")]
    return [inner["path"]] if name == "clusterTrustBundle" and inner.get("path") else []


def _projection(name: str, inner: dict[str, Any], path: str) -> Iterator[Cause]:
    if name in _ALL_SOURCES_NEED_NAME:
        yield from _config_map(inner, path)
    elif name == "downwardAPI":
        yield from _downward(inner, path)
    elif name == "serviceAccountToken":
        if (inner.get("expirationSeconds") or 0) > 1 << 32:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield causes.invalid(f"{path}.expirationSeconds", inner["expirationSeconds"], detail)
        # The place that Kubernetes names is that of the volume.
        yield from _file_path(inner, path.rpartition(".sources[")[0])
    elif name == "clusterTrustBundle":
        # Kubernetes calls the field so in what it says of it.
        yield from _trust_bundle(inner, f"{path}PEM")


def _trust_bundle(inner: dict[str, Any], path: str) -> Iterator[Cause]:
    name, signer = inner.get("name"), inner.get("signerName")
    if name is not None and signer is not None:
        yield causes.invalid(path, inner, "only one of name and signerName may be used")
    elif name is not None:
        if not name:
            yield causes.required(f"{path}.name", "must be a valid object name")
        for fault in names.dns_subdomain(name.rpartition(":")[2]):
            yield causes.invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {fault}")
        if inner.get("labelSelector") is not None:
            detail = "labelSelector must be unset if name is specified"
            yield causes.invalid(f"{path}.labelSelector", inner["labelSelector"], detail)
    elif signer is None:
        yield causes.required(path, "either name or signerName must be specified")
    else:
        if not signer:
            yield causes.required(f"{path}.signerName", "must be a valid signer name")
        yield from selection.validate(inner.get("labelSelector") or {}, f"{path}.labelSelector")
    yield from paths.not_reserved(str(inner.get("path") or ""), f"{path}.path")


# --- other sources --------------------------------------------------------------------------------


def _empty_dir(found: dict[str, Any], path: str) -> Iterator[Cause]:
    limit = found.get("sizeLimit")
    if limit is not None and quantity.compare(limit, 0) < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        yield causes.forbidden(f"{path}.sizeLimit", detail)


def _host_path(found: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from paths.no_backsteps(str(found.get("path") or ""), f"{path}.path")


def _git_repo(found: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from paths.descending(str(found.get("directory") or ""), f"{path}.directory")


def _nfs(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if not str(found.get("path") or "").startswith("/"):
        yield causes.invalid(f"{path}.path", found.get("path") or "", "must be an absolute path")


def _within(field: str, low: int, high: int, shown_low: int | None = None) -> Rule:
    detail = f"must be between {low if shown_low is None else shown_low} and {high}, inclusive"

    def rule(found: dict[str, Any], path: str) -> Iterator[Cause]:
        value = found.get(field) or 0
        if not low <= value <= high:
            yield causes.invalid(f"{path}.{field}", value, detail)

    return rule


def _iscsi(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if iqn := found.get("iqn"):
        yield from _iscsi_name(iqn, f"{path}.iqn")
    yield from _within("lun", 0, 255)(found, path)
    if (found.get("chapAuthDiscovery") or found.get("chapAuthSession")) and not found.get("secretRef"):
        yield causes.required(f"{path}.secretRef")
    if initiator := found.get("initiatorName"):
        yield from _iscsi_name(initiator, f"{path}.initiatorname")


def _iscsi_name(name: str, path: str) -> Iterator[Cause]:
    pattern = _ISCSI.get(name[:3])
    if pattern is None:
        yield causes.invalid(path, name, "must be valid format starting with iqn, eui, or naa")
    elif not re.fullmatch(pattern, name, re.ASCII):
        yield causes.invalid(path, name, "must be valid format")


def _fibre(found: dict[str, Any], path: str) -> Iterator[Cause]:
    targets, ids = found.get("targetWWNs") or [], found.get("wwids") or []
    where = f"{path}.targetWWNs"
    if not targets and not ids:
        yield causes.required(where, "must specify either targetWWNs or wwids, but not both")
    if targets and ids:
        yield causes.invalid(where, targets, "targetWWNs and wwids can not be specified simultaneously")
    if targets and found.get("lun") is None:
        yield causes.required(f"{path}.lun", "lun is required if targetWWNs is specified")
    elif targets:
        yield from _within("lun", 0, 255)(found, path)


def _quobyte(found: dict[str, Any], path: str) -> Iterator[Cause]:
    detail = "must be a host:port pair or multiple pairs separated by commas"
    if len(found.get("tenant") or "") >= 65:
        detail = "must be a UUID and may not exceed a length of 64 characters"
        yield causes.required(f"{path}.tenant", detail)
    elif any(":" not in each for each in str(found.get("registry") or ":").split(",")):
        yield causes.invalid(f"{path}.registry", found["registry"], detail)


def _flocker(found: dict[str, Any], path: str) -> Iterator[Cause]:
    name, uuid = found.get("datasetName") or "", found.get("datasetUUID") or ""
    if not name and not uuid:
        yield causes.required(path, "one of datasetName and datasetUUID is required")
    if name and uuid:
        detail = "datasetName and datasetUUID can not be specified simultaneously"
        yield causes.invalid(path, "resource", detail)
    if "/" in name:
        yield causes.invalid(f"{path}.datasetName", name, "must not contain '/'")


def _secret_reference(found: dict[str, Any], path: str) -> Iterator[Cause]:
    reference = found.get("secretRef")
    if reference is not None and not reference.get("name"):
        yield causes.required(f"{path}.secretRef.name")


def _flex(found: dict[str, Any], path: str) -> Iterator[Cause]:
    for key in found.get("options") or {}:
        prefix = f".{key.partition('/')[0].lower()}"
        if prefix.endswith((".kubernetes.io", ".k8s.io")):
            detail = "kubernetes.io and k8s.io namespaces are reserved"
            yield causes.invalid(f"{path}.options[{key}]", key, detail)


def _azure_disk(found: dict[str, Any], path: str) -> Iterator[Cause]:
    kind, uri = found.get("kind"), str(found.get("diskURI") or "")
    managed = (
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
    )
    blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        yield causes.unsupported(f"{path}.diskURI", uri, [managed])
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        yield causes.unsupported(f"{path}.diskURI", uri, [blob])


def _scale_io(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if not found.get("volumeName"):
        yield causes.required(f"{path}.volumeName")


def _storage_os(found: dict[str, Any], path: str) -> Iterator[Cause]:
    if not found.get("volumeName"):
        yield causes.required(f"{path}.volumeName")
    for field in ("volumeName", "volumeNamespace"):
        if value := found.get(field):
            for fault in names.dns_label(value):
                yield causes.invalid(f"{path}.{field}", value, fault)
    yield from _secret_reference(found, path)


def _csi(found: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from driver_name(str(found.get("driver") or ""), f"{path}.driver")
    reference = found.get("nodePublishSecretRef")
    if reference is not None and not reference.get("name"):
        yield causes.required(f"{path}.nodePublishSecretRef.name")
    elif reference is not None:
        for fault in names.dns_subdomain(reference["name"]):
            yield causes.invalid(f"{path}.name", reference["name"], fault)


def _image(found: dict[str, Any], path: str) -> Iterator[Cause]:
    policy = found.get("pullPolicy")
    if policy and policy not in _PULL_POLICIES:
        yield causes.unsupported(f"{path}.pullPolicy", policy, _PULL_POLICIES)


def _ephemeral(found: dict[str, Any], path: str) -> Iterator[Cause]:
    template, where = found.get("volumeClaimTemplate"), f"{path}.volumeClaimTemplate"
    if template is None:
        yield causes.required(where)
        return
    yield from metadata.of_template(template.get("metadata") or {}, f"{where}.metadata")
    yield from claims.validate_spec(template.get("spec") or {}, f"{where}.spec")


_RULES: dict[str, Rule] = {
    "awsElasticBlockStore": _within("partition", 0, 255, 1),
    "azureDisk": _azure_disk,
    "cinder": _secret_reference,
    "configMap": _config_map,
    "csi": _csi,
    "downwardAPI": _downward,
    "emptyDir": _empty_dir,
    "ephemeral": _ephemeral,
    "fc": _fibre,
    "flexVolume": _flex,
    "flocker": _flocker,
    "gcePersistentDisk": _within("partition", 0, 255, 1),
    "gitRepo": _git_repo,
    "hostPath": _host_path,
    "image": _image,
    "iscsi": _iscsi,
    "local": _host_path,
    "nfs": _nfs,
    "projected": _projected,
    "quobyte": _quobyte,
    "scaleIO": _scale_io,
    "secret": _secret,
    "storageos": _storage_os,
}
