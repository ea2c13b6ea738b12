"""Carrying out plans against the API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from minikctl import errors
from minikctl.client import base
from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.runtime import batching, tasks
from minikctl.runtime import clock as clocks

log = logging.getLogger(__name__)

SETTLE_SECONDS = 5.0
"""So long a plan waits at most until the caches show what it wrote."""

Watcher = Callable[[Object | None, Object | None], None]


class Cache(Protocol):
    """The part of an informer that the executor needs."""

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object as last seen."""
        ...

    def subscribe(self, callback: Watcher) -> object:
        """Call back with (old, new) after each change."""
        ...

    async def reached(self, revision: str) -> None:
        """Return once the cache has seen that resourceVersion."""
        ...


class Recorder(Protocol):
    """Takes Events without making the caller wait."""

    def record(self, action: api.RecordEvent) -> None:
        """Have the Event written."""
        ...


@dataclass(frozen=True)
class Written:
    """One write that caches have to catch up with; ``gone``: it asked for deletion of ``uid``.

    ``outcome`` is the object as the API answered.
    """

    kind: Kind
    key: Key
    revision: str
    gone: bool = False
    uid: str = ""
    outcome: Object | None = None


class ApiExecutor:
    """Carries out plans so that no key is planned again before the caches show what it wrote.

    ``cache_of`` gives the cache of a kind, or None if nobody watches that kind.
    """

    def __init__(
        self,
        client: base.Client,
        recorder: Recorder,
        clock: clocks.Clock,
        cache_of: Callable[[Kind], Cache | None],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._clock = clock
        self._cache_of = cache_of
        self._watched: dict[str, Cache] = {}
        self._waiting: dict[tuple[str, Key], asyncio.Event] = {}

    async def execute(self, kind: Kind, subject: Object, plan: api.Plan) -> None:
        """Carry out the actions in order, then write the subject's status if it differs.

        The first failure is raised as ``errors.ActionFailed``, after the caches caught up with what was done.
        """
        written: list[Written] = []
        try:
            await self.run(plan.actions, written)
            if plan.status is not None and plan.status != (subject.get("status") or {}):
                await self._write_status(kind, subject, plan.status, written)
        finally:
            await self._settle(written)

    async def run(self, actions: Iterable[api.ApiAction], written: list[Written]) -> None:
        """Carry out the actions in order; neighbours that create or delete the same kind go together."""
        for batch in batching.batches(batching.units(actions)):
            results = await asyncio.gather(
                *(self._run_unit(unit, written) for unit in batch), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _run_unit(self, unit: batching.Unit, written: list[Written]) -> None:
        try:
            done = await self._run_action(unit.action)
        except errors.StatusError as error:
            raise errors.ActionFailed(unit.action, error) from error
        if done is not None:
            written.append(done)
        for event in unit.events:
            self._recorder.record(event)

    async def _run_action(self, action: api.ApiAction) -> Written | None:
        match action:
            case api.Create():
                return await self._create(action)
            case api.Update():
                found = await self._client.update(action.kind, action.object, subresource=action.subresource)
                return _seen(action.kind, found)
            case api.Patch():
                return await self._patch(action)
            case api.Delete():
                return await self._delete(action)
            case api.RecordEvent():
                self._recorder.record(action)
                return None
            case _:
                assert_never(action)

    async def _create(self, action: api.Create) -> Written | None:
        try:
            return _seen(action.kind, await self._client.create(action.kind, action.object))
        except errors.StatusError as error:
            # What exists is seen in the cache in time; in a namespace that ends, nothing is wanted any more.
            if error.reason == "AlreadyExists" or error.has_cause("NamespaceTerminating"):
                return None
            raise

    async def _patch(self, action: api.Patch) -> Written | None:
        found = await _unless_gone(
            self._client.patch(
                action.kind, action.name, action.namespace, action.body, subresource=action.subresource
            )
        )
        return _seen(action.kind, found) if found is not None else None

    async def _delete(self, action: api.Delete) -> Written | None:
        options = base.DeleteOptions(
            grace_seconds=action.grace_seconds,
            uid=action.uid,
            propagation=_propagation(action.propagation),
        )
        try:
            found = await _unless_gone(
                self._client.delete(action.kind, action.name, action.namespace, options)
            )
        except errors.StatusError as error:
            # The precondition is the uid alone: a conflict says that the object is another one by now.
            if error.reason == "Conflict" and action.uid:
                return None
            raise
        if found is None:
            return None
        key = (action.namespace, action.name)
        return Written(action.kind, key, objects.resource_version(found), gone=True, uid=objects.uid(found))

    async def _write_status(
        self, kind: Kind, subject: Object, status: dict[str, Any], written: list[Written]
    ) -> None:
        latest = subject
        for done in written:
            if done.outcome and done.kind.resource == kind.resource and done.key == objects.key(subject):
                latest = done.outcome  # our own write of a moment ago is no conflict
        if (latest.get("status") or {}) != (subject.get("status") or {}):
            return  # others wrote in between: the status is planned again from what they said
        update = api.Update(kind, {**latest, "status": status}, "status")
        await self._run_unit(batching.Unit(update), written)

    async def _settle(self, written: list[Written]) -> None:
        """Return when the caches show all of it, or when waiting longer would help nobody."""
        if tasks.is_ending():
            return  # who plans next begins with new caches, and these may have ended already
        behind = [done for done in written if not self._caught_up(done)]
        if behind:
            await tasks.first(self._clock.sleep(SETTLE_SECONDS), self._catch_up(behind))

    async def _catch_up(self, behind: list[Written]) -> None:
        for done in behind:
            cache = self._cache_of(done.kind)
            if cache is not None and not done.gone:
                await cache.reached(done.revision)
            while not self._caught_up(done) and done.gone:
                changed = self._waiting.setdefault((done.kind.resource, done.key), asyncio.Event())
                await changed.wait()

    def _caught_up(self, done: Written) -> bool:
        cache = self._cache_of(done.kind)
        if cache is None:
            return True
        cached = cache.get(*done.key)
        if done.gone:
            self._watch(done.kind, cache)
            return cached is None or objects.uid(cached) != done.uid or objects.is_deleting(cached)
        return cached is not None and _revision(objects.resource_version(cached)) >= _revision(done.revision)

    def _watch(self, kind: Kind, cache: Cache) -> None:
        if self._watched.get(kind.resource) is cache:
            return
        self._watched[kind.resource] = cache  # a custom kind that came back has another one

        def changed(old: Object | None, new: Object | None) -> None:
            waiting = self._waiting.pop((kind.resource, objects.key(new or old or {})), None)
            if waiting is not None:
                waiting.set()

        cache.subscribe(changed)


def _seen(kind: Kind, found: Object) -> Written:
    return Written(kind, objects.key(found), objects.resource_version(found), outcome=found)


def _revision(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _propagation(text: str) -> base.Propagation:
    match text:
        case "Foreground":
            return "Foreground"
        case "Orphan":
            return "Orphan"
        case _:
            return "Background"


async def _unless_gone(answer: Awaitable[Object]) -> Object | None:
    try:
        return await answer
    except errors.StatusError as error:
        if error.reason == "NotFound":
            return None
        raise
