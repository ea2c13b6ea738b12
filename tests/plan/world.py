"""A world of objects for planners: it is what views are read from and what plans are applied to."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, assert_never

from minikctl.model import json_patches, kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, Plan, RecordEvent, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object


class Conflict(Exception):
    """An update of what has changed meanwhile."""


class Space:
    """The objects of one kind; what controllers call a cache."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object."""
        return self.objects.get((namespace, name))

    def items(self, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects in order of their names."""
        for key in sorted(self.objects):
            if namespace is None or key[0] == namespace:
                yield self.objects[key]

    def subscribe(self, subscriber: Callable[[Object | None, Object | None], None]) -> None:
        """Show what is there."""
        for found in self.items():
            subscriber(None, found)

    async def synced(self) -> None:
        """Return at once."""


class World:
    """Applies plans as the API server would, as far as the planners can see."""

    def __init__(self, given: Iterable[Object], now: datetime) -> None:
        self.now = now
        self.events: list[RecordEvent] = []
        self._spaces: dict[str, Space] = {}
        self._revisions = itertools.count(1000)
        self._uids = itertools.count(1)
        for obj in given:
            kind = kinds.of(obj)
            assert kind is not None, f"unknown kind: {obj}"
            self._put(kind, copy.deepcopy(obj))

    def of(self, kind: Kind) -> Space:
        """Return the objects of the kind."""
        return self._spaces.setdefault(kind.resource, Space())

    def apply(self, kind: Kind, subject: Object, plan: Plan, *, only: int | None = None) -> None:
        """Apply the plan, or only so many of its actions and then no status."""
        for action in plan.actions[:only]:
            self.act(action)
        if plan.status is not None and only is None and plan.status != objects.status(subject):
            latest = self.of(kind).get(*objects.key(subject))
            if latest is not None:
                self._put(kind, {**latest, "status": plan.status})

    def act(self, action: ApiAction) -> None:
        """Apply one action."""
        match action:
            case Create():
                if objects.key(action.object) not in self.of(action.kind).objects:
                    self._create(action.kind, copy.deepcopy(action.object))
            case Update():
                self._update(action)
            case Patch():
                present = self.of(action.kind).get(action.namespace, action.name)
                if present is not None:
                    body = copy.deepcopy(action.body)
                    self._change(action.kind, present, json_patches.merge(copy.deepcopy(present), body))
            case Delete():
                self._delete(action)
            case RecordEvent():
                self.events.append(action)
            case _:
                assert_never(action)

    def put(self, obj: Object) -> Object:
        """Store the object whatever was there."""
        kind = kinds.of(obj)
        assert kind is not None
        return self._put(kind, copy.deepcopy(obj))

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Take the object away."""
        del self.of(kind).objects[(namespace, name)]

    def _create(self, kind: Kind, obj: Object) -> None:
        metadata = obj["metadata"]
        assert metadata.get("name"), f"no name: {obj}"
        metadata["uid"] = f"new-{next(self._uids)}"
        metadata["creationTimestamp"] = objects.timestamp(self.now)
        if kind.has_generation:
            metadata["generation"] = 1
        self._put(kind, obj)

    def _update(self, action: Update) -> None:
        present = self.of(action.kind).get(*objects.key(action.object))
        if present is None:
            raise Conflict(objects.key(action.object))
        if objects.resource_version(action.object) != objects.resource_version(present):
            raise Conflict(objects.key(action.object))
        new = copy.deepcopy(action.object)
        if action.subresource == "status":
            new = {**present, "status": new["status"]}
        elif "status" in present and not action.subresource:
            new["status"] = present["status"]
        self._change(action.kind, present, new)

    def _change(self, kind: Kind, present: Object, new: Object) -> None:
        if kind.has_generation and objects.spec(new) != objects.spec(present):
            new["metadata"]["generation"] = objects.generation(present) + 1
        held = objects.meta(new).get("finalizers") or (
            kind is kinds.NAMESPACE and objects.spec(new).get("finalizers")
        )
        if objects.is_deleting(new) and not held and not objects.meta(new).get("deletionGracePeriodSeconds"):
            del self.of(kind).objects[objects.key(new)]
        else:
            self._put(kind, new)

    def _delete(self, action: Delete) -> None:
        space = self.of(action.kind)
        present = space.get(action.namespace, action.name)
        if present is None or (action.uid and objects.uid(present) != action.uid):
            return
        metadata = dict(present["metadata"])
        extra = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(action.propagation, [])
        finalizers = [*(metadata.get("finalizers") or ()), *extra]
        graceful = (
            action.kind is kinds.POD and objects.spec(present).get("nodeName") and action.grace_seconds != 0
        )
        if not finalizers and not graceful:
            del space.objects[objects.key(present)]
            return
        if finalizers:
            metadata["finalizers"] = list(dict.fromkeys(finalizers))
        metadata.setdefault("deletionTimestamp", objects.timestamp(self.now))
        if graceful:
            metadata["deletionGracePeriodSeconds"] = 30
        self._put(action.kind, {**present, "metadata": metadata})

    def _put(self, kind: Kind, obj: Object) -> Object:
        metadata = {**obj["metadata"], "resourceVersion": str(next(self._revisions))}
        metadata.setdefault("uid", f"{kind.singular}-{metadata['name']}")
        stored = {**obj, "metadata": metadata}
        self.of(kind).objects[objects.key(stored)] = stored
        return stored

    def summary(self) -> list[Any]:
        """Return all objects without what differs from run to run: revisions, uids, generated names."""
        found = [
            (resource, summarised(obj))
            for resource, space in sorted(self._spaces.items())
            for obj in space.items()
        ]
        return sorted(found, key=repr)


_VARYING = ("resourceVersion", "uid", "generation", "observedGeneration")


def summarised(value: Any) -> Any:
    """Return the value without what differs from run to run."""
    if isinstance(value, dict):
        dropped = set(_VARYING)
        if value.get("generateName"):
            dropped.add("name")
        if value.get("kind") == "Deployment" and "status" in value:
            # Which of two true reasons for progress is told depends on what was seen last.
            value = {**value, "status": {**value["status"], "conditions": []}}
        return {name: summarised(each) for name, each in value.items() if name not in dropped}
    if isinstance(value, list):
        return [summarised(each) for each in value]
    return value
