"""Jobs and CronJobs."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common, pods
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import durations, objects

Object = dict[str, Any]

INDEXES_SHOWN = 50
"""Characters of completed indexes after which the next comma ends the list."""


def job(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a Job."""
    spec, status = objects.spec(obj), objects.status(obj)
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    sheet.row(0, "Selector:", common.selector(spec.get("selector")))
    common.marks(sheet, obj)
    pods.controller(sheet, obj)
    _if_set(sheet, "Parallelism:", spec.get("parallelism"))
    sheet.row(0, "Completions:", _or_unset(spec.get("completions")))
    _if_set(sheet, "Completion Mode:", spec.get("completionMode"))
    if spec.get("suspend") is not None:
        sheet.row(0, "Suspend:", str(spec["suspend"]).lower())
    _if_set(sheet, "Backoff Limit:", spec.get("backoffLimit"))
    _if_set(sheet, "TTL Seconds After Finished:", spec.get("ttlSecondsAfterFinished"))
    _times(sheet, status)
    _deadline(sheet, spec)
    ready = "" if status.get("ready") is None else f" ({status['ready']} Ready)"
    counts = [status.get(field, 0) for field in ("active", "succeeded", "failed")]
    text = f"{counts[0]} Active{ready} / {counts[1]} Succeeded / {counts[2]} Failed"
    sheet.row(0, "Pods Statuses:", text)
    if spec.get("completionMode") == "Indexed":
        sheet.row(0, "Completed Indexes:", _indexes(status.get("completedIndexes") or ""))
    pods.template(sheet, spec.get("template") or {})
    common.events(sheet, obj, reader)


def _if_set(sheet: Sheet, title: str, value: object) -> None:
    if value is not None:
        sheet.row(0, title, value)


def _or_unset(value: object, unit: str = "") -> str:
    return "<unset>" if value is None else f"{value}{unit}"


def _times(sheet: Sheet, status: Object) -> None:
    started, ended = (status.get(field) for field in ("startTime", "completionTime"))
    if started:
        sheet.row(0, "Start Time:", common.moment(started))
    if ended:
        sheet.row(0, "Completed At:", common.moment(ended))
    first, last = objects.parse_time(started), objects.parse_time(ended)
    if first and last:
        sheet.row(0, "Duration:", durations.human((last - first).total_seconds()))


def _deadline(sheet: Sheet, spec: Object) -> None:
    if spec.get("activeDeadlineSeconds") is not None:
        sheet.row(0, "Active Deadline Seconds:", f"{spec['activeDeadlineSeconds']}s")


def _indexes(found: str) -> str:
    comma = found.find(",", INDEXES_SHOWN)
    return (found[: comma + 1] + "..." if comma >= 0 else found) or "<none>"


def cron_job(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a CronJob."""
    spec, status = objects.spec(obj), objects.status(obj)
    common.head(sheet, obj)
    sheet.row(0, "Schedule:", spec.get("schedule") or "")
    sheet.row(0, "Concurrency Policy:", spec.get("concurrencyPolicy") or "")
    sheet.row(0, "Suspend:", _or_unset(spec.get("suspend")))
    sheet.row(0, "Time Zone:", spec.get("timeZone") or "<unset>")
    sheet.row(0, "Successful Job History Limit:", _or_unset(spec.get("successfulJobsHistoryLimit")))
    sheet.row(0, "Failed Job History Limit:", _or_unset(spec.get("failedJobsHistoryLimit")))
    sheet.row(0, "Starting Deadline Seconds:", _or_unset(spec.get("startingDeadlineSeconds"), "s"))
    made = objects.spec(spec.get("jobTemplate") or {})
    selector = made.get("selector")
    sheet.row(0, "Selector:", "<unset>" if selector is None else common.selector(selector))
    sheet.row(0, "Parallelism:", _or_unset(made.get("parallelism")))
    sheet.row(0, "Completions:", _or_unset(made.get("completions")))
    _deadline(sheet, made)
    pods.template(sheet, made.get("template") or {})
    last = status.get("lastScheduleTime")
    sheet.row(0, "Last Schedule Time:", common.moment(last) if last else "<unset>")
    active = [str(each.get("name", "")) for each in status.get("active") or ()]
    sheet.row(0, "Active Jobs:", ", ".join(active) or "<none>")
    common.events(sheet, obj, reader)
