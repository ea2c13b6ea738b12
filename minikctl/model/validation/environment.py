"""Environment variables of a container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.validation import paths

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_MUST_SOURCE = f"must specify one of: {', '.join(f'`{each}`' for each in _SOURCES[:-1])} or `{_SOURCES[-1]}`"
_ONE = "may not have more than one field specified at a time"
FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    }
)
"""What a fieldRef in the environment may name, besides one label or annotation."""
_ONE_OF_MAP = re.compile(r"metadata\.(labels|annotations)\['[^']+'\]")
_RESOURCES = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")
_RESOURCE_NAMES = [
    f"{field}.{name}" for field in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
]


def validate(container: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with env and envFrom."""
    for index, variable in enumerate(container.get("env") or ()):
        yield from _variable(variable, f"{path}.env[{index}]")
    for index, source in enumerate(container.get("envFrom") or ()):
        yield from _from(source, f"{path}.envFrom[{index}]")


def _variable(variable: dict[str, Any], path: str) -> Iterator[Cause]:
    if name := variable.get("name"):
        for fault in names.environment_name(name):
            yield causes.invalid(f"{path}.name", name, fault)
    source = variable.get("valueFrom")
    if source is None:
        return
    found = [field for field in _SOURCES if field in source]
    if not found:
        yield causes.invalid(f"{path}.valueFrom", "", _MUST_SOURCE)
    elif variable.get("value"):
        yield causes.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif len(found) > 1:
        yield causes.invalid(f"{path}.valueFrom", "", _ONE)
    for field in found:
        yield from _reference(field, source[field], f"{path}.valueFrom.{field}")


def _reference(field: str, reference: dict[str, Any], path: str) -> Iterator[Cause]:
    if field == "fieldRef":
        yield from field_reference(reference, path, FIELDS)
    elif field == "resourceFieldRef":
        yield from resource_reference(reference, path)
    elif field == "fileKeyRef":
        yield from _file(reference, path)
    elif not reference.get("name"):
        yield causes.required(f"{path}.name")


def _file(reference: dict[str, Any], path: str) -> Iterator[Cause]:
    for field in ("key", "volumeName", "path"):
        if not reference.get(field):
            yield causes.required(f"{path}.{field}")
    yield from paths.not_reserved(str(reference.get("path") or ""), f"{path}.path")


def field_reference(reference: dict[str, Any], path: str, known: frozenset[str]) -> Iterator[Cause]:
    """Yield what is wrong with a reference to a field of the pod."""
    wanted = str(reference.get("fieldPath") or "")
    if wanted and wanted not in known and not _ONE_OF_MAP.fullmatch(wanted):
        yield causes.unsupported(f"{path}.fieldPath", wanted, known)


def resource_reference(reference: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with a reference to an amount of a container's resources."""
    wanted = str(reference.get("resource") or "")
    if wanted and not _RESOURCES.fullmatch(wanted):
        yield causes.unsupported(f"{path}.resource", wanted, _RESOURCE_NAMES)


def _from(source: dict[str, Any], path: str) -> Iterator[Cause]:
    found = [field for field in ("configMapRef", "secretRef") if field in source]
    if prefix := source.get("prefix"):
        for fault in names.environment_name(prefix):
            yield causes.invalid(f"{path}.prefix", prefix, fault)
    if not found:
        yield causes.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(found) > 1:
        yield causes.invalid(path, "", _ONE)
    for field in found:
        if not source[field].get("name"):
            yield causes.required(f"{path}.{field}.name")
