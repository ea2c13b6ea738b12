"""CronJob: a Job at each of its times."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, durations, selectors
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import cronjob

_TEMPLATE = "spec.jobTemplate.spec.template"


def _suspend(obj: Object, _now: datetime) -> str:
    value = cells.at(obj, "spec.suspend")
    return "<unset>" if value is None else str(bool(value))


def _last(obj: Object, now: datetime) -> str:
    last = cells.at(obj, "status.lastScheduleTime")
    return durations.since(last, now) if last else cells.NONE


def _selector(obj: Object, _now: datetime) -> str:
    return str(selectors.of(cells.at(obj, "spec.jobTemplate.spec.selector") or {})) or cells.NONE


KIND = Kind(
    "batch",
    "v1",
    "CronJob",
    "cronjobs",
    short_names=("cj",),
    categories=("all",),
    subresources=frozenset({"status"}),
    has_generation=True,
    default=cronjob.default,
    validate=cronjob.validate,
    columns=(
        cells.NAME,
        Column("Schedule", cells.text("spec.schedule")),
        Column("Timezone", cells.text("spec.timeZone", cells.NONE)),
        Column("Suspend", _suspend, "boolean"),
        Column("Active", cells.size("status.active"), "integer"),
        Column("Last Schedule", _last),
        cells.AGE,
        Column("Containers", cells.containers("name", _TEMPLATE), priority=1),
        Column("Images", cells.containers("image", _TEMPLATE), priority=1),
        Column("Selector", _selector, priority=1),
    ),
)
