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
_GENERIC_GROUPS = frozenset({"apiextensions.k8s.io", "apiregistration.k8s.io"})
"""Groups whose finalizers, like those of custom kinds, need no domain: core's rule is not theirs."""
_IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


_NOT_IN_TEMPLATES = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
)


def validate(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """Return what breaks the rules for names, labels, annotations, finalizers and owners."""
    meta = obj.get("metadata") or {}
    found = [*_names(kind, meta), *_labels(meta), *annotation_map(meta), *_owners(meta), *_finalizers(meta)]
    if not kind.is_custom and kind.group not in _GENERIC_GROUPS:
        found += _unqualified(meta)
    generation = meta.get("generation")
    if isinstance(generation, int) and generation < 0:
        found.append(causes.invalid("metadata.generation", generation, "must be greater than or equal to 0"))
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
    yield from _owners(meta, path)
    yield from _finalizers(meta, path)


def of_template(meta: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the metadata that other objects get: nothing but labels and annotations."""
    yield from annotation_map(meta, f"{path}.annotations")
    yield from labels(meta.get("labels") or {}, f"{path}.labels")
    for field in _NOT_IN_TEMPLATES:
        if meta.get(field):
            yield causes.forbidden(f"{path}.{'uID' if field == 'uid' else field}", "cannot be set")


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
    path, held = f"{where}.finalizers", meta.get("finalizers") or ()
    for finalizer in held:
        yield from (causes.invalid(path, finalizer, fault) for fault in names.qualified_name(finalizer))
    if "orphan" in held and "foregroundDeletion" in held:
        yield causes.invalid(path, held, "finalizer orphan and foregroundDeletion cannot be both set")


def is_unqualified(finalizer: str) -> bool:
    """Tell whether a finalizer is neither one of Kubernetes' own nor says whose it is."""
    return "/" not in finalizer and finalizer not in STANDARD_FINALIZERS


def _unqualified(meta: dict[str, Any]) -> Iterator[Cause]:
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if is_unqualified(finalizer):
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield causes.invalid(f"metadata.finalizers[{index}]", finalizer, detail)


_OWNER_FIELDS = ("kind", "name", "uid")


def _owners(meta: dict[str, Any], where: str = "metadata") -> Iterator[Cause]:
    """Yield faults of owner references, whose paths have no index (apimachinery's validateOwnerReference)."""
    path, first = f"{where}.ownerReferences", ""
    references = meta.get("ownerReferences") or ()
    for each in references:
        if not str(each.get("apiVersion") or "").rpartition("/")[2]:
            yield causes.invalid(
                f"{path}.apiVersion", each.get("apiVersion") or "", "version must not be empty"
            )
        for field in _OWNER_FIELDS:
            if not each.get(field):
                yield causes.invalid(f"{path}.{field}", "", "must not be empty")
        if (each.get("apiVersion"), each.get("kind")) == ("v1", "Event"):
            yield causes.invalid(path, each, "/v1, Kind=Event is disallowed from being an owner")
        if each.get("controller"):
            named = f"{each.get('kind')}/{each.get('name')}"
            if first:
                detail = 'Only one reference can have Controller set to true. Found "true" in references for '
                yield causes.invalid(path, references, f"{detail}{first} and {named}")
            first = first or named


def _update(meta: dict[str, Any], old: Any) -> Iterator[Cause]:
    for name in _IMMUTABLE:
        if meta.get(name) != old.get(name):
            yield causes.invalid(f"metadata.{name}", meta.get(name), "field is immutable")
    added = [each for each in meta.get("finalizers") or () if each not in (old.get("finalizers") or ())]
    if added and old.get("deletionTimestamp"):
        listed = ", ".join(f'"{each}"' for each in added)
        detail = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield causes.forbidden("metadata.finalizers", f"{detail} []string{{{listed}}}")
