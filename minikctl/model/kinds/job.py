"""Job: pods that run to their end."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, durations, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import job

_SHOWN = (("Complete", "Complete"), ("Failed", "Failed"))
_LATER = (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget"))


def _status(obj: Object, _now: datetime) -> str:
    met = {each.get("type"): each.get("status") for each in objects.status(obj).get("conditions") or ()}
    for condition, word in _SHOWN:
        if met.get(condition) == "True":
            return word
    if objects.is_deleting(obj):
        return "Terminating"
    for condition, word in _LATER:
        if met.get(condition) == "True":
            return word
    return "Running"


def _completions(obj: Object, _now: datetime) -> str:
    spec, done = objects.spec(obj), objects.status(obj).get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(obj: Object, now: datetime) -> str:
    start = objects.parse_time(objects.status(obj).get("startTime"))
    if start is None:
        return ""
    end = objects.parse_time(objects.status(obj).get("completionTime")) or now
    return durations.human((end - start).total_seconds())


KIND = Kind(
    "batch",
    "v1",
    "Job",
    "jobs",
    categories=("all",),
    subresources=frozenset({"status"}),
    has_generation=True,
    default=job.default,
    validate=job.validate,
    selectable={"status.successful": lambda obj: str(objects.status(obj).get("succeeded") or 0)},
    columns=(
        cells.NAME,
        Column("Status", _status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        cells.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
)
