"""Containers of a pod: names, images, ports, environment, mounts, probes, resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.validation import environment, mounts, probes, resources, security

Container = dict[str, Any]

_INIT_ONLY = "may not be set for init containers without restartPolicy=Always"
_INIT_FORBIDDEN = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_EPHEMERAL_FIELDS = frozenset(
    {
        "name",
        "image",
        "command",
        "args",
        "workingDir",
        "env",
        "envFrom",
        "volumeMounts",
        "volumeDevices",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "imagePullPolicy",
        "securityContext",
        "stdin",
        "stdinOnce",
        "tty",
        "targetContainerName",
    }
)


def validate(spec: dict[str, Any], path: str) -> list[Cause]:
    """Return what is wrong with the containers and init containers of a pod spec."""
    mountable = {str(volume.get("name")): volume for volume in spec.get("volumes") or ()}
    claims = {str(claim.get("name")) for claim in spec.get("resourceClaims") or ()}
    found: list[Cause] = []
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            if (name := container.get("name")) in seen:
                found.append(causes.duplicate(f"{where}.name", name))
            seen.add(name or "")
            found += _container(container, where, mountable)
            found += resources.validate(container.get("resources") or {}, f"{where}.resources", claims)
            found += probes.validate(container, where, spec.get("terminationGracePeriodSeconds"))
            if field == "initContainers":
                found += _init(container, where)
    return [*found, *_ephemeral(spec, path, mountable), *_ports(spec, path)]


def _container(container: Container, path: str, mountable: mounts.Volumes) -> Iterator[Cause]:
    if name := container.get("name"):
        for fault in names.dns_label(name):
            yield causes.invalid(f"{path}.name", name, fault)
    image = str(container.get("image") or "")
    if not image:
        yield causes.required(f"{path}.image")
    elif image != image.strip():
        yield causes.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from environment.validate(container, path)
    yield from mounts.validate(container, path, mountable)
    yield from security.container(container, path)
    yield from _resizing(container.get("resizePolicy") or (), f"{path}.resizePolicy")


def _resizing(policies: Iterable[dict[str, Any]], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, each in enumerate(policies):
        resource, policy = each.get("resourceName") or "", each.get("restartPolicy") or ""
        if resource in seen:
            yield causes.duplicate(f"{path}[{index}]", resource)
        seen.add(resource)
        for value, known in ((resource, ("cpu", "memory")), (policy, ("NotRequired", "RestartContainer"))):
            if not value:
                yield causes.required(path)
            elif value not in known:
                yield causes.unsupported(path, value, known)


def _ephemeral(spec: dict[str, Any], path: str, mountable: mounts.Volumes) -> Iterator[Cause]:
    """Yield what is wrong with containers that were added to a running pod."""
    others = {
        each.get("name") or "" for field in ("containers", "initContainers") for each in spec.get(field) or ()
    }
    seen = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        where = f"{path}.ephemeralContainers[{index}]"
        yield from _container(container, where, mountable)
        name = container.get("name") or ""
        if name in seen:
            yield causes.duplicate(f"{where}.name", name)
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            yield causes.not_found(f"{where}.targetContainerName", target)
        for field in container:
            if field not in _EPHEMERAL_FIELDS and container[field]:
                detail = "cannot be set for an Ephemeral Container"
                yield causes.forbidden(f"{where}.{field}", detail)
        for at, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    detail = "cannot be set for an Ephemeral Container"
                    yield causes.forbidden(f"{where}.volumeMounts[{at}].{field}", detail)


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
