"""Volumes of a pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause

Volume = dict[str, Any]


def validate(volumes: Iterable[Volume], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the volumes."""
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", str(volume.get("name") or "")
        if name:
            for fault in names.dns_label(name):
                yield causes.invalid(f"{where}.name", name, fault)
        if name in seen:
            yield causes.duplicate(f"{where}.name", name)
        seen.add(name)
        sources = [field for field in volume if field != "name"]
        for field in sources[1:]:
            yield causes.forbidden(f"{where}.{field}", "may not specify more than 1 volume type")
        for field in sources[:1]:
            yield from _source(field, volume[field], f"{where}.{field}")


def _source(field: str, source: dict[str, Any], path: str) -> Iterator[Cause]:
    match field:
        case "hostPath":
            if ".." in str(source.get("path") or "").split("/"):
                yield causes.invalid(f"{path}.path", source["path"], "must not contain '..'")
        case "configMap":
            if not source.get("name"):
                yield causes.required(f"{path}.name")
            yield from _items(source, path)
        case "secret":
            if not source.get("secretName"):
                yield causes.required(f"{path}.secretName")
            yield from _items(source, path)
        case "downwardAPI":
            yield from _items(source, path)
        case "projected":
            for index, each in enumerate(source.get("sources") or ()):
                for name, inner in each.items():
                    yield from _projection(name, inner, f"{path}.sources[{index}].{name}")


def _projection(name: str, source: dict[str, Any], path: str) -> Iterator[Cause]:
    if name in ("configMap", "secret") and not source.get("name"):
        yield causes.required(f"{path}.name")
    yield from _items(source, path)


def _items(source: dict[str, Any], path: str) -> Iterator[Cause]:
    for index, item in enumerate(source.get("items") or ()):
        if value := item.get("path"):
            for fault in relative_path(value):
                yield causes.invalid(f"{path}.items[{index}].path", value, fault)


def relative_path(value: str) -> list[str]:
    """Return what makes the value no path below a volume."""
    faults = ["must be a relative path"] if value.startswith("/") else []
    return [*faults, "must not contain '..'"] if ".." in value.split("/") else faults
