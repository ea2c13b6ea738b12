"""Rules for metadata that hold for every kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause, Kind
from minikctl.model.objects import Object

ANNOTATIONS_LIMIT = 256 * 1024
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def validate(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """Return what breaks the rules for names, labels, annotations, finalizers and owners."""
    meta = obj.get("metadata") or {}
    found = [*_names(kind, meta), *_labels(meta), *annotation_map(meta), *_finalizers(meta), *_owners(meta)]
    return found if old is None else [*found, *_update(meta, objects.meta(old))]


def embedded(meta: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what breaks those rules in a resource inside of another, which needs neither name nor namespace.

    What else its kind asks of a name is not known here.
    """
    rules = (
        ("generateName", _prefix_of_segment),
        ("name", names.path_segment),
        ("namespace", names.dns_label),
    )
    for field, rule in rules:
        if said := meta.get(field):
            yield from (causes.invalid(f"{path}.{field}", said, fault) for fault in rule(said))
    yield from labels(meta.get("labels") or {}, f"{path}.labels")
    yield from annotation_map(meta, f"{path}.annotations")
    yield from _finalizers(meta, path)
    yield from _owners(meta, path)


def _prefix_of_segment(value: str) -> list[str]:
    return names.path_segment(f"{value}a")


def _names(kind: Kind, meta: dict[str, Any]) -> Iterator[Cause]:
    prefix = meta.get("generateName")
    if prefix:
        # The suffix makes a trailing dash sound.
        for fault in kind.name_rule(re.sub("-$", "a", prefix)):
            yield causes.invalid("metadata.generateName", prefix, fault)
    if not meta.get("name"):
        yield causes.required("metadata.name", "name or generateName is required")
    else:
        for fault in kind.name_rule(meta["name"]):
            yield causes.invalid("metadata.name", meta["name"], fault)
    if not kind.namespaced and meta.get("namespace"):
        yield causes.forbidden("metadata.namespace", "not allowed on this type")
    elif kind.namespaced and not meta.get("namespace"):
        yield causes.required("metadata.namespace")
    elif kind.namespaced:
        for fault in names.dns_label(meta["namespace"]):
            yield causes.invalid("metadata.namespace", meta["namespace"], fault)


def _labels(meta: dict[str, Any]) -> list[Cause]:
    return labels(meta.get("labels") or {}, "metadata.labels")


def labels(found: dict[str, str], path: str) -> list[Cause]:
    """Return what is wrong with a label map."""
    keys = [causes.invalid(path, key, fault) for key in found for fault in names.qualified_name(key)]
    values = [
        causes.invalid(path, value, fault) for value in found.values() for fault in names.label_value(value)
    ]
    return keys + values


def annotation_map(meta: dict[str, Any], path: str = "metadata.annotations") -> Iterator[Cause]:
    """Yield what is wrong with the annotations."""
    found: dict[str, str] = meta.get("annotations") or {}
    for key in found:
        for fault in names.qualified_name(key.lower()):
            yield causes.invalid(path, key, fault)
    if sum(len(key.encode()) + len(value.encode()) for key, value in found.items()) > ANNOTATIONS_LIMIT:
        yield causes.too_long(path, ANNOTATIONS_LIMIT)


def _finalizers(meta: dict[str, Any], where: str = "metadata") -> Iterator[Cause]:
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        path = f"{where}.finalizers[{index}]"
        faults = names.qualified_name(finalizer)
        for fault in faults:
            yield causes.invalid(path, finalizer, fault)
        if not faults and "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield causes.invalid(path, finalizer, detail)


def _owners(meta: dict[str, Any], where: str = "metadata") -> Iterator[Cause]:
    references = meta.get("ownerReferences") or ()
    controllers = [each.get("name", "") for each in references if each.get("controller")]
    if len(controllers) > 1:
        detail = 'Only one reference can have Controller set to true. Found "true" in references for '
        yield causes.invalid(
            f"{where}.ownerReferences", references, f"{detail}{controllers[0]} and {controllers[1]}"
        )


def _update(meta: dict[str, Any], old: Any) -> Iterator[Cause]:
    for name in _IMMUTABLE:
        if meta.get(name) != old.get(name):
            yield causes.invalid(f"metadata.{name}", meta.get(name), "field is immutable")
    added = [each for each in meta.get("finalizers") or () if each not in (old.get("finalizers") or ())]
    if added and old.get("deletionTimestamp"):
        listed = ", ".join(f'"{each}"' for each in added)
        detail = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield causes.forbidden("metadata.finalizers", f"{detail} []string{{{listed}}}")
