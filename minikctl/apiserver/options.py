"""What a caller may ask of the registry beside the object itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from minikctl.apiserver.auth import SELF, User
from minikctl.client.base import DeleteOptions, PatchType

__all__ = [
    "CONTROL_PLANE",
    "DELETE",
    "LIST",
    "WATCH",
    "WRITE",
    "Caller",
    "DeleteOptions",
    "ListOptions",
    "PatchOptions",
    "PatchType",
    "WatchOptions",
    "WriteOptions",
]


INTERNAL = "minikctl"
"""The field manager of the control plane's own writes."""


@dataclass(frozen=True)
class Caller:
    """Who writes, and where warnings for them are gathered."""

    user: User = SELF
    warnings: list[str] = field(default_factory=list)


CONTROL_PLANE = Caller(SELF)


@dataclass(frozen=True)
class ListOptions:
    """metav1.ListOptions for a list; selectors are their texts."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    continuation: str = ""
    resource_version: str = ""
    version_match: str = ""
    """"", Exact or NotOlderThan."""


@dataclass(frozen=True)
class WatchOptions:
    """metav1.ListOptions for a watch; ``timeout_seconds`` 0 means the server's own choice, None no end."""

    labels: str = ""
    fields: str = ""
    resource_version: str = ""
    version_match: str = ""
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class WriteOptions:
    """Options of create, update and delete; with ``dry_run`` all checks run and nothing is stored.

    ``manager`` owns what is changed, ``via`` names the subresource in its entry when that is not the one that
    is written.  ``applied``: the object says in its managedFields who owns what.  ``patch`` and ``force`` are
    how the client asked, for those who are told.
    """

    dry_run: bool = False
    manager: str = INTERNAL
    via: str = ""
    applied: bool = False
    caller: Caller = CONTROL_PLANE
    patch: bool = False
    force: bool = False


@dataclass(frozen=True)
class PatchOptions:
    """How a patch is read: its type, the part of the object it may change, strictness about fields."""

    type: PatchType = "merge"
    subresource: str = ""
    dry_run: bool = False
    strict: bool = False
    manager: str = INTERNAL
    force: bool = False
    """With type "apply": take over fields that others own."""
    caller: Caller = CONTROL_PLANE

    def writing(self, *, via: str = "", applied: bool = False) -> WriteOptions:
        """Return what of it concerns the writing."""
        return WriteOptions(
            self.dry_run, self.manager, via, applied, self.caller, patch=True, force=self.force
        )


LIST, WATCH, WRITE, DELETE = ListOptions(), WatchOptions(), WriteOptions(), DeleteOptions()
"""What it means to ask for nothing in particular."""
