"""Keep the objects of flow control that every cluster has, and the status of all FlowSchemas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import flowcontrol, kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import flow_control


class PriorityLevelController(base.CachedController[flow_control.View]):
    """Key: ("", the PriorityLevelConfiguration's name), also of one that is gone."""

    name = "priority levels"
    kind = kinds.PRIORITY_LEVEL
    reads = (kinds.PRIORITY_LEVEL,)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the objects."""
        base.on_change(self.caches.of(kinds.PRIORITY_LEVEL), base.own_key, enqueue)

    def view(self, key: Key) -> flow_control.View | None:
        """Return the object beside what the bootstrap wants."""
        found, wanted = self.caches.of(self.kind).get(*key), flowcontrol.LEVELS.get(key[1])
        return flow_control.View(self.kind, found, wanted) if found or wanted else None

    def desired(self, view: flow_control.View, now: datetime) -> Plan:
        """Return the plan."""
        return flow_control.desired(view, now)


class FlowSchemaController(base.CachedController[flow_control.View]):
    """Key: ("", the FlowSchema's name), also of one that is gone."""

    name = "flow schemas"
    kind = kinds.FLOW_SCHEMA
    reads = (kinds.FLOW_SCHEMA, kinds.PRIORITY_LEVEL)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the objects and the levels that they refer to."""
        base.on_change(self.caches.of(kinds.FLOW_SCHEMA), base.own_key, enqueue)

        def level_changed(old: Object | None, new: Object | None) -> None:
            if old is None or new is None:
                for key in self._users(objects.name(old or new or {})):
                    enqueue(key)

        self.caches.of(kinds.PRIORITY_LEVEL).subscribe(level_changed)

    def _users(self, level: str) -> Iterator[Key]:
        for schema in self.caches.of(kinds.FLOW_SCHEMA).items():
            if _level(schema) == level:
                yield objects.key(schema)

    def view(self, key: Key) -> flow_control.View | None:
        """Return the object beside what the bootstrap wants, and whether its level is there."""
        found, wanted = self.caches.of(self.kind).get(*key), flowcontrol.SCHEMAS.get(key[1])
        if not found and not wanted:
            return None
        has_level = self.caches.of(kinds.PRIORITY_LEVEL).get("", _level(found or {})) is not None
        return flow_control.View(self.kind, found, wanted, has_level)

    def desired(self, view: flow_control.View, now: datetime) -> Plan:
        """Return the plan."""
        return flow_control.desired(view, now)


def _level(schema: Object) -> str:
    return str((objects.spec(schema).get("priorityLevelConfiguration") or {}).get("name") or "")
