"""What the cluster knows of a kind: one frozen ``Kind`` each, registered by one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import names
from minikctl.model.objects import Object

Cause = dict[str, str]
"""A metav1.StatusCause: reason (FieldValueInvalid …), message, field."""


@dataclass(frozen=True)
class Column:
    """One column of a server-side table; ``cell`` gets the object and the present moment."""

    name: str
    cell: Callable[[Object, datetime], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    """0 is always shown, 1 only with -o wide."""
    description: str = ""


def accept(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Accept anything: a kind without rules beyond its schema."""
    return []


def leave(obj: Object) -> None:
    """Change nothing: a kind without defaults beyond its schema."""


def same(obj: Object) -> Object:
    """Return the object as it is: a version that is stored as it is served."""
    return obj


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind in one version; there is one instance of each, so identity is equality and it can be a key.

    ``default`` completes a decoded object in place.  ``validate(new, old)`` returns the causes of refusal
    (old is None on create).  ``selectable`` gives field-selector values beyond metadata.name/namespace.
    ``storage`` is the version under which objects are kept when it is another (``to_storage`` and
    ``from_storage`` convert).  ``has_generation``: metadata.generation counts spec changes.
    ``name_rule`` returns what is wrong with a name.  ``deprecation`` goes with each answer as a warning.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    default: Callable[[Object], None] = leave
    validate: Callable[[Object, Object | None], list[Cause]] = accept
    selectable: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    storage: tuple[str, str] | None = None
    to_storage: Callable[[Object], Object] = same
    from_storage: Callable[[Object], Object] = same
    has_generation: bool = False
    name_rule: names.Rule = names.dns_subdomain
    deprecation: str = ""

    @property
    def api_version(self) -> str:
        """Return ``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """Return the singular name: the kind in lower case."""
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """Return ``pods`` or ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
