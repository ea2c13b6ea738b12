"""What the cluster knows of a kind: one frozen ``Kind`` each, registered by one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from minikctl.model import names
from minikctl.model.objects import Object

if TYPE_CHECKING:
    from minikctl.model.structure import Node

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


def untouched(obj: Object, old: Object | None) -> None:
    """Change nothing: a kind whose status is all its controllers'."""


def same(obj: Object) -> Object:
    """Return the object as it is: a version that is stored as it is served."""
    return obj


VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
"""What can be done with the objects of nearly every kind."""


class Shape(Protocol):
    """How objects of a kind look where no file of ``schemas/`` says it: that of a custom kind."""

    @property
    def root(self) -> Node:
        """The tree of the kind's schema."""
        ...

    @property
    def document(self) -> Mapping[str, Any]:
        """The kind's schema as OpenAPI publishes it."""
        ...

    def undecodable(self, kind: Kind, obj: Object) -> str | None:
        """Return why the object cannot be decoded at all, None if it can."""
        ...

    def unknown_fields(self, obj: Object) -> list[str]:
        """Return the paths of what ``drop_unknown`` would remove."""
        ...

    def drop_unknown(self, obj: Object) -> None:
        """Remove, in place, what the schema does not know."""
        ...

    def apply_defaults(self, obj: Object) -> None:
        """Complete the object in place."""
        ...

    def check(self, obj: Object, old: Object | None) -> list[Cause]:
        """Return what breaks the schema; ``old`` is None when the object is created."""
        ...


class Versions(Protocol):
    """The served versions of one custom kind: objects are kept in one of them and read in any.

    ``kinds`` are they, by apiVersion; whoever makes them puts them there.
    """

    kinds: dict[str, Kind]

    def read(self, kind: Kind, kept: Object) -> Object:
        """Return a kept object in the version of ``kind``; the kept one is not changed."""
        ...

    async def keep(self, obj: Object) -> Object:
        """Return an object in the version in which it is kept; raises ``StatusError`` if that fails."""
        ...

    async def prepare(self, kind: Kind, found: Sequence[Object]) -> None:
        """Have ready what ``read`` needs for these; raises ``StatusError`` when they cannot be converted."""
        ...


@dataclass(frozen=True)
class ScalePaths:
    """Where a kind keeps what its scale subresource shows; a path of field names each."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] | None = None
    """Where a label selector is kept as text; None: spec.selector is a metav1.LabelSelector."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind in one version; there is one instance of each, so identity is equality and it can be a key.

    ``default`` completes a decoded object in place.  ``validate(new, old)`` returns the causes of refusal
    (old is None on create).  ``prepare(new, old)`` sets, in place, what the server itself knows
    of the status.  ``selectable`` gives field-selector values beyond metadata.name/namespace.
    ``storage`` is the version under which objects are kept when it is another (``to_storage`` and
    ``from_storage`` convert).  ``has_generation``: metadata.generation counts spec changes.
    ``name_rule`` returns what is wrong with a name.  ``deprecation`` goes with each answer as a warning.
    Custom kinds have a ``shape``, and ``versions`` if their objects may be kept in another version.
    ``stored_only``: nothing acts on the objects yet, which whoever creates one is told.  ``verbs`` is what
    can be done with them.  ``parts`` are subresources that change the spec, each with what judges its changes
    as ``validate`` does others.  ``first_status`` is the status of a new object, before any controller has
    seen it.
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
    prepare: Callable[[Object, Object | None], None] = untouched
    selectable: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    storage: tuple[str, str] | None = None
    to_storage: Callable[[Object], Object] = same
    from_storage: Callable[[Object], Object] = same
    has_generation: bool = False
    name_rule: names.Rule = names.dns_subdomain
    deprecation: str = ""
    shape: Shape | None = None
    versions: Versions | None = None
    scale: ScalePaths = ScalePaths()
    singular_name: str = ""
    list_name: str = ""

    @property
    def list_kind(self) -> str:
        """Return the kind of a list of such objects: ``PodList``."""
        return self.list_name or f"{self.kind}List"

    @property
    def is_custom(self) -> bool:
        """Tell whether a CustomResourceDefinition defines the kind."""
        return self.shape is not None

    @property
    def builtin(self) -> str:
        """Return the kind's name if it is Kubernetes' own, "" for a custom kind, which may have the same."""
        return "" if self.is_custom else self.kind

    stored_only: bool = False
    verbs: tuple[str, ...] = VERBS
    parts: Mapping[str, Callable[[Object, Object | None], list[Cause]]] = field(default_factory=dict)
    first_status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """Return ``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """Return the singular name: the kind in lower case, if no other is given."""
        return self.singular_name or self.kind.lower()

    @property
    def is_kept(self) -> bool:
        """Tell whether objects are kept under this kind: not for views, nor for what is only answered."""
        return self.storage is None and "watch" in self.verbs

    @property
    def resource(self) -> str:
        """Return ``pods`` or ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
