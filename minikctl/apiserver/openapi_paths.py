"""The paths of OpenAPI documents: what may be asked of each kind, with which parameters.

kubectl looks here whether the server validates fields and which patches a kind takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.apiserver import http_bodies, http_paths, http_verbs
from minikctl.apiserver.openapi_types import Reference, Types
from minikctl.model.kinds.base import Kind

_INTEGERS = frozenset({"limit", "timeoutSeconds", "gracePeriodSeconds"})
_BOOLEANS = frozenset(
    {"watch", "allowWatchBookmarks", "sendInitialEvents", "force", "orphanDependents"}
    | {"ignoreStoreReadErrorWithClusterBreakingPotential"}
)
_LIST_QUERY = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation")
_DELETE_QUERY = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_QUERIES = {
    "get": (),
    "list": _LIST_QUERY,
    "post": _WRITE_QUERY,
    "put": _WRITE_QUERY,
    "patch": (*_WRITE_QUERY, "force"),
    "delete": _DELETE_QUERY,
    "deletecollection": (*_DELETE_QUERY, *_LIST_QUERY[1:-1]),
}
_WORDS = {
    "get": "read",
    "list": "list",
    "post": "create",
    "put": "replace",
    "patch": "patch",
    "delete": "delete",
    "deletecollection": "deleteCollection",
}
_VERBS = {"post": "create", "put": "update"}
_CODES = {"post": (200, 201, 202), "put": (200, 201), "patch": (200, 201), "delete": (200, 202)}
_MEANINGS = {200: "OK", 201: "Created", 202: "Accepted", 401: "Unauthorized"}
_MEDIA = ("application/json", "application/yaml")


def of(kind: Kind, types: Types) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the paths of a kind, and collect the types that they need."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    collection = (
        f"{base}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
    )
    writer = _Writer(kind, types)
    yield collection, writer.item({"get": "list", "post": "post", "delete": "deletecollection"})
    single = {method: method for method in ("get", "put", "patch", "delete")}
    if "get" in kind.verbs:
        yield f"{collection}/{{name}}", writer.item(single, "name")
    if kind.namespaced and "list" in kind.verbs:
        yield f"{base}/{kind.plural}", writer.everywhere()
    for part in sorted(http_paths.subresources(kind) & {"status"}):
        methods = {method: method for method in ("get", "put", "patch")}
        yield f"{collection}/{{name}}/{part}", writer.item(methods, "name", part)


class _Writer:
    """Writes the operations of one kind."""

    def __init__(self, kind: Kind, types: Types) -> None:
        self._kind = kind
        self._types = types
        self._own = types.kind(kind)
        self._list = types.list_of(kind) if "list" in kind.verbs else self._own

    def item(self, methods: dict[str, str], name: str = "", part: str = "") -> dict[str, Any]:
        """Return what one path answers."""
        found: dict[str, Any] = {
            method: self._operation(action, "Namespaced" if self._kind.namespaced else "", part)
            for method, action in methods.items()
            if part or _VERBS.get(action, action) in self._kind.verbs
        }
        in_path = (*(("namespace",) if self._kind.namespaced else ()), *((name,) if name else ()))
        found["parameters"] = [self._parameter(each, "path") for each in in_path]
        found["parameters"].append(self._parameter("pretty", "query"))
        return found

    def everywhere(self) -> dict[str, Any]:
        """Return what the path of all namespaces answers."""
        listed = self._operation("list", "", "ForAllNamespaces")
        return {"get": listed, "parameters": [self._parameter("pretty", "query")]}

    def _operation(self, action: str, scope: str, part: str) -> dict[str, Any]:
        kind = self._kind
        group = "".join(word.capitalize() for word in kind.group.removesuffix(".k8s.io").split("."))
        place = f"{group or 'Core'}{kind.version.capitalize()}{scope}{kind.kind}"
        found: dict[str, Any] = {
            "operationId": f"{_WORDS[action]}{place}{part[:1].upper()}{part[1:]}",
            "tags": [f"{(group or 'core')[:1].lower()}{(group or 'core')[1:]}_{kind.version}"],
            "parameters": [self._parameter(each, "query") for each in _QUERIES[action]],
            "responses": self._responses(action),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": kind.group,
                "version": kind.version,
                "kind": kind.kind,
            },
        }
        if self._types.version2:
            found["produces"] = list(_MEDIA)
            found["consumes"] = http_bodies.patches(self._kind) if action == "patch" else ["*/*"]
        self._body(action, found)
        return found

    def _body(self, action: str, operation: dict[str, Any]) -> None:
        """Say what is sent; for patches also which types of them are taken."""
        if action in ("get", "list"):
            return
        sent = {"post": self._own, "put": self._own, "patch": self._types.meta("Patch")}.get(action)
        schema = sent or self._types.meta("DeleteOptions")
        if self._types.version2:
            body = {"name": "body", "in": "body", "schema": schema}
            operation["parameters"].append({**body, "required": True} if sent else body)
            return
        media = tuple(http_bodies.patches(self._kind)) if action == "patch" else ("*/*",)
        content = {each: {"schema": schema} for each in media}
        operation["requestBody"] = {"content": content, **({"required": True} if sent else {})}

    def _responses(self, action: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for code in _CODES.get(action, (200,)):
            found[str(code)] = self._response(_MEANINGS[code], self._answer(action))
        found["401"] = {"description": _MEANINGS[401]}
        return found

    def _answer(self, action: str) -> Reference:
        if action == "list":
            return self._list
        returned = action != "deletecollection" and (
            action != "delete" or self._kind in http_verbs.RETURNED_WHEN_DELETED
        )
        return self._own if returned else self._types.meta("Status")

    def _response(self, meaning: str, schema: Reference) -> dict[str, Any]:
        if self._types.version2:
            return {"description": meaning, "schema": schema}
        return {"description": meaning, "content": {media: {"schema": schema} for media in _MEDIA}}

    def _parameter(self, name: str, place: str) -> dict[str, Any]:
        type_ = "integer" if name in _INTEGERS else "boolean" if name in _BOOLEANS else "string"
        found: dict[str, Any] = {"name": name, "in": place}
        if place == "path":
            found["required"] = True
        if self._types.version2:
            return {**found, "type": type_, "uniqueItems": True}
        return {**found, "schema": {"type": type_, "uniqueItems": True}}
