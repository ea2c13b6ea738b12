"""What may change when a pod is resized. Rules and texts are upstream's (``ValidatePodResize``)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects, quality, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec

Spec = dict[str, Any]
MIRROR = "kubernetes.io/config.mirror"
_LISTS = ("containers", "initContainers")
_SIDES = ("requests", "limits")
_NAMES = ("cpu", "memory")
_OWN = "only cpu and memory resources are mutable"
_OF_INIT = "only cpu and memory resources for init or sidecar containers are mutable"
_OF_WHOLE = "only cpu and memory resources are mutable at pod-level"
_ONCE = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a change of a pod's resources."""
    before = old or {}
    if MIRROR in objects.annotations(before):
        return [causes.forbidden("[]", "static pods cannot be resized")]
    spec, was = objects.spec(obj), objects.spec(before)
    found = list(podspec.validate(spec, "spec"))
    qos = quality.qos_class(obj)
    if qos != quality.qos_class(before):
        detail = "Pod QOS Class may not change as a result of resizing"
        found.append(causes.invalid("spec", qos, detail))
    found += _whole(spec, was)
    order = [*_order(spec, was)]
    if order:
        return [*found, *order]
    for name in _LISTS:
        for index, (container, earlier) in enumerate(_pairs(spec, was, name)):
            found += _container(container, earlier, f"spec.{name}[{index}]", is_init=name == "initContainers")
    if not found and _others(spec) != _others(was):
        found.append(causes.forbidden("spec", _OWN))
    return found


def _whole(spec: Spec, was: Spec) -> Iterator[Cause]:
    """Yield the refusals about what the pod asks for as a whole."""
    new, old = spec.get("resources"), was.get("resources")
    path = "spec.resources"
    if old and not new:
        yield causes.forbidden(path, "pod-level resources cannot be removed")
        return
    for side in _SIDES:
        if _loses(new, old, side):
            yield causes.forbidden(f"{path}.{side}", f"pod-level resource {side} cannot be removed")
    if _unsized(new) != _unsized(old):
        yield causes.forbidden("spec", _OF_WHOLE)


def _order(spec: Spec, was: Spec) -> Iterator[Cause]:
    for name in _LISTS:
        new, old = spec.get(name) or (), was.get(name) or ()
        if len(new) != len(old):
            yield causes.forbidden(f"spec.{name}", f"{name} may not be added or removed on resize")
            continue
        for index, (container, earlier) in enumerate(zip(new, old, strict=True)):
            if container.get("name") != earlier.get("name"):
                detail = f"{name} may not be renamed or reordered on resize"
                yield causes.forbidden(f"spec.{name}[{index}].name", detail)


def _container(container: Object, was: Object, path: str, *, is_init: bool) -> Iterator[Cause]:
    for side in _SIDES:
        if _loses(container.get("resources"), was.get("resources"), side):
            yield causes.forbidden(f"{path}.resources.{side}", f"resource {side} cannot be removed")
    if _without(container) != _without(was):
        yield causes.forbidden(path if is_init else "spec", _OF_INIT if is_init else _OWN)
    runs_once = is_init and container.get("restartPolicy") != "Always"
    policies = [each.get("restartPolicy") for each in container.get("resizePolicy") or ()]
    if runs_once and "RestartContainer" in policies and _amounts(container) != _amounts(was):
        yield causes.forbidden(path, _ONCE)


def _loses(new: Object | None, old: Object | None, side: str) -> bool:
    given = (new or {}).get(side) or {}
    return any(name not in given for name in (old or {}).get(side) or {})


def _pairs(spec: Spec, was: Spec, name: str) -> Iterator[tuple[Object, Object]]:
    yield from zip(spec.get(name) or (), was.get(name) or (), strict=True)


def _without(container: Object) -> Object:
    """Return the container without its CPU and memory."""
    return {**container, "resources": _unsized(container.get("resources"))}


def _unsized(resources: Object | None) -> Object:
    """Return the resources without CPU and memory, amounts as numbers."""
    found = {key: value for key, value in (resources or {}).items() if key not in _SIDES and value}
    for side in _SIDES:
        amounts = (resources or {}).get(side) or {}
        kept = {name: quantity.parse(each) for name, each in amounts.items() if name not in _NAMES}
        if kept:
            found[side] = kept
    return found


def _amounts(container: Object) -> list[Any]:
    resources = container.get("resources") or {}
    return [
        None if (found := (resources.get(side) or {}).get(name)) is None else quantity.parse(found)
        for side in _SIDES
        for name in _NAMES
    ]


def _others(spec: Spec) -> Spec:
    """Return the spec without containers' and the pod's resources, which were looked at by then."""
    kept = copy.copy(spec)
    for name in (*_LISTS, "resources"):
        kept.pop(name, None)
    return kept
