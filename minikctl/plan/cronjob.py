"""CronJob: a Job at each of its times, as far as the ones before allow."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from minikctl.model import cron, kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan.job import ending

COMPONENT = "cronjob-controller"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANY_MISSED = 100


@dataclass(frozen=True)
class View:
    """A CronJob, the Jobs that it controls, and which (reason, message) were told of it lately."""

    object: Object
    jobs: tuple[Object, ...] = ()
    told: frozenset[tuple[str, str]] = frozenset()


def desired(view: View, now: datetime) -> Plan:
    """Return the Job to start now if there is one, finished Jobs to remove, the status, and the next time."""
    step = _Step(view, now)
    step.look_at_jobs()
    wait = None if objects.is_deleting(view.object) else step.start()
    return Plan(tuple(step.actions), step.status, wait)


def failed(view: View, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG001
    """Return what tells the user that a Job was refused."""
    reason, text = (
        ("FailedCreate", f"Error creating job: {message}")
        if isinstance(action, Create)
        else ("FailedDelete", f"Deleted job: {message}")
    )
    return Plan((RecordEvent(view.object, "Warning", reason, text, COMPONENT),))


def job_name(owner: Object, moment: datetime) -> str:
    """Return the name of the Job of a time: the same for the same time, so that it is made once."""
    return f"{objects.name(owner)}-{int(moment.timestamp()) // 60}"


class _Step:
    """One plan."""

    def __init__(self, view: View, now: datetime) -> None:
        self._view = view
        self._owner = view.object
        self._spec = objects.spec(view.object)
        self._now = now
        self.actions: list[ApiAction] = []
        self.status = dict(objects.status(view.object))

    def _tell(self, kind: str, reason: str, message: str, *, once: bool = False) -> None:
        """Have an Event recorded; ``once``: what goes on being so is told one time."""
        if not once or (reason, message) not in self._view.told:
            self.actions.append(RecordEvent(self._owner, kind, reason, message, COMPONENT))

    # --- the Jobs there are -------------------------------------------------------------------------------

    def look_at_jobs(self) -> None:
        """Bring the list of active Jobs up to date, and remove finished ones beyond the limits."""
        active = {each.get("uid"): each for each in self.status.get("active") or ()}
        known = {objects.uid(job) for job in self._view.jobs}
        for uid in [uid for uid in active if uid not in known]:
            self._tell("Normal", "MissingJob", f"Active job went missing: {active.pop(uid).get('name')}")
        for job in self._view.jobs:
            uid, name = objects.uid(job), objects.name(job)
            if ending.is_finished(job):
                self._note_success(job)
                if active.pop(uid, None) is not None:
                    condition = "Complete" if ending.is_true(job, ending.COMPLETE) else "Failed"
                    self._tell(
                        "Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {condition}"
                    )
            elif uid not in active and self._is_ours(job):
                active[uid] = _reference(job)
            elif uid not in active:
                message = f"Saw a job that the controller did not create or forgot: {name}"
                self._tell("Warning", "UnexpectedJob", message, once=True)
        self._set_active(list(active.values()))
        self._clean_up()

    def _is_ours(self, job: Object) -> bool:
        scheduled = objects.parse_time(objects.annotations(job).get(SCHEDULED))
        return scheduled is not None and objects.name(job) == job_name(self._owner, scheduled)

    def _set_active(self, references: list[dict[str, Any]]) -> None:
        if references:
            self.status["active"] = references
        else:
            self.status.pop("active", None)

    def _note_success(self, job: Object) -> None:
        done = objects.parse_time(objects.status(job).get("completionTime"))
        last = objects.parse_time(self.status.get("lastSuccessfulTime"))
        if done is not None and ending.is_true(job, ending.COMPLETE) and (last is None or done > last):
            self.status["lastSuccessfulTime"] = objects.timestamp(done)

    def _clean_up(self) -> None:
        limits = (
            (ending.COMPLETE, self._spec.get("successfulJobsHistoryLimit")),
            (ending.FAILED, self._spec.get("failedJobsHistoryLimit")),
        )
        for condition, limit in limits:
            found = [job for job in self._view.jobs if ending.is_true(job, condition)]
            found.sort(key=lambda job: (objects.status(job).get("startTime") or "~", objects.name(job)))
            surplus = 0 if limit is None else max(len(found) - int(limit), 0)
            for job in found[:surplus]:
                if not objects.is_deleting(job):
                    self._delete(job)

    def _delete(self, job: Object) -> None:
        self.actions.append(Delete(kinds.JOB, *objects.key(job), objects.uid(job)))
        self._tell("Normal", "SuccessfulDelete", f"Deleted job {objects.name(job)}")

    # --- the next one -------------------------------------------------------------------------------------

    def start(self) -> float | None:
        """Plan the Job whose time has come, and return in how many seconds the next one has its time."""
        zone = self._zone()
        if zone is None or self._spec.get("suspend"):
            return None
        text = str(self._spec.get("schedule") or "")
        try:
            schedule = cron.parse(text, zone)
        except cron.CronError as error:
            self._tell(
                "Warning", "UnparseableSchedule", f'unparseable schedule: "{text}" : {error}', once=True
            )
            return None
        moment = cron.latest(schedule, self._earliest(), self._now)
        if moment is not None and self._is_due(moment):
            self._tell_of_missed(schedule)
            self._begin(moment, zone)
        following = schedule.after(self._now)
        return None if following is None else max((following - self._now).total_seconds(), 0.001)

    def _zone(self) -> tzinfo | None:
        name = self._spec.get("timeZone")
        if name is None:
            return UTC
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            message = f'invalid timeZone: "{name}": unknown time zone {name}'
            self._tell("Warning", "UnknownTimeZone", message, once=True)
            return None

    def _earliest(self) -> datetime:
        """Return the moment before which nothing is started any more."""
        created = objects.parse_time(objects.meta(self._owner).get("creationTimestamp"))
        since = objects.parse_time(self.status.get("lastScheduleTime")) or created or self._now
        deadline = self._spec.get("startingDeadlineSeconds")
        if deadline is None:
            return since
        return max(since, self._now - timedelta(seconds=int(deadline)))

    def _is_due(self, moment: datetime) -> bool:
        """Tell whether the Job of that time is still to be started."""
        name = job_name(self._owner, moment)
        if any(objects.name(job) == name for job in self._view.jobs):
            self.status["lastScheduleTime"] = objects.timestamp(moment)  # made, but not noted down
            return False
        if self._spec.get("concurrencyPolicy") == "Forbid" and self.status.get("active"):
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._tell("Normal", "JobAlreadyActive", message, once=True)
            return False
        return True

    def _tell_of_missed(self, schedule: cron.Schedule) -> None:
        """Say so when very many times have passed without a Job: the clock may be wrong."""
        count = 0
        moment = schedule.after(self._earliest())
        while moment is not None and moment <= self._now and count <= MANY_MISSED:
            count += 1
            moment = schedule.after(moment)
        if count > MANY_MISSED:
            advice = "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._tell("Warning", "TooManyMissedTimes", f"too many missed start times. {advice}")

    def _begin(self, moment: datetime, zone: tzinfo) -> None:
        if self._spec.get("concurrencyPolicy") == "Replace":
            running = {each.get("uid") for each in self.status.get("active") or ()}
            for job in self._view.jobs:
                if objects.uid(job) in running and not objects.is_deleting(job):
                    self._delete(job)
        job = self._job(moment, zone)
        self.actions.append(Create(kinds.JOB, job))
        self._tell("Normal", "SuccessfulCreate", f"Created job {objects.name(job)}")
        self.status["lastScheduleTime"] = objects.timestamp(moment)

    def _job(self, moment: datetime, zone: tzinfo) -> Object:
        template = self._spec.get("jobTemplate") or {}
        wanted = objects.meta(template)
        shown = moment.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "apiVersion": kinds.JOB.api_version,
            "kind": "Job",
            "metadata": {
                "name": job_name(self._owner, moment),
                "namespace": objects.namespace(self._owner),
                "labels": dict(wanted.get("labels") or {}),
                "annotations": {**(wanted.get("annotations") or {}), SCHEDULED: shown},
                "ownerReferences": [objects.owner_reference(self._owner)],
            },
            "spec": template.get("spec") or {},
        }


def _reference(job: Object) -> dict[str, Any]:
    return {
        "apiVersion": kinds.JOB.api_version,
        "kind": "Job",
        "name": objects.name(job),
        "namespace": objects.namespace(job),
        "resourceVersion": objects.resource_version(job),
        "uid": objects.uid(job),
    }
