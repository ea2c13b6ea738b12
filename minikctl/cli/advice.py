"""What to change in a document that the server refuses, where the refusal itself does not say it.

Loaded after a refusal only: it looks into the schemas of the kinds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import kinds, schema
from minikctl.model.structure import Node

_UNKNOWN = re.compile(r'unknown field "([^"]+)"')
_NAMESPACE = re.compile(r'^namespaces "([^"]+)" not found')
_WRONG_TYPE = re.compile(r"cannot unmarshal (number|bool|string) into Go struct field (\S+) of type (\S+)")
_INDEX = re.compile(r"\[\d+\]")
_NUMBERS = ("int", "uint", "float")
_LIKENESS = 0.7
_REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")
"""Groups of requests: nothing of theirs is stored, so their kinds are not among ``kinds.ALL``."""
_UNLIKE = "`selector` does not match template `labels`"


def of(text: str, found: dict[str, Any]) -> Iterator[str]:
    """Yield hints on a refusal of that text of that document."""
    if match := _NAMESPACE.search(text):
        yield f"`minikctl create namespace {match[1]}` makes it"
    for path in _UNKNOWN.findall(text):
        yield from _unknown(path, found)
    if match := _WRONG_TYPE.search(text):
        yield from _wrong_type(*match.groups())
    if "no matches for kind" in text:
        yield from _served_as(str(found.get("kind")), str(found.get("apiVersion")))
    if "resource name may not be empty" in text and "name" in found:
        yield 'name: "name" is a field of metadata: is it indented as it should be?'
    if _UNLIKE in text:
        yield from _labels(found.get("spec") or {})


def _unknown(path: str, found: dict[str, Any]) -> Iterator[str]:
    """Yield the field that is meant: one of nearly that name, or one of that name a level deeper."""
    kind = kinds.by_gvk(*_group_version(str(found.get("apiVersion"))), str(found.get("kind")))
    if kind is None:
        return
    *parents, name = _INDEX.sub(".", path).replace("..", ".").split(".")
    node: Node | None = schema.root(kind)
    for step in parents:
        node = (node.child(step) if step in node.properties else None) if node else None
        node = (node.items or node) if node else None
    if node is None:
        return
    near = difflib.get_close_matches(name, node.properties, 1, _LIKENESS)
    if near:
        yield f'{path}: did you mean "{near[0]}"?'
        return
    deeper = [step for step, below in node.properties.items() if name in (below.items or below).properties]
    if deeper:
        yield f'{path}: "{name}" is a field of {deeper[0]}: is it indented as it should be?'


def _group_version(text: str) -> tuple[str, str]:
    group, _, version = text.rpartition("/")
    return group, version


def _wrong_type(given: str, field: str, wanted: str) -> Iterator[str]:
    if wanted == "string":
        shown = "true" if given == "bool" else "8080"
        yield f'{field} is text: what looks like a {given} is put in quotes, as in "{shown}"'
    elif given == "string" and wanted.startswith(_NUMBERS):
        yield f"{field} is a number: it is written without quotes"


def _served_as(kind: str, given: str) -> Iterator[str]:
    group = _group_version(given)[0]
    if group in _REVIEWS:
        if given != f"{group}/v1":
            yield f"{kind} is of another version: write `apiVersion: {group}/v1`"
        return
    if "." in group and group not in {one.group for one in kinds.ALL}:
        words = (
            "is no API of Kubernetes itself: what brings it (CustomResourceDefinitions) is installed first"
        )
        yield f"{group} {words}"
        return
    alike = [one for one in kinds.ALL if one.kind.lower() == kind.lower()]
    versions = [one.api_version for one in alike if one.kind == kind and one.api_version != given]
    if versions:
        yield f"{kind} is of another version: write `apiVersion: {' or '.join(versions)}`"
    elif alike:
        yield f"write `kind: {alike[0].kind}`"
    else:
        near = difflib.get_close_matches(kind, [one.kind for one in kinds.ALL], 1, _LIKENESS)
        yield from (f"did you mean `kind: {each}`?" for each in near)


def _labels(spec: dict[str, Any]) -> Iterator[str]:
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for key, value in wanted.items():
        if labels.get(key) != value:
            has = f"{key}: {labels[key]}" if key in labels else f"no {key}"
            yield f"spec.selector.matchLabels has {key}: {value}, spec.template.metadata.labels has {has}"
