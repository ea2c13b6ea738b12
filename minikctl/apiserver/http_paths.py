"""What a resource path names: ``/apis/apps/v1/namespaces/default/deployments/web/scale`` and its kin."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable

MORE_SUBRESOURCES = {
    "Pod": frozenset({"binding", "eviction", "proxy"}),
    "Service": frozenset({"proxy"}),
    "Node": frozenset({"proxy"}),
    "ServiceAccount": frozenset({"token"}),
}
"""Subresources that act on an object instead of showing a part of it."""

_PROXIED = re.compile(r"(/api/v1/(?:namespaces/[^/]+/(?:pods|services)|nodes)/[^/]+/proxy)(/.*|$)", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """A kind's collection, or with a name one object, or with a subresource one part of it.

    ``watched``: the path is one of the old ones that watch (``/api/v1/watch/pods``).
    """

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watched: bool = False


def subresources(kind: Kind) -> frozenset[str]:
    """Return the subresources that are served for a kind."""
    if kind.is_custom:
        return kind.subresources
    return kind.subresources | MORE_SUBRESOURCES.get(kind.kind, frozenset())


def proxied_tail(path: str) -> tuple[str, str]:
    """Return the path of a ``proxy`` subresource and what follows it; ("", "") for other paths."""
    found = _PROXIED.match(path)
    return (found[1], found[2]) if found else ("", "")


def parse(path: str, served: KindTable) -> Target | None:
    """Return what the path names, None if that is nothing that is served."""
    parts = (proxied_tail(path)[0] or path).strip("/").split("/")
    if parts[0] == "api":
        group, rest = "", parts[1:]
    elif parts[0] == "apis" and len(parts) > 1:
        group, rest = parts[1], parts[2:]
    else:
        return None
    if len(rest) < 2 or not all(rest):
        return None
    version, resource = rest[0], rest[1:]
    if resource[0] == "watch":
        found = _find(served, group, version, resource[1:]) if len(resource) > 1 else None
        is_watched = found is not None and not found.subresource and "watch" in found.kind.verbs
        return dataclasses.replace(found, watched=True) if found is not None and is_watched else None
    return _find(served, group, version, resource)


def _find(served: KindTable, group: str, version: str, resource: list[str]) -> Target | None:
    if resource[0] == "namespaces" and len(resource) > 2 and resource[2] not in ("status", "finalize"):
        return _target(served.find(group, version, resource[2]), resource[1], resource[3:])
    return _target(served.find(group, version, resource[0]), "", resource[1:])


def _target(kind: Kind | None, namespace: str, rest: list[str]) -> Target | None:
    if kind is None or len(rest) > 2 or (namespace and not kind.namespaced):
        return None
    if rest and kind.namespaced and not namespace:
        return None
    subresource = rest[1] if len(rest) == 2 else ""
    if subresource and subresource not in subresources(kind):
        return None
    return Target(kind, namespace, rest[0] if rest else "", subresource)
