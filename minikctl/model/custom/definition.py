"""From a CustomResourceDefinition to the kinds that are served: one for each served version."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import causes, decoding, objects, structure
from minikctl.model.custom import checking, columns, listing, paths, resources, rules, shaping
from minikctl.model.custom.structural import Structural
from minikctl.model.kind import VERBS, Cause, Kind, ScalePaths, Versions
from minikctl.model.objects import Object

_ENDING = tuple(verb for verb in VERBS if verb != "create")
"""What can be done with the objects of a definition that is being deleted."""

_META = {
    "$ref": "../../meta/v1/types.json#/$defs/ObjectMeta",
    "description": "Standard object's metadata. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
}
_HOME = "custom/v1/Kind.json"
"""Where the schema would be if it were a file: its references lead to the shared types."""

_CONVENTIONS = (
    "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this "
    "from the endpoint the client submits requests to. Cannot be updated. In CamelCase. "
    f"{_CONVENTIONS}types-kinds"
)
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert "
    "recognized schemas to the latest internal value, and may reject unrecognized values. "
    f"{_CONVENTIONS}resources"
)


def schema_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a version's openAPIV3Schema, empty if it has none."""
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def storage_version(crd: Mapping[str, Any]) -> str:
    """Return the name of the version in which objects are kept."""
    versions = objects.spec(crd).get("versions") or ()
    return str(next((each.get("name") for each in versions if each.get("storage")), ""))


class CustomShape:
    """How objects of one version of a custom kind look; fits ``model.kind.Shape``."""

    def __init__(self, version: Mapping[str, Any]) -> None:
        self._version = version
        self.schema = schema_of(version)
        loose = {} if self.schema else {"x-kubernetes-preserve-unknown-fields": True}
        self.tree = Structural(self.schema or loose, is_root=True)

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """The kind's schema as OpenAPI publishes it: with what every resource has."""
        given = self.schema.get("properties") or {}
        properties = {
            **given,
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            "metadata": _META,
        }
        return {"type": "object", **self.schema, "properties": dict(sorted(properties.items()))}

    @functools.cached_property
    def root(self) -> structure.Node:
        """The tree of the kind's schema."""
        return structure.Node(self.document, _HOME, "")

    @functools.cached_property
    def _meta(self) -> structure.Node:
        return self.root.properties["metadata"]

    @functools.cached_property
    def _rules(self) -> rules.Rules:
        return rules.Rules(self.tree)

    def undecodable(self, kind: Kind, obj: Object) -> str | None:
        """Return why the object's metadata cannot be decoded; the rest is judged by the schema."""
        return decoding.meta_errors(kind, self._meta, obj)

    def unknown_fields(self, obj: Object) -> list[str]:
        """Return the paths of what pruning removes."""
        return [path for _, _, path in shaping.unknown(self.tree, self._meta, obj)]

    def drop_unknown(self, obj: Object) -> None:
        """Prune, in place."""
        shaping.prune(self.tree, self._meta, obj)

    def apply_defaults(self, obj: Object) -> None:
        """Complete the object in place."""
        shaping.complete(self.tree, obj)

    def check(self, obj: Object, old: Object | None) -> list[Cause]:
        """Return what breaks the schema, the promises of its lists and its rules."""
        before = None if old is None else {**old, "metadata": {}}
        found = list(checking.check(self.tree, obj, old=before))
        found += resources.check(self.tree, self._meta, obj)
        found += listing.check(self.tree, obj, "")
        found += _scale(self._version, obj)
        if self.tree.has_rules:
            found += self._rules.check(obj, old, found)
        return found


def _scale(version: Mapping[str, Any], obj: Object) -> Iterator[Cause]:
    given = (version.get("subresources") or {}).get("scale") or {}
    for name in ("specReplicasPath", "statusReplicasPath"):
        path = str(given.get(name) or "")
        value = _at(obj, paths.fields(path)) if path else None
        if isinstance(value, int) and value < 0:
            yield causes.invalid(path, value, "should be a non-negative integer")
        elif isinstance(value, int) and value > 2**31 - 1:
            yield causes.invalid(path, value, f"should be less than or equal to {2**31 - 1}")


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def kinds(crd: Mapping[str, Any], versions: Versions | None) -> list[Kind]:
    """Return a kind for each served version of a definition; ``versions`` converts between them."""
    served = [version for version in objects.spec(crd)["versions"] if version.get("served")]
    return [_kind(crd, version, versions) for version in served]


def storage_kind(crd: Mapping[str, Any]) -> Kind:
    """Return the kind under which objects are kept, whether that version is served or not."""
    kept = storage_version(crd)
    version = next(each for each in objects.spec(crd)["versions"] if each.get("name") == kept)
    return _kind(crd, version, None)


def are_several(crd: Mapping[str, Any]) -> bool:
    """Tell whether objects can have another version than the one in which they are kept."""
    known = {version.get("name") for version in objects.spec(crd).get("versions") or ()}
    return len(known | set(objects.status(crd).get("storedVersions") or ())) > 1


def _kind(crd: Mapping[str, Any], version: Mapping[str, Any], versions: Versions | None) -> Kind:
    spec = objects.spec(crd)
    names = objects.status(crd).get("acceptedNames") or spec["names"]
    subresources = version.get("subresources") or {}
    name = f"{spec['group']}/{version['name']} {names['kind']}"
    warning = version.get("deprecationWarning") or f"{name} is deprecated"
    return Kind(
        spec["group"],
        version["name"],
        names["kind"],
        spec["names"]["plural"],
        namespaced=spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=frozenset(subresources),
        columns=columns.of(version),
        selectable=columns.selectable(version),
        has_generation=True,
        deprecation=warning if version.get("deprecated") else "",
        verbs=_ENDING if objects.is_deleting(crd) else VERBS,
        shape=CustomShape(version),
        versions=versions,
        scale=scale_paths(subresources.get("scale") or {}),
        singular_name=str(names.get("singular") or ""),
        list_name=str(names.get("listKind") or ""),
    )


def scale_paths(given: Mapping[str, Any]) -> ScalePaths:
    """Return where a kind keeps its replicas."""
    if not given:
        return ScalePaths()
    selector = given.get("labelSelectorPath")
    return ScalePaths(
        paths.fields(given["specReplicasPath"]),
        paths.fields(given["statusReplicasPath"]),
        paths.fields(selector) if selector else (),
    )
