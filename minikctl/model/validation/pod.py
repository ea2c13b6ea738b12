"""Pod."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects, podresources
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec

_ALLOWED = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_CHANGEABLE = (
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "schedulingGates",
)

Spec = dict[str, Any]


def default(obj: Object) -> None:
    """Complete a Pod: what a template leaves open is settled here."""
    spec = objects.spec(obj)
    podspec.default(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in podspec.every_container(spec):
        resources = container.get("resources") or {}
        for name, amount in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, amount)
    podresources.default(spec)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Pod."""
    spec = objects.spec(obj)
    found = podspec.validate(spec, "spec", objects.name(obj))
    return [*found, *(_create(spec) if old is None else _update(spec, objects.spec(old)))]


def ephemeral(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with the ephemeral containers that a Pod is to get: those it has must stay."""
    spec, path = objects.spec(obj), "spec.ephemeralContainers"
    wanted = {each.get("name"): each for each in spec.get("ephemeralContainers") or ()}
    found = podspec.validate(spec, "spec", objects.name(obj))
    for each in objects.spec(old or {}).get("ephemeralContainers") or ():
        name = each.get("name")
        if name not in wanted:
            text = f'existing ephemeral containers "{name}" may not be removed\n'
            found.append(causes.forbidden(path, text))
        elif wanted[name] != each:
            text = f'existing ephemeral containers "{name}" may not be changed\n'
            found.append(causes.forbidden(path, text))
    return found


def _create(spec: Spec) -> Iterator[Cause]:
    if spec.get("ephemeralContainers"):
        yield causes.forbidden("spec.ephemeralContainers", "cannot be set on create")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        yield causes.forbidden("spec.nodeName", detail)


def _update(spec: Spec, old: Spec) -> Iterator[Cause]:
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or ()) != len(old.get(field) or ()):
            yield causes.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    yield from _deadline(spec.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    yield from _tolerations(spec.get("tolerations") or [], old.get("tolerations") or [])
    known = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        if gate.get("name") not in known:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            yield causes.forbidden(f"spec.schedulingGates[{index}].name", detail)
    if known:
        yield from _gated(spec.get("nodeSelector") or {}, old.get("nodeSelector") or {})
    grace, was = spec.get("terminationGracePeriodSeconds"), old.get("terminationGracePeriodSeconds")
    new_grace = grace != was and not (grace == 1 and (was or 0) < 0)
    if new_grace or _fixed(spec, old) != _fixed(old, old):
        yield causes.forbidden("spec", f"pod updates may not change fields other than {_ALLOWED}")


def _deadline(new: int | None, old: int | None) -> Iterator[Cause]:
    path = "spec.activeDeadlineSeconds"
    if old is not None and new is None:
        yield causes.invalid(path, None, "must not update from a positive integer to nil value")
    elif old is not None and new is not None and new > old:
        yield causes.invalid(path, new, "must be less than or equal to previous value")


def _tolerations(new: list[Spec], old: list[Spec]) -> Iterator[Cause]:
    """Yield the refusal of fewer or other tolerations; how long one lasts may change."""
    lasting = [{**each, "tolerationSeconds": None} for each in new]
    if any({**each, "tolerationSeconds": None} not in lasting for each in old):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield causes.forbidden("spec.tolerations", detail)


def _gated(new: dict[str, str], old: dict[str, str]) -> Iterator[Cause]:
    """Yield the refusal of a pod that waits to be scheduled to be content with more nodes than before."""
    if any(new.get(key) != value for key, value in old.items()):
        yield causes.invalid("spec.nodeSelector", new, "field is immutable")


def _fixed(spec: Spec, old: Spec) -> Spec:
    """Return what may not change: all but images, the changeable fields, and a node where there was none."""
    kept = {name: copy.deepcopy(value) for name, value in spec.items() if name not in _CHANGEABLE}
    for container in podspec.every_container(kept):
        container.pop("image", None)
    if not old.get("nodeName"):
        kept.pop("nodeName", None)
    if old.get("schedulingGates"):
        kept.pop("nodeSelector", None)
        (kept.get("affinity") or {}).pop("nodeAffinity", None)
        if not kept.get("affinity"):
            kept.pop("affinity", None)
    return kept
