"""APIService."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import apiservices, causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import ports


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with an APIService."""
    spec = objects.spec(obj)
    return [*_named(objects.name(obj), spec), *_priorities(spec), *_service(spec)]


def prepare(new: Object, old: Object | None) -> None:
    """Have one that is served here available from the first moment."""
    if old is None and objects.spec(new).get("service") is None:
        since = {"lastTransitionTime": objects.meta(new).get("creationTimestamp")}
        new["status"] = {"conditions": [{**apiservices.LOCAL, **since}]}


def _named(name: str, spec: dict[str, Any]) -> Iterator[Cause]:
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    wanted = f"{version}.{group}"
    if name != wanted:
        yield causes.invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')
    if not group and version != "v1":
        detail = "only v1 may have an empty group and it better be legacy kube"
        yield causes.required("spec.group", detail)
    for fault in names.dns_subdomain(group) if group else ():
        yield causes.invalid("spec.group", group, fault)
    for fault in names.dns_1035_label(version):
        yield causes.invalid("spec.version", version, fault)


def _priorities(spec: dict[str, Any]) -> Iterator[Cause]:
    for field, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field) or 0
        if not 0 < value <= limit:
            yield causes.invalid(f"spec.{field}", value, f"must be positive and less than {limit}")


def _service(spec: dict[str, Any]) -> Iterator[Cause]:
    service, bundle = spec.get("service"), spec.get("caBundle") or ""
    insecure = bool(spec.get("insecureSkipTLSVerify"))
    if service is None:
        if bundle:
            yield causes.invalid("spec.caBundle", bundle, "local APIServices may not have a caBundle")
        if insecure:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            yield causes.invalid("spec.insecureSkipTLSVerify", True, detail)
        return
    for field in ("namespace", "name"):
        if not service.get(field):
            yield causes.required(f"spec.service.{field}")
    port = service.get("port")
    if port is not None and not 1 <= port <= 65535:
        yield causes.invalid("spec.service.port", port, f"port is not valid: {ports.RANGE}")
    if insecure and bundle:
        detail = "may not be true if caBundle is present"
        yield causes.invalid("spec.insecureSkipTLSVerify", True, detail)
