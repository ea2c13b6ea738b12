"""ControllerRevision: a past state of a DaemonSet's or StatefulSet's template."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import controllerrevision


def _controller(obj: Object, _now: datetime) -> str:
    owner = objects.controller_of(obj)
    if owner is None:
        return cells.NONE
    group = owner.get("apiVersion", "").rpartition("/")[0]
    kind = f"{owner.get('kind', '')}.{group}" if group else owner.get("kind", "")
    return f"{kind.lower()}/{owner.get('name', '')}"


KIND = Kind(
    "apps",
    "v1",
    "ControllerRevision",
    "controllerrevisions",
    validate=controllerrevision.validate,
    columns=(
        cells.NAME,
        Column("Controller", _controller),
        Column("Revision", cells.number("revision")),
        cells.AGE,
    ),
)
