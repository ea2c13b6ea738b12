"""autoscaling/v1 Scale: the view of a workload in which only its replicas can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minikctl import errors
from minikctl.model import causes, cells, objects, selectors
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object

SCALE = Kind(
    "autoscaling",
    "v1",
    "Scale",
    "scales",
    columns=(
        cells.NAME,
        Column("Desired", cells.number("spec.replicas"), "integer"),
        Column("Available", cells.number("status.replicas"), "integer"),
        cells.AGE,
    ),
)


def scale_of(kind: Kind, obj: Object) -> Object:
    """Return the autoscaling/v1 Scale of a workload."""
    if kind.is_custom:
        return _custom_scale(kind, obj)
    spec, status = objects.spec(obj), objects.status(obj)
    chosen = spec.get("selector")
    if obj.get("kind") == "ReplicationController":
        chosen = {"matchLabels": chosen or {}}
    selector = str(selectors.of(chosen))
    return _scale(obj, spec.get("replicas", 0), status.get("replicas", 0), selector)


def _scale(obj: Object, wanted: Any, present: Any, selector: str) -> Object:
    meta = objects.meta(obj)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": wanted},
        "status": {"replicas": present, **({"selector": selector} if selector else {})},
    }


def _custom_scale(kind: Kind, obj: Object) -> Object:
    paths = kind.scale
    wanted = _at(obj, paths.replicas)
    if wanted is None:
        field = ".".join(("", *paths.replicas))
        raise errors.StatusError(
            500, "InternalError", f'Internal error occurred: the spec replicas field "{field}" does not exist'
        )
    selector = str(_at(obj, paths.selector) or "") if paths.selector else ""
    return _scale(obj, wanted, _at(obj, paths.status) or 0, selector)


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def set_replicas(kind: Kind, obj: Object, replicas: int) -> None:
    """Set the wanted number of replicas in place."""
    holder = obj
    for step in kind.scale.replicas[:-1]:
        holder = holder.setdefault(step, {})
    holder[kind.scale.replicas[-1]] = replicas


def replicas(name: str, scale: Object) -> int:
    """Return the replicas that a Scale asks for; refusals are in Kubernetes' words."""
    found = objects.spec(scale).get("replicas", 0)
    if not isinstance(found, int) or isinstance(found, bool):
        raise errors.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field '
            "ScaleSpec.spec.replicas of type int32"
        )
    if found < 0:
        cause = causes.invalid("spec.replicas", found, "must be greater than or equal to 0")
        raise errors.invalid("Scale", "autoscaling", name, [cause])
    return found
