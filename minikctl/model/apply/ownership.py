"""Who owns which fields after a write, and what becomes of an object that is applied.

Objects are in the version of the request's kind and never changed; ``metadata.managedFields`` of what is
returned says who owns what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.model import kinds, objects, schema
from minikctl.model.apply import fieldsets, managers, walks
from minikctl.model.apply.fieldsets import FieldSet
from minikctl.model.apply.managers import Identity, Managed, Owned
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

_NEVER_OWNED = fieldsets.of(
    ("apiVersion",),
    ("kind",),
    ("metadata",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "creationTimestamp"),
    ("metadata", "selfLink"),
    ("metadata", "uid"),
    ("metadata", "generation"),
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
)
_STATUS = fieldsets.of(("status",))
_NOT_STATUS = fieldsets.of(("spec",), ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences"))


@dataclass(frozen=True)
class Write:
    """Who writes, through which subresource, and when (RFC 3339)."""

    manager: str
    now: str
    subresource: str = ""


class Conflicts(errors.StatusError):
    """Others own fields that an apply would change.

    ``found`` are pairs of a manager and the path of a field.
    """

    def __init__(self, found: list[tuple[Identity, tuple[str, ...]]]) -> None:
        super().__init__(409, "Conflict", _sentence(found))
        self.found = found
        self.details["causes"] = [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {who.shown()}",
                "field": fieldsets.text(path),
            }
            for who, path in found
        ]


def _sentence(found: list[tuple[Identity, tuple[str, ...]]]) -> str:
    if len(found) == 1:
        who, path = found[0]
        return f"Apply failed with 1 conflict: conflict with {who.shown()}: {fieldsets.text(path)}"
    lines: list[str] = []
    for manager in sorted({who for who, _ in found}, key=Identity.order):
        lines.append(f"conflicts with {manager.shown()}:")
        lines += [f"- {fieldsets.text(path)}" for who, path in found if who == manager]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


# --- writes that are no apply -------------------------------------------------------------------------------


def of_new(kind: Kind, obj: Object, write: Write) -> list[dict[str, Any]]:
    """Return the managedFields of an object that is created: all of its fields are the writer's."""
    owned = _kept(kind, walks.created(schema.root(kind), _bare(obj)), write.subresource)
    who = managers.identity(write.manager, False, kind.api_version, write.subresource)
    return managers.write({who: Owned(owned, kind.api_version, write.now)})


def of_update(kind: Kind, old: Object, new: Object, write: Write) -> list[dict[str, Any]]:
    """Return the managedFields after an update: what changed is the writer's, what went is nobody's.

    The entries that the new object carries count, so that they can be edited; [] or [{}] forgets them all.
    """
    managed = _present(old, new, write.subresource)
    if not managed:
        return []
    managed, difference = _settled(kind, _reconciled(kind, old, managed), (old, new), write)
    who = managers.identity(write.manager, False, kind.api_version, write.subresource)
    fields = _kept(kind, difference.changed, write.subresource)
    if fields:
        before = managed[who].fields if who in managed else {}
        managed[who] = Owned(fieldsets.union(before, fields), kind.api_version, write.now)
    return managers.write(managers.capped(managed))


def _present(old: Object, new: Object, subresource: str) -> Managed:
    given = objects.meta(new).get("managedFields")
    if not subresource:
        if managers.is_reset(given):
            return {}
        if found := managers.read(given):
            return found
    return managers.read(objects.meta(old).get("managedFields")) or {}


# --- apply --------------------------------------------------------------------------------------------------


def applied(kind: Kind, live: Object | None, config: Object, write: Write, *, force: bool) -> Object:
    """Return what results when ``config`` is applied to what is there; ``Conflicts`` if others own it.

    Fields that the writer applied before and no longer does are removed, unless somebody else owns them.
    """
    present: Object = live if live is not None else {"apiVersion": kind.api_version, "kind": kind.kind}
    node, who = schema.root(kind), managers.identity(write.manager, True, kind.api_version, write.subresource)
    fields = _configured(kind, config, write.subresource)
    managed = _before(kind, live, write)
    bare = _bare(present)
    merged = walks.merge(node, bare, _bare(config))
    last = managed.get(who)
    managed[who] = Owned(fields, kind.api_version, write.now)
    merged = _pruned(kind, merged, managed, last)
    managed, _ = _settled(kind, managed, (bare, merged), write, applier=who, force=force)
    outcome = {**merged, "metadata": {**(merged.get("metadata") or {})}}
    stripped = fieldsets.difference(managed[who].fields, _NEVER_OWNED) if who in managed else {}
    if stripped:
        managed[who] = Owned(stripped, kind.api_version, write.now)
    else:
        managed.pop(who, None)
    outcome["metadata"]["managedFields"] = _entries(live, managed, unchanged=merged == bare)
    return outcome


