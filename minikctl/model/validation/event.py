"""Event."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_ELSEWHERE = "does not match event.namespace"


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with an Event; those that have an eventTime must say more."""
    namespace, about = objects.namespace(obj), (obj.get("involvedObject") or {}).get("namespace") or ""
    if obj.get("eventTime"):
        stray = not about and namespace not in ("default", "kube-system")
    else:
        stray = about != namespace if about else namespace not in ("", "default")
    found = [causes.invalid("involvedObject.namespace", about, _ELSEWHERE)] if stray else []
    return [*found, *(_new_style(obj) if obj.get("eventTime") else ())]


def _new_style(obj: Object) -> Iterator[Cause]:
    controller = str(obj.get("reportingComponent") or "")
    if not controller:
        yield causes.required("reportingComponent")
    for fault in names.qualified_name(controller):
        yield causes.invalid("reportingComponent", controller, fault)
    for field, limit in _LIMITS.items():
        value = str(obj.get(field) or "")
        if not value and field != "message":
            yield causes.required(field)
        if len(value) > limit:
            yield causes.invalid(field, "", f"can have at most {limit} characters")
