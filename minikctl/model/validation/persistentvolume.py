"""PersistentVolume, PersistentVolumeClaim and StorageClass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import affinity, claims, pvsources, storage

_EXPAND = "controllerExpandSecretRef"
_IMMUTABLE = "field is immutable"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_CLAIM_RULE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


def default(obj: Object) -> None:
    """Complete a PersistentVolume: what a volume source leaves open."""
    if azure := objects.spec(obj).get("azureDisk"):
        azure.setdefault("cachingMode", "ReadWrite")


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a PersistentVolume."""
    return [
        *_spec(objects.spec(obj), objects.name(obj), "spec"),
        *_volume_update(objects.spec(obj), old),
    ]


def _spec(spec: dict[str, Any], name: str, path: str) -> Iterator[Cause]:
    modes = spec.get("accessModes") or ()
    if not modes:
        yield causes.required(f"{path}.accessModes")
    yield from claims.access_modes(modes, f"{path}.accessModes")
    yield from _capacity(spec.get("capacity") or {})
    required = (spec.get("nodeAffinity") or {}).get("required")
    if required is not None:
        yield from affinity.node_selector(required, f"{path}.nodeAffinity.required")
    elif spec.get("nodeAffinity") is not None:
        yield causes.required(f"{path}.nodeAffinity.required", "must specify required node constraints")
    yield from pvsources.validate(spec, name, path)
    if pvsources.first(spec) == "local" and not spec.get("nodeAffinity"):
        yield causes.required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    host = (spec.get("hostPath") or {}).get("path")
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle" and host and not _steps(host):
        text = "may not be 'recycle' for a hostPath mount of '/'"
        yield causes.forbidden(f"{path}.persistentVolumeReclaimPolicy", text)
    yield from _classes(spec, path)


def _steps(path: str) -> list[str]:
    """Return the folders of an absolute path once ``.``, ``..`` and what they cancel are gone."""
    left: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del left[-1:]
        elif step not in ("", "."):
            left.append(step)
    return left


def _classes(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    if name := spec.get("storageClassName"):
        yield from (causes.invalid(f"{path}.storageClassName", name, f) for f in names.dns_subdomain(name))
    attributes, where = spec.get("volumeAttributesClassName"), f"{path}.volumeAttributesClassName"
    if attributes is None:
        return
    if attributes == "":
        yield causes.required(where, "an empty string is disallowed")
    else:
        yield from (causes.invalid(where, attributes, fault) for fault in names.dns_subdomain(attributes))
    if spec.get("csi") is None:
        yield causes.required(f"{path}.csi", "has to be specified when using volumeAttributesClassName")


def _volume_update(spec: dict[str, Any], old: Object | None) -> Iterator[Cause]:
    if old is None:
        return
    before = objects.spec(old)
    if _source(spec, before) != _source(before):
        text = "spec.persistentvolumesource is immutable after creation"
        yield causes.forbidden("spec.persistentvolumesource", text)
    if spec.get("volumeMode") != before.get("volumeMode"):
        yield causes.invalid("volumeMode", spec.get("volumeMode"), _IMMUTABLE)
    if before.get("nodeAffinity") and spec.get("nodeAffinity") != before["nodeAffinity"]:
        yield causes.invalid("nodeAffinity", spec.get("nodeAffinity"), _IMMUTABLE)
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        text = "update from non-nil value to nil is forbidden"
        yield causes.forbidden("spec.volumeAttributesClassName", text)


def _source(spec: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the source; a secret for growing it may be named later than the rest, if ``before`` has none."""
    found = {name: each for name, each in spec.items() if name in pvsources.ORDER}
    csi = found.get("csi")
    if csi is not None and before is not None:
        was = before.get("csi")
        if was is not None and was.get(_EXPAND) is None:
            found["csi"] = {name: each for name, each in csi.items() if name != _EXPAND}
    return found


def claim(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a PersistentVolumeClaim."""
    found = list(claims.validate_spec(objects.spec(obj), "spec"))
    return [*found, *_claim_update(obj, old)] if old is not None else found


def _capacity(amounts: dict[str, Any]) -> Iterator[Cause]:
    if not amounts:
        yield causes.required("spec.capacity")
    if set(amounts) != {"storage"}:
        yield causes.unsupported("spec.capacity", amounts or None, ["storage"])
    for name, amount in amounts.items():
        if quantity.compare(amount, 0) <= 0:
            yield causes.invalid(f"spec.capacity[{name}]", amount, "must be greater than zero")


def _claim_update(obj: Object, old: Object) -> Iterator[Cause]:
    new, before = dict(objects.spec(obj)), dict(objects.spec(old))
    if not before.get("volumeName"):
        before["volumeName"] = new.get("volumeName")
    was, now = objects.annotations(old).get(_BETA_CLASS, ""), objects.annotations(obj).get(_BETA_CLASS, "")
    if before.get("storageClassName") is None and (not was or new.get("storageClassName") == was):
        before["storageClassName"] = new.get("storageClassName")
        was = now if was else was
    if was != now:
        yield causes.invalid(f"metadata.annotations.{_BETA_CLASS}", now, _IMMUTABLE)
    if objects.status(old).get("phase") == "Bound":
        for each in (new, before):
            each["resources"] = {k: v for k, v in (each.get("resources") or {}).items() if k != "requests"}
    attributes, before["volumeAttributesClassName"] = new.pop("volumeAttributesClassName", None), None
    if _given(new) != _given(before):
        yield causes.forbidden("spec", _CLAIM_RULE)
    yield from _shrinking(objects.spec(obj), objects.spec(old), old)
    if new.get("volumeMode") != before.get("volumeMode"):
        yield causes.invalid("volumeMode", new.get("volumeMode"), _IMMUTABLE)
    if objects.status(old).get("currentVolumeAttributesClassName") is not None and not attributes:
        to = "nil" if attributes is None else "an empty string"
        text = f"update from non-nil value to {to} is forbidden"
        yield causes.forbidden("spec.volumeAttributesClassName", text)


def _given(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in spec.items() if each not in (None, {})}


def _shrinking(new: dict[str, Any], before: dict[str, Any], old: Object) -> Iterator[Cause]:
    wanted = ((new.get("resources") or {}).get("requests") or {}).get("storage") or "0"
    asked = ((before.get("resources") or {}).get("requests") or {}).get("storage") or "0"
    has = (objects.status(old).get("capacity") or {}).get("storage") or "0"
    if quantity.parse(wanted) < quantity.parse(asked) and quantity.parse(wanted) <= quantity.parse(has):
        detail = "field can not be less than status.capacity"
        yield causes.forbidden("spec.resources.requests.storage", detail)


def storage_class(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a StorageClass."""
    found = [*storage.provisioner(obj, "provisioner"), *storage.parameters_of(obj)]
    policy = obj.get("reclaimPolicy")
    if policy and policy not in ("Delete", "Retain"):
        found.append(causes.unsupported("reclaimPolicy", policy, ("Delete", "Retain")))
    found += storage.allowed_topologies(obj.get("allowedTopologies") or ())
    if old is None:
        return found
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if (obj.get(name) or None) != (old.get(name) or None):
            found.append(causes.forbidden(name, f"updates to {name} are forbidden."))
    mode = obj.get("volumeBindingMode")
    if mode != old.get("volumeBindingMode"):
        found.append(causes.invalid("volumeBindingMode", mode, "field is immutable"))
    return found