def _configured(kind: Kind, config: Object, subresource: str) -> FieldSet:
    faults: list[str] = []
    fields = walks.fields(schema.root(kind), config, faults)
    if faults:
        raise untyped(kind, config, faults)
    return fieldsets.without(fields, _ignored(kind, subresource))


def untyped(kind: Kind, config: Object, faults: list[str]) -> errors.StatusError:
    """500, without a reason, as Kubernetes has it: the configuration does not fit the kind's schema."""
    namespace, name = objects.key(config)
    text = faults[0] if len(faults) == 1 else "\n".join(["errors:", *(f"  {each}" for each in faults)])
    where = f"{namespace}/{name}; {kind.group}/{kind.version}, Kind={kind.kind}"
    return errors.StatusError(500, "", f"failed to create typed patch object ({where}): {text}")


def _before(kind: Kind, live: Object | None, write: Write) -> Managed:
    if live is None:
        return {}
    managed = managers.read(objects.meta(live).get("managedFields")) or {}
    if managed:
        return _reconciled(kind, live, managed)
    fields = _kept(kind, walks.created(schema.root(kind), _bare(live)), write.subresource)
    if not fields:
        return {}
    who = managers.identity(managers.BEFORE_FIRST_APPLY, False, kind.api_version, write.subresource)
    return {who: Owned(fields, kind.api_version, write.now)}


def _entries(live: Object | None, managed: Managed, *, unchanged: bool) -> list[dict[str, Any]]:
    """Return the entries; an apply that changes nothing leaves their times as they were."""
    before = objects.meta(live).get("managedFields") if live else None
    if unchanged and before:
        known = managers.read(before) or {}
        if known.keys() == managed.keys() and all(
            known[who].fields == owned.fields and known[who].api_version == owned.api_version
            for who, owned in managed.items()
        ):
            return list(before)
    return managers.write(managed)


def _pruned(kind: Kind, merged: Object, managed: Managed, last: Owned | None) -> Object:
    """Return the object without what its applier gave up and nobody else owns."""
    if last is None or not last.fields:
        return merged
    past = at_version(kind, merged, last.api_version)
    if past is None:
        return merged
    past_kind, whole = past
    node = schema.root(past_kind)
    gone = walks.with_structs(node, last.fields)
    left = walks.remove(node, whole, gone) or {}
    for version in sorted({last.api_version, *(owned.api_version for owned in managed.values())}):
        left = _given_back(kind, (whole, left), managed, (last.api_version, version))
    left_set, whole_set = _all_fields(node, left), _all_fields(node, whole)
    removed = fieldsets.intersection(fieldsets.difference(whole_set, left_set), gone)
    if not removed:
        return merged
    rest = walks.remove(node, whole, removed) or {}
    back = at_version(past_kind, rest, kind.api_version)
    return back[1] if back else merged


def _all_fields(node: Any, obj: Object) -> FieldSet:
    return walks.with_structs(node, walks.fields(node, obj, []))


def _given_back(
    kind: Kind, pair: tuple[Object, Object], managed: Managed, versions: tuple[str, str]
) -> Object:
    """Return what is left, with all that entries of one version own put back from the whole."""
    home, version = versions
    home_kind = _kind_at(kind, home) or kind
    both = [at_version(home_kind, each, version) for each in pair]
    if both[0] is None or both[1] is None:
        return pair[1]
    there, node = both[0][0], schema.root(both[0][0])
    owned: FieldSet = {}
    for each in managed.values():
        if each.api_version == version:
            owned = fieldsets.union(owned, each.fields)
    kept = fieldsets.union(_all_fields(node, both[1][1]), walks.with_structs(node, owned))
    gone = fieldsets.difference(_all_fields(node, both[0][1]), kept)
    left = walks.remove(node, both[0][1], gone) or {}
    back = at_version(there, left, home)
    return back[1] if back else pair[1]


