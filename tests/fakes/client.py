"""An API in memory: revisions, conflicts, finalizers, watches; no defaults, no validation, no admission."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from minikctl import errors
from minikctl.client.base import DeleteOptions, ObjectList, PatchType, WatchEvent
from minikctl.model import json_patches, kinds, objects, selectors, strategic
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """One write: ``old`` None for a create, ``new`` None for an end; ``last`` is what watches show."""

    revision: int
    resource: str
    old: Object | None
    new: Object | None
    last: Object


class FakeClient:
    """Fits ``client.base.Client``; a test may look at ``calls``, plan ``failures`` and forget history.

    ``calls`` has (verb, resource, namespace, name) of every request but watches.  A function in ``failures``
    gets the same and returns the error to raise, or None.  ``objects`` given at the start are stored first.
    """

    def __init__(
        self, start: Iterable[Object] = (), *, now: Callable[[], datetime] = lambda: BEGINNING
    ) -> None:
        self.calls: list[tuple[str, str, str, str]] = []
        self.failures: list[Callable[[str, str, str, str], Exception | None]] = []
        self.revision = 0
        self._now = now
        self._spaces: dict[str, dict[Key, Object]] = {}
        self._log: list[Change] = []
        self._oldest = 0
        self._changed = asyncio.Event()
        for obj in start:
            self.put(obj)

    # --- what tests do to it -----------------------------------------------------------------------------

    def put(self, obj: Object) -> Object:
        """Store the object as it is, whatever was there; revision, uid and creation time are added."""
        kind = kinds.of(obj)
        assert kind is not None, obj
        return self._store(kind, self._completed(kind, copy.deepcopy(obj)))

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Take the object away, whatever holds it."""
        self._end(kind, self._space(kind)[(namespace, name)])

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return what is stored, without a request."""
        return self._space(kind).get((namespace, name))

    def all(self, kind: Kind) -> list[Object]:
        """Return everything of a kind, by key, without a request."""
        return [obj for _, obj in sorted(self._space(kind).items())]

    def forget_history(self) -> None:
        """Have watches that are open or start before now end with 410."""
        self._log.clear()
        self._oldest = self.revision + 1
        self.revision += 1
        self._wake()

    # --- client.base.Client ------------------------------------------------------------------------------

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return the object as it is now."""
        self._called("get", kind, namespace, name)
        return self._present(kind, namespace, name)

    async def list(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> ObjectList:
        """Return all objects that match, by key."""
        self._called("list", kind, namespace, "")
        matches = _matcher(kind, namespace, labels, fields)
        return ObjectList(tuple(obj for obj in self.all(kind) if matches(obj)), str(self.revision))

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Store a new object."""
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self.revision + 1:05}"
        self._called("create", kind, objects.namespace(obj), objects.name(obj))
        if objects.key(obj) in self._space(kind):
            raise errors.already_exists(kind.plural, kind.group, objects.name(obj))
        return self._store(kind, self._completed(kind, obj))

    async def update(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """Replace the object, or only its status; a stale resourceVersion is a conflict."""
        namespace, name = objects.key(obj)
        self._called(f"update {subresource}".strip(), kind, namespace, name)
        return self._replace(kind, self._present(kind, namespace, name), copy.deepcopy(obj), subresource)

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        body: Any,
        *,
        type: PatchType = "merge",
        subresource: str = "",
    ) -> Object:
        """Apply the patch to what is stored."""
        self._called(f"patch {subresource}".strip(), kind, namespace, name)
        old = self._present(kind, namespace, name)
        document = copy.deepcopy(old)
        match type:
            case "json":
                new = json_patches.json_patch(document, body)
            case "merge":
                new = json_patches.merge(document, body)
            case "strategic":
                new = strategic.strategic(kind, document, body)
        return self._replace(kind, old, new, subresource)

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> Object:
        """End the object; with finalizers, or as a pod that runs on a node, it is only marked."""
        self._called("delete", kind, namespace, name)
        old = self._present(kind, namespace, name)
        wanted = options or DeleteOptions()
        if wanted.uid and wanted.uid != objects.uid(old):
            raise errors.conflict(kind.plural, kind.group, name, "Precondition failed: UID in precondition")
        if wanted.resource_version and wanted.resource_version != objects.resource_version(old):
            raise errors.conflict(kind.plural, kind.group, name, "Precondition failed: ResourceVersion")
        grace = _grace(kind, old, wanted)
        if not grace and not objects.meta(old).get("finalizers"):
            return self._end(kind, old)
        if objects.is_deleting(old):
            return old
        end = objects.timestamp(self._now() + timedelta(seconds=grace))
        meta = {**old["metadata"], "deletionTimestamp": end}
        return self._store(kind, {**old, "metadata": {**meta, "deletionGracePeriodSeconds": grace}})

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Yield each change after the revision (now, if none is given); 410 if that is forgotten."""
        matches = _matcher(kind, namespace, labels, fields)
        seen = int(resource_version) if resource_version else self.revision
        while True:
            if seen < self._oldest:
                raise errors.expired(f"too old resource version: {seen} ({self._oldest})")
            for change in [each for each in self._log if each.revision > seen]:
                seen = change.revision
                event = _event(change, matches) if change.resource == kinds.stored(kind).resource else None
                if event is not None:
                    yield event
            if seen >= self.revision:
                self._changed.clear()
                await self._changed.wait()

    # --- within ------------------------------------------------------------------------------------------

    def _called(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        call = (verb, kind.plural, namespace, name)
        self.calls.append(call)
        for failure in self.failures:
            error = failure(*call)
            if error is not None:
                raise error

    def _space(self, kind: Kind) -> dict[Key, Object]:
        return self._spaces.setdefault(kinds.stored(kind).resource, {})

    def _present(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self._space(kind).get((namespace, name))
        if found is None:
            raise errors.not_found(kind.plural, kind.group, name)
        return found

    def _completed(self, kind: Kind, obj: Object) -> Object:
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        meta = obj.setdefault("metadata", {})
        meta.setdefault("uid", f"uid-{kind.plural}-{objects.name(obj)}-{self.revision + 1}")
        meta.setdefault("creationTimestamp", objects.timestamp(self._now()))
        return obj

    def _replace(self, kind: Kind, old: Object, new: Object, subresource: str) -> Object:
        version = objects.resource_version(new)
        if version and version != objects.resource_version(old):
            cause = (
                "the object has been modified; please apply your changes to the latest version and try again"
            )
            raise errors.conflict(kind.plural, kind.group, objects.name(old), cause)
        if subresource == "status":
            new = {**old, "status": new.get("status") or {}}
        elif "status" in kind.subresources and "status" in old:
            new = {**new, "status": old["status"]}
        kept = {key: old["metadata"][key] for key in ("uid", "creationTimestamp", "resourceVersion")}
        new = {**new, "metadata": {**new["metadata"], **kept}}
        if new == old:
            return old
        if objects.is_deleting(new) and not new["metadata"].get("finalizers") and _is_held(old):
            return self._end(kind, new)
        return self._store(kind, new)

    def _store(self, kind: Kind, obj: Object) -> Object:
        space, key = self._space(kind), objects.key(obj)
        self.revision += 1
        new = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        resource = kinds.stored(kind).resource
        self._log.append(Change(self.revision, resource, space.get(key), new, new))
        space[key] = new
        self._wake()
        return new

    def _end(self, kind: Kind, obj: Object) -> Object:
        self.revision += 1
        old = self._space(kind).pop(objects.key(obj))
        last = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        self._log.append(Change(self.revision, kinds.stored(kind).resource, old, None, last))
        self._wake()
        return last

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _grace(kind: Kind, obj: Object, options: DeleteOptions) -> int:
    """Return for how long the object stays: a pod on a node stays until the node says that it ended."""
    if kind.kind != "Pod" or not objects.spec(obj).get("nodeName"):
        return 0
    if options.grace_seconds is not None:
        return options.grace_seconds
    return int(objects.spec(obj).get("terminationGracePeriodSeconds", 30))


def _is_held(obj: Object) -> bool:
    return bool(objects.meta(obj).get("finalizers"))


def _matcher(kind: Kind, namespace: str, labels: str, fields: str) -> Callable[[Object], bool]:
    by_labels, by_fields = selectors.parse(labels), selectors.parse_fields(kind, fields)

    def matches(obj: Object) -> bool:
        here = not namespace or objects.namespace(obj) == namespace
        return here and by_labels.matches(objects.labels(obj)) and by_fields.matches(obj)

    return matches


def _event(change: Change, matches: Callable[[Object], bool]) -> WatchEvent | None:
    before = change.old is not None and matches(change.old)
    after = change.new is not None and matches(change.new)
    if after:
        return WatchEvent("MODIFIED" if before else "ADDED", change.last)
    return WatchEvent("DELETED", change.last) if before else None
