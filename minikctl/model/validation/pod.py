"""Pod."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec

_ALLOWED = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def default(obj: Object) -> None:
    """Complete a Pod: what a template leaves open is settled here."""
    spec = objects.spec(obj)
    podspec.default(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in podspec.every_container(spec):
        resources = container.get("resources") or {}
        for name, amount in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, amount)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Pod."""
    spec = objects.spec(obj)
    found = podspec.validate(spec, "spec")
    return found if old is None else [*found, *_update(spec, objects.spec(old))]


def _update(spec: dict[str, Any], old: dict[str, Any]) -> Iterator[Cause]:
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or ()) != len(old.get(field) or ()):
            yield causes.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    before, after = old.get("tolerations") or [], spec.get("tolerations") or []
    if any(each not in after for each in before):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield causes.forbidden("spec.tolerations", detail)
    grace, was = spec.get("terminationGracePeriodSeconds"), old.get("terminationGracePeriodSeconds")
    new_grace = grace != was and not (grace == 1 and (was or 0) < 0)
    if new_grace or _fixed(spec, old) != _fixed(old, old):
        yield causes.forbidden("spec", f"pod updates may not change fields other than {_ALLOWED}")


def _fixed(spec: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Return what may not change: all but images, the changeable fields, and a node where there was none."""
    kept = {name: copy.deepcopy(value) for name, value in spec.items() if name not in _CHANGEABLE}
    for container in podspec.every_container(kept):
        container.pop("image", None)
    if not old.get("nodeName"):
        kept.pop("nodeName", None)
    return kept
