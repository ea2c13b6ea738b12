"""CronJob."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import job, podspec

LONGEST_NAME = 52
"""A Job's name is the CronJob's with eleven characters more, and its pods' names are longer still."""


def default(obj: Object) -> None:
    """Complete a CronJob: the pod template of its Jobs; the Jobs complete themselves when they are made."""
    spec = objects.spec(objects.spec(obj).get("jobTemplate") or {})
    podspec.default(objects.spec(spec.get("template") or {}))


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a CronJob."""
    spec = objects.spec(obj)
    found = [*_schedule(spec, objects.spec(old or {})), *_limits(spec)]
    template = objects.spec(spec.get("jobTemplate") or {})
    found += job.validate_spec(template, "spec.jobTemplate.spec")
    if template.get("selector") is not None:
        detail = "`selector` will be auto-generated"
        found.append(causes.invalid("spec.jobTemplate.spec.selector", template["selector"], detail))
    if template.get("manualSelector"):
        where = "spec.jobTemplate.spec.manualSelector"
        found.append(causes.unsupported(where, True, ["nil", "false"]))
    if old is None and len(objects.name(obj)) > LONGEST_NAME:
        detail = f"must be no more than {LONGEST_NAME} characters"
        found.append(causes.invalid("metadata.name", objects.name(obj), detail))
    return found


def _schedule(spec: dict[str, Any], before: dict[str, Any]) -> Iterator[Cause]:
    from minikctl.model import cron  # only CronJobs pay for loading it

    text, zone = str(spec.get("schedule") or ""), spec.get("timeZone")
    if not text:
        yield causes.required("spec.schedule")
    elif "TZ" in text:
        if "TZ" not in (before.get("schedule") or ""):
            detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            yield causes.invalid("spec.schedule", text, detail)
        elif zone is not None:
            detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            yield causes.invalid("spec.schedule", text, detail)
    else:
        try:
            cron.parse(text)
        except cron.CronError as error:
            yield causes.invalid("spec.schedule", text, str(error))
    if zone is not None and zone != before.get("timeZone"):
        yield from _zone(str(zone))


def _zone(name: str) -> Iterator[Cause]:
    if not name:
        yield causes.invalid("spec.timeZone", name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        yield causes.invalid(
            "spec.timeZone",
            name,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        )
    else:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            yield causes.invalid("spec.timeZone", name, f"unknown time zone {name}")


def _limits(spec: dict[str, Any]) -> Iterator[Cause]:
    policy = spec.get("concurrencyPolicy")
    if policy not in (None, "Allow", "Forbid", "Replace"):
        yield causes.unsupported("spec.concurrencyPolicy", policy, ["Allow", "Forbid", "Replace"])
    for field in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        if spec.get(field) is not None and spec[field] < 0:
            yield causes.invalid(f"spec.{field}", spec[field], "must be greater than or equal to 0")
