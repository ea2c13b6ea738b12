"""Conversion between served versions."""

from __future__ import annotations

from typing import Any

from minikctl.model.objects import Object


def ingress_to_v1(obj: Object) -> Object:
    """Return a v1beta1 Ingress (of either group) as networking.k8s.io/v1."""
    spec = dict(obj.get("spec") or {})
    if "backend" in spec:
        spec["defaultBackend"] = _backend_to_v1(spec.pop("backend"))
    if "rules" in spec:
        spec["rules"] = [_rule(rule, _path_to_v1) for rule in spec["rules"]]
    return {**obj, "apiVersion": "networking.k8s.io/v1", "spec": spec}


def ingress_to_v1beta1(api_version: str, obj: Object) -> Object:
    """Return a networking.k8s.io/v1 Ingress in that v1beta1 version."""
    spec = dict(obj.get("spec") or {})
    if "defaultBackend" in spec:
        spec["backend"] = _backend_to_v1beta1(spec.pop("defaultBackend"))
    if "rules" in spec:
        spec["rules"] = [_rule(rule, _path_to_v1beta1) for rule in spec["rules"]]
    return {**obj, "apiVersion": api_version, "spec": spec}


def _rule(rule: dict[str, Any], convert: Any) -> dict[str, Any]:
    http = rule.get("http")
    if not http:
        return rule
    return {**rule, "http": {**http, "paths": [convert(path) for path in http.get("paths") or ()]}}


def _path_to_v1(path: dict[str, Any]) -> dict[str, Any]:
    converted = {"pathType": "ImplementationSpecific", **path}
    if "backend" in path:
        converted["backend"] = _backend_to_v1(path["backend"])
    return converted


def _path_to_v1beta1(path: dict[str, Any]) -> dict[str, Any]:
    return {**path, "backend": _backend_to_v1beta1(path["backend"])} if "backend" in path else path


def _backend_to_v1(backend: dict[str, Any]) -> dict[str, Any]:
    others = {key: value for key, value in backend.items() if key not in ("serviceName", "servicePort")}
    name, port = backend.get("serviceName") or "", backend.get("servicePort")
    if not name and not port:
        return others
    service: dict[str, Any] = {"name": name}
    if port:
        service["port"] = {"number" if isinstance(port, int) else "name": port}
    return {**others, "service": service}


def _backend_to_v1beta1(backend: dict[str, Any]) -> dict[str, Any]:
    converted = {key: value for key, value in backend.items() if key != "service"}
    service = backend.get("service")
    if service:
        port = service.get("port") or {}
        converted["serviceName"] = service.get("name", "")
        converted["servicePort"] = port.get("name") or port.get("number") or 0
    return converted
