"""What a claim to storage asks for: in a PersistentVolumeClaim, or in the template of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import selection

Spec = dict[str, Any]

MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


def validate_spec(spec: Spec, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the spec of a claim."""
    modes = spec.get("accessModes") or ()
    if not modes:
        yield causes.required(f"{path}.accessModes", "at least 1 access mode is required")
    if spec.get("selector") is not None:
        yield from selection.validate(spec["selector"], f"{path}.selector")
    yield from access_modes(modes, f"{path}.accessModes")
    yield from _storage(spec, f"{path}.resources")
    yield from _class(spec, "storageClassName", path)
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            yield from _source(spec[field], f"{path}.{field}")
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is not None and source != reference:
        yield causes.invalid(path, "dataSource", "must match dataSourceRef")
    yield from _class(spec, "volumeAttributesClassName", path)


def _class(spec: Spec, field: str, path: str) -> Iterator[Cause]:
    if value := spec.get(field):
        yield from (causes.invalid(f"{path}.{field}", value, fault) for fault in names.dns_subdomain(value))


_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")
_CLAIM = ("", "PersistentVolumeClaim")


def complete_sources(obj: Object) -> None:
    """Have both fields for what a claim's content is copied from say the same, in place.

    As in Kubernetes (pkg/api/persistentvolumeclaim), the older one knows claims and snapshots only, and what
    else it says is dropped; a namespace in the newer one is dropped, too, for crossing namespaces is off.
    """
    spec = objects.spec(obj)
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and (source.get("apiGroup") or "", source.get("kind")) not in (_CLAIM, _SNAPSHOT):
        source = None
        del spec["dataSource"]
    if reference is not None:
        reference.pop("namespace", None)
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None:
        spec["dataSource"] = dict(reference)


def access_modes(modes: Iterable[str], path: str) -> Iterator[Cause]:
    """Yield what is wrong with access modes, whether of a claim or of a volume."""
    found = list(modes)
    for mode in found:
        if mode not in MODES:
            yield causes.unsupported(path, mode, MODES)
    known = [mode for mode in found if mode in MODES]
    if "ReadWriteOncePod" in known and any(mode != "ReadWriteOncePod" for mode in known):
        yield causes.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def _storage(spec: Spec, path: str) -> Iterator[Cause]:
    amounts = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in amounts:
        yield causes.required(f"{path}[storage]")
        return
    if quantity.compare(amounts["storage"], 0) <= 0:
        detail = "must be greater than zero"
        yield causes.invalid(f"{path}[storage]", amounts["storage"], detail)


def _source(source: dict[str, Any], path: str) -> Iterator[Cause]:
    for field in ("name", "kind"):
        if not source.get(field):
            yield causes.required(f"{path}.{field}")
    if not source.get("apiGroup") and source.get("kind") not in ("PersistentVolumeClaim", "", None):
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield causes.invalid(path, source.get("kind"), detail)
    if group := source.get("apiGroup"):
        yield from (causes.invalid(f"{path}.apiGroup", group, fault) for fault in names.dns_subdomain(group))