def _reconciled(kind: Kind, live: Object, managed: Managed) -> Managed:
    """Return the entries as schemas have their fields now; only those of custom kinds change."""
    if not kind.is_custom:
        return managed
    found: Managed = {}
    for who, owned in managed.items():
        there = at_version(kind, live, owned.api_version)
        if there is not None:
            fields = walks.reconciled(schema.root(there[0]), owned.fields, _bare(there[1]))
            owned = owned if fields == owned.fields else Owned(fields, owned.api_version, owned.time)
        found[who] = owned
    return found


# --- common -------------------------------------------------------------------------------------------------


def _settled(
    kind: Kind,
    managed: Managed,
    pair: tuple[Object, Object],
    write: Write,
    *,
    applier: Identity | None = None,
    force: bool = True,
) -> tuple[Managed, walks.Difference]:
    """Take from all but the applier what changed or went; without ``force``, what changed is a conflict."""
    old, new = _bare(pair[0]), _bare(pair[1])
    differences = _Differences(kind, (old, new), _ignored(kind, write.subresource))
    found: list[tuple[Identity, tuple[str, ...]]] = []
    left: Managed = {}
    for who, owned in managed.items():
        if who == applier:
            left[who] = owned
            continue
        difference = differences.at(owned.api_version)
        if difference is None:
            continue
        taken = fieldsets.intersection(owned.fields, difference.changed)
        found += [(who, path) for path in fieldsets.paths(taken)]
        rest = fieldsets.difference(fieldsets.difference(owned.fields, taken), difference.removed)
        if rest:
            left[who] = owned if rest is owned.fields else Owned(rest, owned.api_version, owned.time)
    if found and not force:
        raise Conflicts(sorted(found, key=lambda one: one[0].order()))
    return left, differences.here


class _Differences:
    """How two objects differ, in each version in which somebody owns fields."""

    def __init__(self, kind: Kind, pair: tuple[Object, Object], ignored: FieldSet) -> None:
        self._kind = kind
        self._pair = pair
        self._ignored = ignored
        self.here = self._compare(kind, *pair)
        self._known: dict[str, walks.Difference | None] = {kind.api_version: self.here}

    def _compare(self, kind: Kind, old: Object, new: Object) -> walks.Difference:
        changed, removed = walks.compare(schema.root(kind), old, new)
        return walks.Difference(
            fieldsets.without(changed, self._ignored), fieldsets.without(removed, self._ignored)
        )

    def at(self, version: str) -> walks.Difference | None:
        """Return the difference in a version, None if that is no longer served."""
        if version not in self._known:
            old, new = (at_version(self._kind, each, version) for each in self._pair)
            self._known[version] = self._compare(old[0], old[1], new[1]) if old and new else None
        return self._known[version]


def _kind_at(kind: Kind, api_version: str) -> Kind | None:
    if api_version == kind.api_version:
        return kind
    if kind.is_custom:
        return kind.versions.kinds.get(api_version) if kind.versions else None
    group, _, version = api_version.rpartition("/")
    return kinds.by_gvk(group, version, kind.kind)


def at_version(kind: Kind, obj: Object, api_version: str) -> tuple[Kind, Object] | None:
    """Return the kind and the object in another of its versions, None if that is not served.

    The versions of a custom kind are taken to have the same fields, whatever converts them.
    """
    there = _kind_at(kind, api_version)
    if there is None or there is kind:
        return (kind, obj) if there else None
    if kind.is_custom:
        return there, {**obj, "apiVersion": api_version}
    stored = kind.to_storage(obj) if kind.storage else obj
    return there, there.from_storage(stored) if there.storage else stored


def _ignored(kind: Kind, subresource: str) -> FieldSet:
    """Return the fields that a request cannot set, because they belong to another subresource."""
    if subresource == "status":
        return _NOT_STATUS
    return _STATUS if "status" in kind.subresources else {}


def _kept(kind: Kind, fields: FieldSet, subresource: str) -> FieldSet:
    return fieldsets.difference(fieldsets.without(fields, _ignored(kind, subresource)), _NEVER_OWNED)


def _bare(obj: Object) -> Object:
    """Return the object without its managedFields, which nobody owns."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {name: inner for name, inner in meta.items() if name != "managedFields"}}
