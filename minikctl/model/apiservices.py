"""APIServices: which there are for what is served here, and what the discovery of others means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
"""The label of those that follow what is served; its value says since when."""
NOT_REGISTERED = frozenset(("apiregistration.k8s.io", "metrics.k8s.io"))
"""Groups without an APIService of ours: the first as in Kubernetes, the second for who brings their own."""

_GROUPS = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "extensions": 17150,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}
_CUSTOM = (1000, 100)


def name_of(group: str, version: str) -> str:
    """Return the name of the APIService of a group and version."""
    return f"{version}.{group}"


def local(group: str, version: str, *, custom: bool) -> Object:
    """Return the APIService of what is served here, without a status."""
    first, second = _CUSTOM
    if not custom:
        first, second = (
            _GROUPS.get(group, 1000),
            _VERSIONS.get((group, version), 15 if version == "v1" else 12),
        )
    spec: dict[str, Any] = {"version": version, "groupPriorityMinimum": first, "versionPriority": second}
    if group:
        spec["group"] = group
    meta = {"name": name_of(group, version), "labels": {MANAGED: "true" if custom else "onstart"}}
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": spec}


def is_managed(service: Mapping[str, Any]) -> bool:
    """Tell whether an APIService follows what is served, and goes when that does."""
    return MANAGED in objects.labels(service)


def condition(status: str, reason: str, message: str) -> dict[str, str]:
    """Return a condition Available, without its time."""
    return {"type": "Available", "status": status, "reason": reason, "message": message}


LOCAL = condition("True", "Local", "Local APIServices are always available")
PASSED = condition("True", "Passed", "all checks passed")


def found_wanting(service: Object, slices: Iterable[Object], name: str, port: int) -> dict[str, str] | None:
    """Return the condition of an APIService whose Service cannot answer, None if it could."""
    spec, space = objects.spec(service), objects.namespace(service)
    if spec.get("type") != "ClusterIP":
        return None
    wanted = next((each for each in spec.get("ports") or () if each.get("port") == port), None)
    if wanted is None:
        text = f'service/{name} in "{space}" is not listening on port {port}'
        return condition("False", "ServicePortError", text)
    listed = list(slices)
    if not listed:
        text = f'cannot find endpointslices for service/{name} in "{space}"'
        return condition("False", "EndpointsNotFound", text)
    label = str(wanted.get("name") or "")
    if not any(_answers(each, label) for each in listed):
        text = f'endpointslices for service/{name} in "{space}" have no addresses with port name "{label}"'
        return condition("False", "MissingEndpoints", text)
    return None


def _answers(endpoints: Object, port: str) -> bool:
    return any(
        (each.get("conditions") or {}).get("ready") is not False for each in endpoints.get("endpoints") or ()
    ) and any(
        str(each.get("name") or "") == port and each.get("port") for each in endpoints.get("ports") or ()
    )


def discovered(group: str, version: str, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources of an APIResourceList as aggregated discovery lists them."""
    listed: dict[str, dict[str, Any]] = {}
    parts: list[tuple[str, str, Mapping[str, Any]]] = []
    for each in found.get("resources") or ():
        name, _, part = str(each.get("name")).partition("/")
        if part:
            parts.append((name, part, each))
            continue
        listed[name] = {
            "resource": name,
            "responseKind": _kind(each, group, version),
            "scope": "Namespaced" if each.get("namespaced") else "Cluster",
            "singularResource": each.get("singularName") or "",
            "verbs": list(each.get("verbs") or ()),
            **{field: list(each[field]) for field in ("shortNames", "categories") if each.get(field)},
        }
    for name, part, each in parts:
        if name in listed:
            kind, verbs = _kind(each, group, version), list(each.get("verbs") or ())
            entry = {"subresource": part, "responseKind": kind, "verbs": verbs}
            listed[name].setdefault("subresources", []).append(entry)
    return list(listed.values())


def _kind(resource: Mapping[str, Any], group: str, version: str) -> dict[str, str]:
    return {
        "group": str(resource.get("group") or group),
        "version": str(resource.get("version") or version),
        "kind": str(resource.get("kind") or ""),
    }


def openapi_below(prefix: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an OpenAPI 2 document says about the paths below a prefix, with what these refer to."""
    paths = {
        path: item
        for path, item in (document.get("paths") or {}).items()
        if path == prefix or path.startswith(f"{prefix}/")
    }
    definitions = dict(document.get("definitions") or {})
    return {"paths": paths, "definitions": {name: definitions[name] for name in _reached(paths, definitions)}}


def merged_openapi(base: dict[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an OpenAPI 2 document with what others, cut by ``openapi_below``, say.

    One of their definitions that another has otherwise is renamed.
    """
    paths, definitions = dict(base["paths"]), dict(base["definitions"])
    for other in others:
        theirs = other["definitions"]
        names: dict[str, str] = {}
        for name in theirs:
            names[name] = name
            while names[name] in definitions and definitions[names[name]] != theirs[name]:
                names[name] += "_v2"
        definitions.update({new: _renamed(theirs[name], names) for name, new in names.items()})
        new_paths = {path: item for path, item in other["paths"].items() if path not in paths}
        paths.update({path: _renamed(item, names) for path, item in new_paths.items()})
    return {**base, "paths": paths, "definitions": definitions}


_DEFINITION = "#/definitions/"


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str) and inner.startswith(_DEFINITION):
                yield inner.removeprefix(_DEFINITION)
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _reached(paths: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = None
            waiting += _references(definitions[name])
    return sorted(found)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _DEFINITION + names.get(inner.removeprefix(_DEFINITION), inner.removeprefix(_DEFINITION))
            if key == "$ref" and isinstance(inner, str) and inner.startswith(_DEFINITION)
            else _renamed(inner, names)
            for key, inner in value.items()
        }
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value
