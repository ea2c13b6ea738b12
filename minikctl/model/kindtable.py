"""Which kinds are served at one moment: an immutable snapshot, replaced as a whole when kinds come and go."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import names
from minikctl.model.kind import Kind


class KindTable:
    """Kinds by their names; ``all`` has every kind in every served version.

    Of a group's versions the preferred one comes first: for built-in kinds that is the order in which they
    are given, for custom ones that of their names (v2 before v1 before v1beta1).
    """

    def __init__(self, served: Iterable[Kind]) -> None:
        self.all = tuple(served)
        self._by_resource = {(kind.group, kind.version, kind.plural): kind for kind in self.all}
        self._by_gvk = {(kind.group, kind.version, kind.kind): kind for kind in self.all}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind that a REST path names, or None."""
        return self._by_resource.get((group, version, plural))

    def by_gvk(self, group: str, version: str, kind: str) -> Kind | None:
        """Return the kind of that group, version and name, or None."""
        return self._by_gvk.get((group, version, kind))

    def of(self, obj: Mapping[str, Any]) -> Kind | None:
        """Return the kind that an object's apiVersion and kind name, or None."""
        group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
        return self.by_gvk(group, version, str(obj.get("kind") or ""))

    def with_custom(self, custom: Iterable[Kind]) -> KindTable:
        """Return a table that has these kinds besides; where names collide, ours stay."""
        return KindTable((*self.all, *(each for each in custom if self._is_free(each))))

    def _is_free(self, kind: Kind) -> bool:
        return (
            self.find(kind.group, kind.version, kind.plural) is None
            and self.by_gvk(kind.group, kind.version, kind.kind) is None
        )

    @functools.cached_property
    def stored(self) -> tuple[Kind, ...]:
        """Each resource once: built-in kinds as they are kept, custom ones in their preferred version."""
        found: dict[str, Kind] = {}
        for kind in sorted(self.custom, key=lambda kind: names.version_priority(kind.version)):
            found.setdefault(kind.resource, kind)
        return (*(kind for kind in self.all if kind.shape is None and kind.is_kept), *found.values())

    @functools.cached_property
    def custom(self) -> tuple[Kind, ...]:
        """The kinds that CustomResourceDefinitions define."""
        return tuple(kind for kind in self.all if kind.shape is not None)

    @functools.cached_property
    def groups(self) -> dict[str, list[str]]:
        """The versions of each group, the preferred one first."""
        custom = sorted(self.custom, key=lambda kind: (kind.group, names.version_priority(kind.version)))
        ordered = [*(kind for kind in self.all if kind.shape is None), *custom]
        found: dict[str, list[str]] = {}
        for group, version in dict.fromkeys((kind.group, kind.version) for kind in ordered):
            found.setdefault(group, []).append(version)
        return found

    def of_version(self, group: str, version: str) -> list[Kind]:
        """Return the kinds of one group and version, by plural."""
        found = [kind for kind in self.all if (kind.group, kind.version) == (group, version)]
        return sorted(found, key=lambda kind: kind.plural)
