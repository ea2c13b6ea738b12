"""Probes and lifecycle hooks of a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause
from minikctl.model.validation import ports

_HEADER = "[-A-Za-z0-9]+"
_HEADER_RULE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used "
    f"for validation is '{_HEADER}')"
)
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def validate(container: dict[str, Any], path: str, grace: int | None = None) -> Iterator[Cause]:
    """Yield what is wrong with the container's probes and hooks; ``grace`` is the pod's, in seconds."""
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
            yield from _sleep(hook, f"{path}.lifecycle.{field}", grace)


def _sleep(hook: dict[str, Any], path: str, grace: int | None) -> Iterator[Cause]:
    seconds = (hook.get("sleep") or {}).get("seconds")
    if seconds is not None and grace is not None and seconds > grace:
        detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        yield causes.invalid(f"{path}.sleep", seconds, detail)


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
        for header in handler.get("httpHeaders") or ():
            if not re.fullmatch(_HEADER, header.get("name", ""), re.ASCII):
                yield causes.invalid(f"{where}.httpHeaders", header.get("name", ""), _HEADER_RULE)
