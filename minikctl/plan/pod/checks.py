"""Probes and lifecycle hooks, with names of ports resolved and defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minikctl.model.actions.node import (
    Check,
    ExecCheck,
    GrpcCheck,
    Hook,
    HttpCheck,
    NoCheck,
    ProbeKind,
    ProbeSpec,
    Sleep,
    TcpCheck,
)
from minikctl.model.objects import Object

KINDS: tuple[ProbeKind, ...] = ("startup", "liveness", "readiness")


def probe(container: Object, kind: ProbeKind, ip: str) -> ProbeSpec | None:
    """Return the container's probe of that kind, None if it has none; ``ip`` is where it is checked."""
    found = container.get(f"{kind}Probe")
    if not found:
        return None
    check = _check(container, found, ip)
    if check is None:
        return None

    def given(field: str, default: int) -> int:
        return int(found.get(field) or default)

    return ProbeSpec(
        kind=kind,
        check=check,
        initial_delay=given("initialDelaySeconds", 0),
        period=given("periodSeconds", 10),
        timeout=given("timeoutSeconds", 1),
        success_threshold=given("successThreshold", 1),
        failure_threshold=given("failureThreshold", 3),
    )


def hook(container: Object, name: str, ip: str) -> Hook | None:
    """Return the lifecycle hook, ``postStart`` or ``preStop``, None if it has none."""
    found = (container.get("lifecycle") or {}).get(name)
    if not found:
        return None
    if "sleep" in found:
        return Sleep(int(found["sleep"].get("seconds") or 0))
    check = _check(container, found, ip)
    return None if isinstance(check, GrpcCheck) else check


def _check(container: Object, handler: Mapping[str, Any], ip: str) -> Check | None:
    if "exec" in handler:
        return ExecCheck(tuple(str(word) for word in handler["exec"].get("command") or ()))
    if "httpGet" in handler:
        get = handler["httpGet"]
        headers = ((str(h.get("name")), str(h.get("value") or "")) for h in get.get("httpHeaders") or ())
        number = port(container, get.get("port"))
        if number is None:
            return _nameless(get)
        return HttpCheck(
            host=str(get.get("host") or ip),
            port=number,
            path=str(get.get("path") or "/"),
            scheme=str(get.get("scheme") or "HTTP").upper(),
            headers=tuple(headers),
        )
    if "tcpSocket" in handler:
        socket = handler["tcpSocket"]
        number = port(container, socket.get("port"))
        return _nameless(socket) if number is None else TcpCheck(str(socket.get("host") or ip), number)
    if "grpc" in handler:
        grpc = handler["grpc"]
        return GrpcCheck(ip, int(grpc.get("port") or 0), str(grpc.get("service") or ""))
    return None


def _nameless(handler: Mapping[str, Any]) -> NoCheck:
    """Return the check of a port that the container has no such name for, in a kubelet's words."""
    return NoCheck(f'strconv.Atoi: parsing "{handler.get("port")}": invalid syntax')


def port(container: Object, wanted: Any) -> int | None:
    """Return the number of a port given by number or by name, None if the container names none so."""
    if str(wanted).isdigit():
        return int(wanted)
    for entry in container.get("ports") or ():
        if entry.get("name") == wanted:
            return int(entry.get("containerPort") or 0)
    return None
