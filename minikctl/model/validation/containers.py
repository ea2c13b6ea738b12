"""Containers of a pod: names, images, ports, environment, mounts, probes, resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names, quantity
from minikctl.model.kind import Cause
from minikctl.model.validation import environment, probes, volumes

Container = dict[str, Any]

_INIT_ONLY = "may not be set for init containers without restartPolicy=Always"
_INIT_FORBIDDEN = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})


def validate(spec: dict[str, Any], path: str) -> list[Cause]:
    """Return what is wrong with the containers and init containers of a pod spec."""
    mountable = {volume.get("name") for volume in spec.get("volumes") or ()}
    found: list[Cause] = []
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            if (name := container.get("name")) in seen:
                found.append(causes.duplicate(f"{where}.name", name))
            seen.add(name or "")
            found += _container(container, where, mountable)
            if field == "initContainers":
                found += _init(container, where)
    return [*found, *_ports(spec, path)]


def _container(container: Container, path: str, mountable: set[Any]) -> Iterator[Cause]:
    if name := container.get("name"):
        for fault in names.dns_label(name):
            yield causes.invalid(f"{path}.name", name, fault)
    image = str(container.get("image") or "")
    if not image:
        yield causes.required(f"{path}.image")
    elif image != image.strip():
        yield causes.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from environment.validate(container, path)
    yield from _mounts(container.get("volumeMounts") or (), f"{path}.volumeMounts", mountable)
    yield from probes.validate(container, path)
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _init(container: Container, path: str) -> Iterator[Cause]:
    policy = container.get("restartPolicy")
    if policy is not None and policy != "Always":
        yield causes.unsupported(f"{path}.restartPolicy", policy, ["Always"])
    for field in _INIT_FORBIDDEN:
        if field in container and policy != "Always":
            yield causes.forbidden(f"{path}.{field}", _INIT_ONLY)


def _ports(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    taken: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            named: set[str] = set()
            for at, port in enumerate(container.get("ports") or ()):
                where = f"{path}.{field}[{index}].ports[{at}]"
                yield from _port_name(port, where, named)
                yield from _host_port(port, where, bool(spec.get("hostNetwork")), taken)


def _port_name(port: dict[str, Any], path: str, named: set[str]) -> Iterator[Cause]:
    if name := port.get("name"):
        for fault in names.port_name(name):
            yield causes.invalid(f"{path}.name", name, fault)
        if name in named:
            yield causes.duplicate(f"{path}.name", name)
        named.add(name)


def _host_port(port: dict[str, Any], path: str, host_network: bool, taken: set[str]) -> Iterator[Cause]:
    number = port.get("hostPort")
    if not number:
        return
    if host_network and number != port.get("containerPort"):
        detail = "must match `containerPort` when `hostNetwork` is true"
        yield causes.invalid(f"{path}.hostPort", number, detail)
    identity = f"{port.get('protocol')}/{port.get('hostIP', '')}/{number}"
    if identity in taken:
        yield causes.duplicate(f"{path}.hostPort", identity)
    taken.add(identity)


def _mounts(mounts: Iterable[dict[str, Any]], path: str, mountable: set[Any]) -> Iterator[Cause]:
    points: set[str] = set()
    for index, mount in enumerate(mounts):
        where, name, point = f"{path}[{index}]", mount.get("name"), str(mount.get("mountPath") or "")
        if name and name not in mountable:
            yield causes.not_found(f"{where}.name", name)
        if point in points:
            yield causes.invalid(f"{where}.mountPath", point, "must be unique")
        points.add(point)
        for field in ("subPath", "subPathExpr"):
            for fault in volumes.relative_path(mount.get(field) or ""):
                yield causes.invalid(f"{where}.{field}", mount[field], fault)
        if mount.get("subPath") and mount.get("subPathExpr"):
            detail = "subPathExpr and subPath are mutually exclusive"
            yield causes.invalid(f"{where}.subPathExpr", mount["subPathExpr"], detail)


def _resources(resources: dict[str, Any], path: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            where = f"{path}.{field}[{name}]"
            for fault in _resource_name(name):
                yield causes.invalid(where, name, fault)
            if quantity.compare(amount, 0) < 0:
                yield causes.invalid(where, amount, "must be greater than or equal to 0")
    for name, amount in requests.items():
        if name in limits and quantity.compare(amount, limits[name]) > 0:
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield causes.invalid(f"{path}.requests", amount, detail)


def _resource_name(name: str) -> list[str]:
    faults = names.qualified_name(name)
    if not faults and "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        return ["must be a standard resource for containers"]
    return faults
