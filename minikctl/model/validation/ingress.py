"""Ingress and IngressClass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses, ports

OLD_CLASS = "kubernetes.io/ingress.class"
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")
_CONTROLLER_LIMIT = 250
_CONTROLLER = re.compile(r"[a-zA-Z0-9\-._~!$&'()*+,;=:@%/]+", re.ASCII)

_V1BETA1_FIELDS = (
    ("spec.defaultBackend", "spec.backend"),
    (".service.name", ".serviceName"),
    (".service.port.name", ".servicePort"),
    (".service.port.number", ".servicePort"),
    (".service.port", ".servicePort"),
)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a networking.k8s.io/v1 Ingress."""
    spec = objects.spec(obj)
    found: list[Cause] = []
    rules, default = spec.get("rules") or [], spec.get("defaultBackend")
    if default is not None:
        found += _backend(default, "spec.defaultBackend")
    elif not rules:
        detail = "either `defaultBackend` or `rules` must be specified"
        found.append(causes.invalid("spec", rules, detail))
    for index, rule in enumerate(rules):
        found += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        found += _tls(tls, f"spec.tls[{index}]")
    return [*found, *_class_name(obj, spec.get("ingressClassName"), old)]


def validate_as(convert: Callable[[Object], Object]) -> Callable[[Object, Object | None], list[Cause]]:
    """Return the validation of a v1beta1 Ingress: the same rules, said in its own field names."""

    def validate_view(obj: Object, old: Object | None) -> list[Cause]:
        found = validate(convert(obj), convert(old) if old else None)
        return [_renamed(cause) for cause in found]

    return validate_view


def _renamed(cause: Cause) -> Cause:
    field = cause["field"]
    for new, old in _V1BETA1_FIELDS:
        field = field.replace(new, old)
    return {**cause, "field": field, "message": cause["message"].replace("`defaultBackend`", "`backend`")}


def _class_name(obj: Object, name: str | None, old: Object | None) -> Iterator[Cause]:
    annotated = objects.annotations(obj).get(OLD_CLASS)
    if name is None:
        return
    for fault in names.dns_subdomain(name):
        yield causes.invalid("spec.ingressClassName", name, fault)
    if annotated and old is None:
        detail = "can not be set when the class field is also set"
        yield causes.invalid(f"annotations.{OLD_CLASS}", annotated, detail)


def _tls(tls: dict[str, Any], path: str) -> Iterator[Cause]:
    for index, host in enumerate(tls.get("hosts") or ()):
        yield from _host(host, f"{path}.hosts[{index}]")
    if secret := tls.get("secretName"):
        for fault in names.dns_subdomain(secret):
            yield causes.invalid(f"{path}.secretName", secret, fault)


def _host(host: str, path: str) -> Iterator[Cause]:
    faults = names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)
    for fault in faults:
        yield causes.invalid(path, host, fault)


def _rule(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    if host := rule.get("host"):
        if not addresses.ip(host):
            yield causes.invalid(f"{path}.host", host, "must be a DNS name, not an IP address")
        yield from _host(host, f"{path}.host")
    for index, each in enumerate((rule.get("http") or {}).get("paths") or ()):
        at = f"{path}.http.paths[{index}]"
        yield from _path(str(each.get("path") or ""), each.get("pathType"), f"{at}.path")
        if "backend" in each:
            yield from _backend(each["backend"], f"{at}.backend")


def _path(value: str, path_type: str | None, path: str) -> Iterator[Cause]:
    strict = path_type in ("Exact", "Prefix")
    if not value.startswith("/") and (strict or value):
        yield causes.invalid(path, value, "must be an absolute path")
    if strict:
        for sequence in _BAD_SEQUENCES:
            if sequence in value:
                yield causes.invalid(path, value, f"must not contain '{sequence}'")
        for end in _BAD_ENDS:
            if value.endswith(end):
                yield causes.invalid(path, value, f"cannot end with '{end}'")


def _backend(backend: dict[str, Any], path: str) -> Iterator[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield causes.invalid(path, "", "cannot set both resource and service backends")
    elif service is not None:
        yield from _service(service, path)
    elif resource is not None:
        yield from _reference(resource, f"{path}.resource")
    else:
        yield causes.invalid(path, "", "resource or service backend is required")


def _service(service: dict[str, Any], path: str) -> Iterator[Cause]:
    name = service.get("name")
    if not name:
        yield causes.required(f"{path}.service.name")
    else:
        for fault in names.dns_1035_label(name):
            yield causes.invalid(f"{path}.service.name", name, fault)
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        yield causes.invalid(path, "", "cannot set both port name & port number")
    elif port.get("name"):
        yield from ports.reference(f"{path}.service.port.name", port["name"])
    elif port.get("number"):
        yield from ports.reference(f"{path}.service.port.number", port["number"])
    else:
        yield causes.required(path, "port name or number is required")


def default_class(obj: Object) -> None:
    """Give parameters their scope."""
    parameters = objects.spec(obj).get("parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")


def validate_class(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with an IngressClass."""
    spec = objects.spec(obj)
    controller = str(spec.get("controller") or "")
    found = [*_controller(controller), *_parameters(spec.get("parameters") or {})]
    if old is not None and controller != objects.spec(old).get("controller"):
        found.append(causes.invalid("spec.controller", controller, "field is immutable"))
    return found


def _controller(controller: str) -> Iterator[Cause]:
    path = "spec.controller"
    if len(controller) > _CONTROLLER_LIMIT:
        yield causes.too_long(path, _CONTROLLER_LIMIT)
    domain, slash, rest = controller.partition("/")
    if not controller:
        yield causes.required(path)
    elif not slash or not domain or not rest:
        yield causes.invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        for fault in names.dns_subdomain(domain):
            yield causes.invalid(path, controller, fault)
        if not _CONTROLLER.fullmatch(rest):
            yield causes.invalid(path, controller, f"must match the regex {_CONTROLLER.pattern}")


def _reference(named: dict[str, Any], path: str) -> Iterator[Cause]:
    """Judge what names an object of any kind: by parts that may stand in a path."""
    if (group := named.get("apiGroup")) is not None:
        for fault in names.dns_subdomain(group):
            yield causes.invalid(f"{path}.apiGroup", group, fault)
    for part in ("kind", "name"):
        value = str(named.get(part) or "")
        if not value and part in named:  # those that are not there the schema tells of
            yield causes.required(f"{path}.{part}", f"{part} is required")
        for fault in names.path_segment(value) if value else ():
            yield causes.invalid(f"{path}.{part}", value, fault)


def _parameters(parameters: dict[str, Any]) -> Iterator[Cause]:
    if parameters:
        yield from _reference(parameters, "spec.parameters")
    path, namespace = "spec.parameters.namespace", parameters.get("namespace")
    if parameters.get("scope") == "Namespace":
        if not namespace:
            yield causes.required(path, "`parameters.scope` is set to 'Namespace'")
        else:
            for fault in names.dns_label(namespace):
                yield causes.invalid(path, namespace, fault)
    elif namespace:
        yield causes.forbidden(path, "`parameters.scope` is set to 'Cluster'")
