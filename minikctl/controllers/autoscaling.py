"""Sizes workloads by what their pods use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from minikctl import errors
from minikctl.client import base as clients
from minikctl.controllers import base
from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Plan
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.plan.autoscaling import planner
from minikctl.plan.autoscaling.view import Past, Target, View
from minikctl.plan.usage import Sample
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.served import Served

Measure = Callable[[], Awaitable[Mapping[str, Mapping[str, Sample]]]]
_REMEMBERED = timedelta(hours=1)
"""No stabilization window and no policy's period is longer."""


async def nothing_measured() -> Mapping[str, Mapping[str, Sample]]:
    """Say that nothing measures here."""
    raise errors.DriverError("nothing is measured here")


class AutoscalingController(base.ApiController[View]):
    """Key: a HorizontalPodAutoscaler; looked at every 15 seconds, and only while there is one."""

    name = "horizontalpodautoscaler"
    kind = kinds.HORIZONTAL_POD_AUTOSCALER
    reads = (kinds.HORIZONTAL_POD_AUTOSCALER, kinds.POD)

    def __init__(
        self,
        caches: base.Caches,
        executor: ApiExecutor,
        clock: clocks.Clock,
        client: clients.Client,
        measured: tuple[Served, Measure],
    ) -> None:
        """``measured`` are the kinds that are served and what measures the pods."""
        super().__init__(caches, executor, clock)
        self._client = client
        self._served, self._measure = measured
        self._past: dict[str, Past] = {}

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow autoscalers; their targets are asked for in time."""
        self.caches.of(kinds.POD)

        def changed(old: Object | None, new: Object | None) -> None:
            if new is None:
                self._past.pop(objects.uid(old or {}), None)
            elif old is None or objects.spec(old) != objects.spec(new):
                enqueue(objects.key(new))

        self.caches.of(self.kind).subscribe(changed)

    async def observe(self, key: Key) -> View | None:
        """Return the autoscaler with its target, what the target's pods use, and what was done before."""
        found = self.caches.of(self.kind).get(*key)
        if found is None or objects.is_deleting(found):
            return None
        past = self._past.get(objects.uid(found), Past())
        try:
            target = await self._target(found)
        except errors.StatusError as error:
            return View(found, None, error.message, past=past)
        try:
            samples = await self._measure()
        except errors.DriverError:
            return View(found, target, past=past)
        return View(found, target, "", samples, past)

    async def _target(self, autoscaler: Object) -> Target:
        reference = objects.spec(autoscaler).get("scaleTargetRef") or {}
        kind = self._served.table.of(reference)
        if kind is None or ("scale" not in kind.subresources and not kind.is_custom):
            group = str(reference.get("apiVersion") or "").rpartition("/")[0]
            text = f'no matches for kind "{reference.get("kind")}" in group "{group}"'
            raise errors.StatusError(404, "NotFound", text)
        namespace, name = objects.namespace(autoscaler), str(reference.get("name"))
        obj = await self._client.get(kind, name, namespace)
        selector = _selector(kind, obj)
        pods = self.caches.of(kinds.POD).items(namespace)
        return Target(
            kind,
            namespace,
            name,
            int(_at(obj, kind.scale.replicas) or 0),
            int(_at(obj, kind.scale.status) or 0),
            tuple(pod for pod in pods if selector.matches(objects.labels(pod))),
            bool(selector.requirements),
        )

    def desired(self, view: View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)

    def failed(self, view: View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the autoscaler that the new size was refused."""
        return planner.failed(view, action, message, now)

    async def execute(self, view: View, plan: Plan) -> None:
        """Carry out the plan, and remember what it recommended and changed."""
        await super().execute(view, plan)
        now = self._clock.now()
        past = view.past
        for note in plan.notes:
            what, _, number = note.partition(" ")
            entry = (now, int(number))
            if what == planner.RECOMMENDED:
                past = replace(past, recommended=(*past.recommended, entry))
            else:
                past = replace(past, changes=(*past.changes, entry))
        since = now - _REMEMBERED
        self._past[objects.uid(view.object)] = Past(
            tuple(each for each in past.recommended if each[0] > since),
            tuple(each for each in past.changes if each[0] > since),
        )


def _at(obj: Object, path: tuple[str, ...]) -> Any:
    found: Any = obj
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _selector(kind: Kind, obj: Object) -> selectors.Selector:
    if kind.scale.selector is not None:
        return selectors.parse(str(_at(obj, kind.scale.selector) or ""))
    given = objects.spec(obj).get("selector")
    if kind is kinds.REPLICATION_CONTROLLER:
        return selectors.of_map(given)
    return selectors.of(given)
