"""Admission of connections: exec, attach, port-forward and proxy are asked about before they are made."""

from __future__ import annotations

from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target, proxied_tail
from minikctl.apiserver.options import WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.model.objects import Object

_KINDS = {
    ("Pod", "attach"): "PodAttachOptions",
    ("Pod", "exec"): "PodExecOptions",
    ("Pod", "portforward"): "PodPortForwardOptions",
    ("Pod", "proxy"): "PodProxyOptions",
    ("Service", "proxy"): "ServiceProxyOptions",
    ("Node", "proxy"): "NodeProxyOptions",
}


async def admit(registry: Registry, exchange: Exchange, target: Target) -> None:
    """Raise the refusal of a connection; nothing but its options can be judged."""
    kind = _KINDS.get((target.kind.kind, target.subresource))
    if kind is not None:
        found = {"kind": kind, "apiVersion": "v1", **_options(exchange, target)}
        key = (target.namespace, target.name)
        write = WriteOptions(caller=exchange.caller)
        await registry.admission.admit_part(target.kind, key, target.subresource, found, write)


def _options(exchange: Exchange, target: Target) -> Object:
    match target.subresource:
        case "proxy":
            path = proxied_tail(exchange.raw_path)[1]
            return {"path": path} if path else {}
        case "portforward":
            ports = [int(each) for each in exchange.queries.get("ports", []) if each.isdigit()]
            return {"ports": ports} if ports else {}
    found: Object = {name: True for name in ("stdin", "stdout", "stderr", "tty") if exchange.flag(name)}
    if exchange.query.get("container"):
        found["container"] = exchange.query["container"]
    if exchange.queries.get("command"):
        found["command"] = exchange.queries["command"]
    return found
