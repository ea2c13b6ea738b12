"""Runs Jobs, and starts them by the clock."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Plan, RecordEvent
from minikctl.model.objects import Key, Object
from minikctl.plan import claims, cronjob
from minikctl.plan.job import planner, tally
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

OURS = (None, "kubernetes.io/job-controller")
"""What spec.managedBy says of Jobs that are run here."""


class JobController(base.CachedController[tally.View]):
    """Key: a Job, also one that is gone but has left pods."""

    name = "job"
    kind = kinds.JOB
    reads = (kinds.JOB, kinds.POD)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Jobs and the pods that they control or could adopt."""
        base.on_change(self.caches.of(kinds.JOB), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.POD), base.owner_key(kinds.JOB), enqueue)

        def pod_changed(old: Object | None, new: Object | None) -> None:  # noqa: ARG001
            if new is not None and objects.controller_of(new) is None:
                for owner in self.caches.of(kinds.JOB).items(objects.namespace(new)):
                    if _selector(owner).matches(objects.labels(new)):
                        enqueue(objects.key(owner))

        self.caches.of(kinds.POD).subscribe(pod_changed)

    def view(self, key: Key) -> tally.View | None:
        """Return the Job and its pods; without a Job, the pods that one of that name left."""
        owner = self.caches.of(kinds.JOB).get(*key)
        pods = list(self.caches.of(kinds.POD).items(key[0]))
        if owner is None:
            left = tuple(pod for pod in pods if _controlled_by(pod, key[1]) and tally.is_tracked(pod))
            return tally.View({}, left) if left else None
        if objects.spec(owner).get("managedBy") not in OURS:
            return None
        selector, prefix = _selector(owner), f"{key[1]}-"
        mine = tuple(
            pod for pod in pods if claims.is_owned(pod, owner) or selector.matches(objects.labels(pod))
        )
        taken = frozenset(name for pod in pods if (name := objects.name(pod)).startswith(prefix))
        return tally.View(owner, mine, taken)

    def desired(self, view: tally.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)

    def failed(self, view: tally.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the Job that a pod was refused."""
        return planner.failed(view, action, message, now)


def _selector(owner: Object) -> selectors.Selector:
    return selectors.of(objects.spec(owner).get("selector"))


def _controlled_by(pod: Object, name: str) -> bool:
    controller = objects.controller_of(pod) or {}
    return controller.get("kind") == kinds.JOB.kind and controller.get("name") == name


class CronJobController(base.CachedController[cronjob.View]):
    """Key: a CronJob; asked again at its next time."""

    name = "cronjob"
    kind = kinds.CRON_JOB
    reads = (kinds.CRON_JOB, kinds.JOB)

    def __init__(self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock) -> None:
        super().__init__(caches, executor, clock)
        self._told = base.Told(caches.of(kinds.CRON_JOB))

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow CronJobs and the Jobs that they control."""
        base.on_change(self.caches.of(kinds.CRON_JOB), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.JOB), base.owner_key(kinds.CRON_JOB), enqueue)

    def view(self, key: Key) -> cronjob.View | None:
        """Return the CronJob and its Jobs."""
        owner = self.caches.of(kinds.CRON_JOB).get(*key)
        if owner is None:
            return None
        jobs = self.caches.of(kinds.JOB).items(key[0])
        mine = tuple(each for each in jobs if claims.is_owned(each, owner))
        return cronjob.View(owner, mine, self._told.of(owner))

    def desired(self, view: cronjob.View, now: datetime) -> Plan:
        """Return the plan."""
        return cronjob.desired(view, now)

    def failed(self, view: cronjob.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the CronJob that a Job was refused."""
        return cronjob.failed(view, action, message, now)

    async def execute(self, view: cronjob.View, plan: Plan) -> None:
        """Carry out the plan, and remember what was told until the next Job is started."""
        await super().execute(view, plan)
        if any(isinstance(each, RecordEvent) and each.reason == "SuccessfulCreate" for each in plan.actions):
            self._told.forget(view.object)
        self._told.add(view.object, plan)
