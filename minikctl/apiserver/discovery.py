"""Which groups, versions and resources are served: as Kubernetes lists them, one by one or all at once."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from minikctl.apiserver import http_paths, reviews
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_PARTS: dict[str, tuple[tuple[str, str, str], list[str]]] = {
    "scale": (("autoscaling", "v1", "Scale"), ["get", "patch", "update"]),
    "binding": (("", "v1", "Binding"), ["create"]),
    "eviction": (("policy", "v1", "Eviction"), ["create"]),
    "token": (("authentication.k8s.io", "v1", "TokenRequest"), ["create"]),
    "exec": (("", "v1", "PodExecOptions"), ["create", "get"]),
    "attach": (("", "v1", "PodAttachOptions"), ["create", "get"]),
    "portforward": (("", "v1", "PodPortForwardOptions"), ["create", "get"]),
}
"""Subresources that are another kind than their object; each with its verbs."""


def _part(kind: Kind, subresource: str) -> tuple[tuple[str, str, str], list[str]]:
    own = (kind.group, kind.version, kind.kind)
    match subresource:
        case "log":
            return own, ["get"]
        case "finalize":
            return own, ["update"]
        case "proxy":
            options = (kind.group, kind.version, f"{kind.kind}ProxyOptions")
            return options, ["create", "delete", "get", "patch", "update"]
        case _:
            return _PARTS.get(subresource, (own, ["get", "patch", "update"]))


def groups(table: KindTable) -> dict[str, list[str]]:
    """Return the versions of each group, the preferred one first."""
    found = {group: list(versions) for group, versions in table.groups.items()}
    for review in reviews.ALL:
        versions = found.setdefault(review.group, [])
        if review.version not in versions:
            versions.append(review.version)
    return found


def short_names(kind: Kind) -> list[str]:
    """Return the short names to announce: none for views of another group: one meaning each."""
    return [] if kind.storage and kind.storage[0] != kind.group else list(kind.short_names)


def api_versions(table: KindTable, host: str) -> dict[str, Any]:
    """Return what /api answers."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": groups(table)[""], "serverAddressByClientCIDRs": addresses}


def api_group(served_groups: Mapping[str, Sequence[str]], group: str) -> dict[str, Any]:
    """Return what /apis/<group> answers."""
    served = served_groups[group]
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in served]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def api_group_list(served_groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what /apis answers."""
    listed = [api_group(served_groups, group) for group in served_groups if group]
    for each in listed:
        del each["kind"], each["apiVersion"]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def resource_list(table: KindTable, group: str, version: str) -> dict[str, Any]:
    """Return what /apis/<group>/<version> answers."""
    resources = [each for kind in table.of_version(group, version) for each in _resources(kind)]
    resources += [_review(review) for review in reviews.of_version(group, version)]
    return {
        "kind": "APIResourceList",
        **({"apiVersion": "v1"} if group else {}),
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def _resources(kind: Kind) -> Iterable[dict[str, Any]]:
    main: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if short_names(kind):
        main["shortNames"] = short_names(kind)
    if kind.categories:
        main["categories"] = list(kind.categories)
    yield main
    for subresource in sorted(http_paths.subresources(kind)):
        (group, version, name), verbs = _part(kind, subresource)
        part: dict[str, Any] = {"name": f"{kind.plural}/{subresource}", "singularName": ""}
        if (group, version) != (kind.group, kind.version):
            part.update(group=group, version=version)
        yield {**part, "namespaced": kind.namespaced, "kind": name, "verbs": verbs}


def _review(review: reviews.Review) -> dict[str, Any]:
    return {
        "name": review.plural,
        "singularName": review.kind.lower(),
        "namespaced": review.namespaced,
        "kind": review.kind,
        "verbs": ["create"],
    }


def _discovered_review(review: reviews.Review) -> dict[str, Any]:
    return {
        "resource": review.plural,
        "responseKind": _gvk(review.group, review.version, review.kind),
        "scope": "Namespaced" if review.namespaced else "Cluster",
        "singularResource": review.kind.lower(),
        "verbs": ["create"],
    }


@functools.lru_cache(maxsize=4)
def aggregated_document(table: KindTable, *, core: bool) -> tuple[str, bytes]:
    """Return the hash of ``aggregated`` as a document, and the document, compressed with gzip."""
    body = orjson.dumps(aggregated(table, core=core))
    return hashlib.sha512(body).hexdigest().upper(), gzip.compress(body, 6, mtime=0)


def aggregated(table: KindTable, core: bool) -> dict[str, Any]:
    """Return everything below /api (the core group) or /apis (all others) in one answer."""
    found = groups(table)
    wanted = [group for group in found if (group == "") == core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_discovered(table, group, found[group]) for group in wanted],
    }


def _discovered(table: KindTable, group: str, versions: Sequence[str]) -> dict[str, Any]:
    return {
        "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
        "versions": [
            {
                "version": version,
                "resources": [
                    *(_discovered_resource(kind) for kind in table.of_version(group, version)),
                    *(_discovered_review(review) for review in reviews.of_version(group, version)),
                ],
                "freshness": "Current",
            }
            for version in versions
        ],
    }


def _discovered_resource(kind: Kind) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": _gvk(kind.group, kind.version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if short_names(kind):
        found["shortNames"] = short_names(kind)
    if kind.categories:
        found["categories"] = list(kind.categories)
    parts = [(name, _part(kind, name)) for name in sorted(http_paths.subresources(kind))]
    if parts:
        found["subresources"] = [
            {"subresource": name, "responseKind": _gvk(*gvk), "verbs": verbs} for name, (gvk, verbs) in parts
        ]
    return found


def _gvk(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}
