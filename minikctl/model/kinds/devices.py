"""The kinds of resource.k8s.io: devices of nodes, classes of them, and what pods claim."""

from __future__ import annotations

import functools
from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import devices, resourceslice


def _state(obj: Object, _now: datetime) -> str:
    status = objects.status(obj)
    states = ["deleted"] if objects.is_deleting(obj) else []
    if status.get("allocation") is not None:
        states.append("allocated")
        states += ["reserved"] if status.get("reservedFor") else []
    elif not states:
        states.append("pending")
    return ",".join(states)


_kind = functools.partial(Kind, "resource.k8s.io", "v1", stored_only=True)

DEVICE_CLASS = _kind(
    "DeviceClass",
    "deviceclasses",
    namespaced=False,
    has_generation=True,
    validate=devices.device_class,
    columns=(cells.NAME, cells.AGE),
)
RESOURCE_CLAIM = _kind(
    "ResourceClaim",
    "resourceclaims",
    subresources=frozenset({"status"}),
    default=devices.default_claim,
    validate=devices.claim,
    columns=(cells.NAME, Column("State", _state), cells.AGE),
)
RESOURCE_CLAIM_TEMPLATE = _kind(
    "ResourceClaimTemplate",
    "resourceclaimtemplates",
    default=devices.default_template,
    validate=devices.template,
    columns=(cells.NAME, cells.AGE),
)
RESOURCE_SLICE = _kind(
    "ResourceSlice",
    "resourceslices",
    namespaced=False,
    has_generation=True,
    validate=resourceslice.resource_slice,
    selectable={
        "spec.driver": lambda obj: str(objects.spec(obj).get("driver") or ""),
        "spec.nodeName": lambda obj: str(objects.spec(obj).get("nodeName") or ""),
    },
    columns=(
        cells.NAME,
        Column("Node", cells.text("spec.nodeName")),
        Column("Driver", cells.text("spec.driver")),
        Column("Pool", cells.text("spec.pool.name")),
        cells.AGE,
    ),
)
ALL = (DEVICE_CLASS, RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE, RESOURCE_SLICE)
