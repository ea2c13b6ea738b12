"""The entries of ``metadata.managedFields``: read, written, kept few."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from minikctl.model import objects
from minikctl.model.apply import fieldsets
from minikctl.model.apply.fieldsets import FieldSet

MOST_UPDATERS = 10
"""Entries of managers that do not apply, beyond which the oldest are joined."""

OLD_UPDATES = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"


class Identity(NamedTuple):
    """Who an entry belongs to; an applier is the same in every version."""

    name: str
    applies: bool
    api_version: str
    subresource: str = ""

    def shown(self) -> str:
        """Return the manager as conflicts name it."""
        text = orjson.dumps(self.name).decode()
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.applies else f"{text} using {self.api_version}"

    def order(self) -> str:
        """Return what managers are sorted by in messages."""
        named = {"manager": self.name, "operation": "Apply" if self.applies else "Update"}
        version = {} if self.applies else {"apiVersion": self.api_version}
        return orjson.dumps({**named, **version, "subresource": self.subresource}).decode()


@dataclass(frozen=True)
class Owned:
    """What a manager owns, as of which version of the kind, and since when (RFC 3339, "" for unknown)."""

    fields: FieldSet
    api_version: str
    time: str = ""


Managed = dict[Identity, Owned]


def identity(name: str, applies: bool, api_version: str, subresource: str = "") -> Identity:
    """Return who makes a request."""
    return Identity(name or "unknown", applies, "" if applies else api_version, subresource)


def read(entries: Any) -> Managed | None:
    """Return what the entries say, None if one of them cannot be understood."""
    found: Managed = {}
    for entry in entries or ():
        if not isinstance(entry, dict):
            return None
        operation, version = entry.get("operation"), entry.get("apiVersion")
        fields = entry.get("fieldsV1") or {}
        if operation not in ("Apply", "Update") or not version or entry.get("fieldsType") != "FieldsV1":
            return None
        known = _shared(orjson.dumps(fields))
        if known is None:
            return None
        who = identity(
            str(entry.get("manager") or ""), operation == "Apply", version, entry.get("subresource") or ""
        )
        found[who] = Owned(known, version, str(entry.get("time") or ""))
    return found


def is_reset(entries: Any) -> bool:
    """Tell whether managedFields were given to start anew: ``[]`` or ``[{}]``."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def write(managed: Managed) -> list[dict[str, Any]]:
    """Return the entries in the order that Kubernetes gives them: appliers first, then by time and name."""
    ordered = sorted(managed.items(), key=lambda pair: _order(*pair))
    return [_entry(who, owned) for who, owned in ordered if owned.fields]


def _order(who: Identity, owned: Owned) -> tuple[Any, ...]:
    moment = objects.parse_time(owned.time)
    seconds = moment.timestamp() if moment else 0
    return not who.applies, seconds, who.name, owned.api_version, who.subresource


def _entry(who: Identity, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": who.name,
        "operation": "Apply" if who.applies else "Update",
        "apiVersion": owned.api_version,
    }
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = shared(owned.fields)
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def shared(fields: FieldSet) -> FieldSet:
    """Return the set in the wire's order, the same instance for equal ones."""
    return _shared(orjson.dumps(fields)) or {}


@functools.lru_cache(maxsize=2048)
def _shared(text: bytes) -> FieldSet | None:
    found: FieldSet = orjson.loads(text)
    return fieldsets.ordered(found) if fieldsets.is_valid(found) else None


def share(obj: Any) -> None:
    """Let an object that was just decoded use the field sets that others have too."""
    for entry in obj["metadata"].get("managedFields") or ():
        if isinstance(entry, dict) and isinstance(entry.get("fieldsV1"), dict):
            entry["fieldsV1"] = shared(entry["fieldsV1"])


def capped(managed: Managed) -> Managed:
    """Join the oldest entries of updates, version by version, until there are few enough."""
    updaters = sorted(
        (who for who in managed if not who.applies), key=lambda who: (_order(who, managed[who])[1], who.name)
    )
    surplus = len(updaters) - MOST_UPDATERS
    found, first = dict(managed), dict[str, Identity]()
    for who in updaters:
        if surplus <= 0:
            break
        owned = found[who]
        bucket = identity(OLD_UPDATES, False, owned.api_version)
        if owned.api_version not in first:
            first[owned.api_version] = who
            continue
        if bucket not in found:
            found[bucket] = found.pop(first[owned.api_version])
        del found[who]
        joined = fieldsets.union(found[bucket].fields, owned.fields)
        found[bucket] = replace(owned, fields=joined)
        surplus -= 1
    return found


def same(left: Iterable[Any], right: Iterable[Any]) -> bool:
    """Tell whether entries differ in nothing but their times."""

    def timeless(entries: Iterable[Any]) -> list[dict[str, Any]]:
        return [{name: found for name, found in entry.items() if name != "time"} for entry in entries]

    return timeless(left) == timeless(right)
