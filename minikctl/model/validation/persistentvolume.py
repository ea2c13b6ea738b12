"""PersistentVolume, PersistentVolumeClaim and StorageClass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import affinity, claims, storage, volumes

_OWN = (
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
)
"""What a volume's spec says besides its source."""
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
    spec = objects.spec(obj)
    modes = spec.get("accessModes") or ()
    found = [] if modes else [causes.required("spec.accessModes")]
    found += [*claims.access_modes(modes, "spec.accessModes"), *_capacity(spec.get("capacity") or {})]
    required = (spec.get("nodeAffinity") or {}).get("required")
    if required is not None:
        found += affinity.node_selector(required, "spec.nodeAffinity.required")
    elif spec.get("nodeAffinity") is not None:
        found.append(causes.required("spec.nodeAffinity.required", "must specify required node constraints"))
    sources = sorted(name for name in spec if name not in _OWN)
    if not sources:
        found.append(causes.required("spec", "must specify a volume type"))
    for name in sources[1:]:
        found.append(causes.forbidden(f"spec.{name}", "may not specify more than 1 volume type"))
    for name in sources[:1]:
        found += volumes.source(name, spec[name], f"spec.{name}")
    if "local" in spec and not spec.get("nodeAffinity"):
        found.append(causes.required("spec.nodeAffinity", "Local volume requires node affinity"))
    return [*found, *_volume_update(spec, old)]


def _volume_update(spec: dict[str, Any], old: Object | None) -> Iterator[Cause]:
    if old is None:
        return
    before = objects.spec(old)
    if _source(spec) != _source(before):
        text = "spec.persistentvolumesource is immutable after creation"
        yield causes.forbidden("spec.persistentvolumesource", text)
    if spec.get("volumeMode") != before.get("volumeMode"):
        yield causes.invalid("spec.volumeMode", spec.get("volumeMode"), "field is immutable")
    if before.get("nodeAffinity") and spec.get("nodeAffinity") != before["nodeAffinity"]:
        yield causes.invalid("spec.nodeAffinity", spec.get("nodeAffinity"), "field is immutable")


def _source(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in spec.items() if name not in _OWN}


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
    if before.get("storageClassName") is None:
        before["storageClassName"] = new.get("storageClassName")
    if objects.status(old).get("phase") == "Bound":
        yield from _shrinking(new, before, old)
        for each in (new, before):
            each["resources"] = {k: v for k, v in (each.get("resources") or {}).items() if k != "requests"}
            each["volumeAttributesClassName"] = None
    if _given(new) != _given(before):
        yield causes.forbidden("spec", _CLAIM_RULE)


def _given(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in spec.items() if each not in (None, {})}


def _shrinking(new: dict[str, Any], before: dict[str, Any], old: Object) -> Iterator[Cause]:
    wanted = ((new.get("resources") or {}).get("requests") or {}).get("storage") or "0"
    asked = ((before.get("resources") or {}).get("requests") or {}).get("storage") or "0"
    has = (objects.status(old).get("capacity") or {}).get("storage") or asked
    if quantity.parse(wanted) < quantity.parse(asked) and quantity.parse(wanted) <= quantity.parse(has):
        detail = "field can not be less than status.capacity"
        yield causes.forbidden("spec.resources.requests.storage", detail)


def storage_class(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a StorageClass."""
    found = [] if obj.get("provisioner") else [causes.required("provisioner")]
    found += storage.parameters_of(obj)
    if old is None:
        return found
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if (obj.get(name) or None) != (old.get(name) or None):
            found.append(causes.forbidden(name, f"updates to {name} are forbidden."))
    mode = obj.get("volumeBindingMode")
    if mode != old.get("volumeBindingMode"):
        found.append(causes.invalid("volumeBindingMode", mode, "field is immutable"))
    return found
