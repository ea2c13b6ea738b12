"""Deployment and ReplicaSet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects, selectors
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec, selection, shares


def default_deployment(obj: Object) -> None:
    """Complete a Deployment: the rolling update's steps and the pod template."""
    strategy = objects.spec(obj).get("strategy") or {}
    if strategy.get("type") == "RollingUpdate":
        steps = strategy.setdefault("rollingUpdate", {})
        steps.setdefault("maxSurge", "25%")
        steps.setdefault("maxUnavailable", "25%")
    default_replica_set(obj)


def default_replica_set(obj: Object) -> None:
    """Complete a ReplicaSet: the pod template."""
    podspec.default(objects.spec(objects.spec(obj).get("template") or {}))


def deployment(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Deployment."""
    spec = objects.spec(obj)
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    found = [*selected(spec, "deployment"), *_strategy(spec.get("strategy") or {})]
    if deadline is not None and deadline <= ready:
        detail = "must be greater than minReadySeconds"
        found.append(causes.invalid("spec.progressDeadlineSeconds", deadline, detail))
    return [*found, *immutable_selector(spec, old)]


def replica_set(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ReplicaSet."""
    spec = objects.spec(obj)
    return [*selected(spec, "replica set"), *immutable_selector(spec, old)]


def immutable_selector(spec: dict[str, Any], old: Object | None) -> Iterator[Cause]:
    """Yield the refusal of another selector than before."""
    if old is not None and spec.get("selector") != objects.spec(old).get("selector"):
        yield causes.invalid("spec.selector", spec.get("selector"), "field is immutable")


def selected(spec: dict[str, Any], noun: str, kind: str = "ReplicaSet") -> Iterator[Cause]:
    """Yield what is wrong with the selector, the template, and between them."""
    yield from matching(spec, noun)
    template = spec.get("template") or {}
    yield from podspec.validate_template(template, "spec.template")
    yield from lasting(template, kind)


def matching(spec: dict[str, Any], noun: str) -> Iterator[Cause]:
    """Yield what is wrong with the selector, and whether the template's labels do not match it."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    faults = selection.validate(selector, "spec.selector") if selector else []
    yield from faults
    if selector == {}:
        yield causes.invalid("spec.selector", selector, f"empty selector is invalid for {noun}")
    labels = objects.labels(template)
    if selector and not faults and not selectors.of(selector).matches(labels):
        detail = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, detail)


def lasting(template: Object, kind: str) -> Iterator[Cause]:
    """Yield what in a template keeps its pods from running for ever."""
    pod = objects.spec(template)
    policy = pod.get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        yield causes.unsupported("spec.template.spec.restartPolicy", policy, ["Always"])
    if "activeDeadlineSeconds" in pod:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        yield causes.forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def _strategy(strategy: dict[str, Any]) -> Iterator[Cause]:
    path, steps = "spec.strategy.rollingUpdate", strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and steps is not None:
        yield causes.forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    elif strategy.get("type") == "RollingUpdate":
        surge, unavailable = (steps or {}).get("maxSurge"), (steps or {}).get("maxUnavailable")
        faults = [
            *shares.number(f"{path}.maxUnavailable", unavailable),
            *shares.number(f"{path}.maxSurge", surge),
        ]
        yield from faults
        if not faults and shares.is_zero(surge) and shares.is_zero(unavailable):
            yield causes.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
        if isinstance(unavailable, str) and not faults and int(unavailable[:-1]) > 100:
            yield causes.invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")
