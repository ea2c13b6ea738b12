"""Containers in descriptions: of pods with their states, of pod templates without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minikctl.cli.output.describing.common import moment
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import quantity

Object = dict[str, Any]


def group(
    sheet: Sheet,
    title: str,
    containers: Sequence[Object],
    statuses: Sequence[Object] | None,
    pod: Object,
    margin: str,
) -> None:
    """Write a group of containers; without ``statuses`` they are of a template."""
    known = {status["name"]: status for status in statuses or ()}
    sheet.row(0, f"{margin}{title}:" if containers else f"{margin}{title}:  <none>")
    # A template's containers stand one space further in, a pod's two.
    name_margin = f"{margin}  " if statuses is not None else f"{margin} "
    for container in containers:
        sheet.row(0, f"{name_margin}{container['name']}:")
        status = known.get(container["name"])
        _basics(sheet, container, status)
        _command(sheet, container)
        if status is not None:
            _state(sheet, status)
        _resources(sheet, container)
        _probes(sheet, container)
        _environment(sheet, container, pod)
        _mounts(sheet, container)


def _basics(sheet: Sheet, container: Object, status: Object | None) -> None:
    if status is not None:
        sheet.row(2, "Container ID:", status.get("containerID", ""))
    sheet.row(2, "Image:", container.get("image", ""))
    if status is not None:
        sheet.row(2, "Image ID:", status.get("imageID", ""))
    ports = container.get("ports") or ()
    names = [f" ({port['name']})" if port.get("name") else "" for port in ports]
    inside = [
        f"{p['containerPort']}/{p.get('protocol', 'TCP')}{n}" for p, n in zip(ports, names, strict=True)
    ]
    outside = [
        f"{p.get('hostPort', 0)}/{p.get('protocol', 'TCP')}{n}" for p, n in zip(ports, names, strict=True)
    ]
    plural = "s" if len(ports) > 1 else ""
    sheet.row(2, f"Port{plural}:", ", ".join(inside) or "<none>")
    sheet.row(2, f"Host Port{plural}:", ", ".join(outside) or "<none>")
    profile = (container.get("securityContext") or {}).get("seccompProfile")
    if profile:
        sheet.row(2, "SeccompProfile:", profile.get("type", ""))
        if profile.get("type") == "Localhost":
            sheet.row(3, "LocalhostProfile:", profile.get("localhostProfile", ""))


def _command(sheet: Sheet, container: Object) -> None:
    for title, words in (("Command", container.get("command")), ("Args", container.get("args"))):
        if words:
            sheet.row(2, f"{title}:")
            for word in words:
                for line in word.split("\n"):
                    sheet.row(3, line)


def _state(sheet: Sheet, status: Object) -> None:
    _one_state(sheet, "State", status.get("state") or {})
    if status.get("lastState"):
        _one_state(sheet, "Last State", status["lastState"])
    sheet.row(2, "Ready:", str(bool(status.get("ready"))))
    sheet.row(2, "Restart Count:", status.get("restartCount", 0))


def _one_state(sheet: Sheet, title: str, state: Mapping[str, Any]) -> None:
    if "running" in state:
        sheet.row(2, f"{title}:", "Running")
        sheet.row(3, "Started:", moment(state["running"].get("startedAt")))
    elif "terminated" in state:
        ended = state["terminated"]
        sheet.row(2, f"{title}:", "Terminated")
        for key, name in (("reason", "Reason"), ("message", "Message")):
            if ended.get(key):
                sheet.row(3, f"{name}:", ended[key])
        sheet.row(3, "Exit Code:", ended.get("exitCode", 0))
        if ended.get("signal"):
            sheet.row(3, "Signal:", ended["signal"])
        sheet.row(3, "Started:", moment(ended.get("startedAt")))
        sheet.row(3, "Finished:", moment(ended.get("finishedAt")))
    else:
        sheet.row(2, f"{title}:", "Waiting")
        waiting = state.get("waiting") or {}
        for key, name in (("reason", "Reason"), ("message", "Message")):
            if waiting.get(key):
                sheet.row(3, f"{name}:", waiting[key])


def _resources(sheet: Sheet, container: Object) -> None:
    found = container.get("resources") or {}
    for title, values in (("Limits", found.get("limits")), ("Requests", found.get("requests"))):
        if values:
            sheet.row(2, f"{title}:")
            for name, value in sorted(values.items()):
                sheet.row(3, f"{name}:", value)


def _probes(sheet: Sheet, container: Object) -> None:
    for key, title in (
        ("livenessProbe", "Liveness"),
        ("readinessProbe", "Readiness"),
        ("startupProbe", "Startup"),
    ):
        if container.get(key):
            sheet.row(2, f"{title}:", probe(container[key]))


def probe(found: Object) -> str:
    """Return a probe in one line."""
    attributes = (
        f"delay={found.get('initialDelaySeconds', 0)}s timeout={found.get('timeoutSeconds', 0)}s "
        f"period={found.get('periodSeconds', 0)}s successThreshold={found.get('successThreshold', 0)} "
        f"failureThreshold={found.get('failureThreshold', 0)}"
    )
    return f"{_action(found)} {attributes}"


def _action(found: Object) -> str:
    if "exec" in found:
        return f"exec [{' '.join(found['exec'].get('command') or ())}]"
    if "httpGet" in found:
        get = found["httpGet"]
        scheme = str(get.get("scheme") or "").lower()
        port = get.get("port")
        place = f"{get.get('host', '')}:{port}" if port not in (None, "") else get.get("host", "")
        return f"http-get {scheme}://{place}{get.get('path', '')}"
    if "tcpSocket" in found:
        socket = found["tcpSocket"]
        return f"tcp-socket {socket.get('host', '')}:{socket.get('port')}"
    if "grpc" in found:
        return f"grpc <pod>:{found['grpc']['port']} {found['grpc'].get('service') or ''}"
    return "unknown"


def _environment(sheet: Sheet, container: Object, pod: Object) -> None:
    if container.get("envFrom"):
        sheet.row(2, "Environment Variables from:")
        for source in container["envFrom"]:
            _source(sheet, source)
    variables = container.get("env") or ()
    if not variables:
        sheet.row(2, "Environment:", "<none>")
        return
    sheet.row(2, "Environment:")
    for variable in variables:
        if "valueFrom" not in variable:
            for number, line in enumerate(str(variable.get("value") or "").split("\n")):
                sheet.row(3, f"{variable['name']}:" if number == 0 else "", line)
            continue
        sheet.row(3, f"{variable['name']}:", *_value(variable["valueFrom"], container, pod))


def _source(sheet: Sheet, source: Object) -> None:
    kind, reference = ("ConfigMap", source.get("configMapRef")) if "configMapRef" in source else (
        "Secret",
        source.get("secretRef"),
    )  # fmt: skip
    reference = reference or {}
    prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
    optional = str(bool(reference.get("optional"))).lower()
    sheet.row(3, reference.get("name", ""), f"{kind}{prefix}", f"Optional: {optional}")


def _value(source: Object, container: Object, pod: Object) -> tuple[str, ...]:
    if "fieldRef" in source:
        field = source["fieldRef"]
        value = field_at(field.get("fieldPath", ""), pod)
        return (f"{value} ({field.get('apiVersion', 'v1')}:{field.get('fieldPath', '')})",)
    if "resourceFieldRef" in source:
        name = source["resourceFieldRef"].get("resource", "")
        return (f"{resource_of(name, container)} ({name})",)
    for key, kind in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if key in source:
            found = source[key]
            optional = str(bool(found.get("optional"))).lower()
            text = f"<set to the key '{found.get('key')}'"
            text += (
                f" in secret '{found.get('name')}'>"
                if kind == "secret"
                else f" of config map '{found.get('name')}'>"
            )
            return text, f"Optional: {optional}"
    return ("",)


def field_at(path: str, pod: Object) -> str:
    """Return what a fieldRef reads of a pod; "" what is not there yet."""
    whole, bracket, key = path.partition("[")
    if bracket:
        step = whole.removeprefix("metadata.")
        return str(((pod.get("metadata") or {}).get(step) or {}).get(key.strip("']\""), ""))
    found: Any = pod
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return str(found) if isinstance(found, str | int) else ""


def resource_of(name: str, container: Object) -> str:
    """Return what a resourceFieldRef reads of a container."""
    kind, _, resource = name.partition(".")
    value = ((container.get("resources") or {}).get(kind) or {}).get(resource)
    if value is None:
        return "node allocatable" if kind == "limits" else "0"
    return str(quantity.whole(value))


def _mounts(sheet: Sheet, container: Object) -> None:
    mounts = sorted(container.get("volumeMounts") or (), key=lambda mount: str(mount["mountPath"]))
    if not mounts:
        sheet.row(2, "Mounts:", "<none>")
        return
    sheet.row(2, "Mounts:")
    for mount in mounts:
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        sheet.row(3, f"{mount['mountPath']} from {mount['name']} ({','.join(flags)})")
