"""Probes and lifecycle hooks of a container."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause
from minikctl.model.validation import ports

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def validate(container: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the container's probes and hooks."""
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(field)
        if probe is None:
            continue
        yield from _handler(probe, f"{path}.{field}", _PROBE_HANDLERS)
        if field != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield causes.invalid(f"{path}.{field}.successThreshold", probe["successThreshold"], "must be 1")
        if field == "readinessProbe" and "terminationGracePeriodSeconds" in probe:
            value = probe["terminationGracePeriodSeconds"]
            where = f"{path}.{field}.terminationGracePeriodSeconds"
            yield causes.invalid(where, value, "must not be set for readinessProbes")
    for field, hook in (container.get("lifecycle") or {}).items():
        if field in ("postStart", "preStop"):
            yield from _handler(hook, f"{path}.lifecycle.{field}", _HOOK_HANDLERS)


def _handler(holder: dict[str, Any], path: str, handlers: Sequence[str]) -> Iterator[Cause]:
    found = [name for name in handlers if name in holder]
    if not found:
        yield causes.required(path, "must specify a handler type")
    for name in found[1:]:
        yield causes.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    for name in found[:1]:
        handler, where = holder[name], f"{path}.{name}"
        if name == "exec" and not handler.get("command"):
            yield causes.required(f"{where}.command")
        if name in ("httpGet", "tcpSocket") and "port" in handler:
            yield from ports.reference(f"{where}.port", handler["port"])
