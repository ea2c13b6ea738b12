"""FlowSchema and PriorityLevelConfiguration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

HIGHEST_PRECEDENCE = 10000


def default_level(obj: Object) -> None:
    """Complete a PriorityLevelConfiguration: an exempt one has no shares of its own."""
    spec = objects.spec(obj)
    if spec.get("type") == "Exempt":
        exempt = spec.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)


def schema(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a FlowSchema."""
    spec = objects.spec(obj)
    found = list(_precedence(spec))
    method = (spec.get("distinguisherMethod") or {}).get("type", "ByUser")
    if method not in ("ByNamespace", "ByUser"):
        known = ["ByNamespace", "ByUser"]
        found.append(causes.unsupported("spec.distinguisherMethod.type", method, known))
    if not (spec.get("priorityLevelConfiguration") or {}).get("name"):
        detail = "must reference a priority level"
        found.append(causes.required("spec.priorityLevelConfiguration.name", detail))
    for index, rule in enumerate(spec.get("rules") or ()):
        found += _rule(rule, f"spec.rules[{index}]")
    return found


def _precedence(spec: dict[str, Any]) -> Iterator[Cause]:
    value = spec.get("matchingPrecedence") or 0
    if value <= 0:
        yield causes.invalid("spec.matchingPrecedence", value, "must be a positive value")
    if value > HIGHEST_PRECEDENCE:
        detail = f"must not be greater than {HIGHEST_PRECEDENCE}"
        yield causes.invalid("spec.matchingPrecedence", value, detail)


def _rule(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    if not rule.get("subjects"):
        yield causes.required(f"{path}.subjects", "subjects must contain at least one value")
    for index, subject in enumerate(rule.get("subjects") or ()):
        kind = subject.get("kind") or ""
        if kind not in ("Group", "ServiceAccount", "User"):
            known = ["Group", "ServiceAccount", "User"]
            yield causes.unsupported(f"{path}.subjects[{index}].kind", kind, known)
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        yield causes.required(path, detail)


def level(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a PriorityLevelConfiguration."""
    return list(_level(objects.spec(obj)))


def _level(spec: dict[str, Any]) -> Iterator[Cause]:
    kind = spec.get("type") or ""
    if kind == "Exempt":
        if spec.get("limited") is not None:
            yield causes.forbidden("spec.limited", "must be nil if the type is not Limited")
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            yield causes.forbidden("spec.exempt", "must be nil if the type is Limited")
        if spec.get("limited") is None:
            yield causes.required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited(spec["limited"])
    else:
        yield causes.unsupported("spec.type", kind, ["Exempt", "Limited"])


def _limited(limited: dict[str, Any]) -> Iterator[Cause]:
    path, shares = "spec.limited", limited.get("nominalConcurrencyShares") or 0
    if shares < 0:
        yield causes.invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    lendable = limited.get("lendablePercent") or 0
    if not 0 <= lendable <= 100:
        detail = "must be between 0 and 100, inclusive"
        yield causes.invalid(f"{path}.lendablePercent", lendable, detail)
    response = limited.get("limitResponse") or {}
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            yield causes.forbidden(f"{path}.limitResponse.queuing", detail)
    elif kind == "Queue":
        if queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            yield causes.required(f"{path}.limitResponse.queuing", detail)
        else:
            yield from _queues(queuing, f"{path}.limitResponse.queuing")
    else:
        yield causes.unsupported(f"{path}.limitResponse.type", kind, ["Queue", "Reject"])


def _queues(queuing: dict[str, Any], path: str) -> Iterator[Cause]:
    hand, queues = queuing.get("handSize") or 0, queuing.get("queues") or 0
    for field in ("queueLengthLimit", "queues", "handSize"):
        if (queuing.get(field) or 0) <= 0:
            yield causes.invalid(f"{path}.{field}", queuing.get(field) or 0, "must be positive")
    if hand > queues:
        detail = f"should not be greater than queues ({queues})"
        yield causes.invalid(f"{path}.handSize", hand, detail)
