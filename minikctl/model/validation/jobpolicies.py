"""What a Job's spec says of pods that fail and of when enough have succeeded.

The rules and words are those of Kubernetes' pkg/apis/batch/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause

Given = dict[str, Any]

MOST_RULES = 20
"""Of a policy; and so many conditions may a rule have."""
MOST_EXIT_CODES = 255
LONGEST_INDEXES = 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_NUMBER = re.compile(r"[+-]?[0-9]+")


def validate(spec: Given, path: str) -> Iterator[Cause]:
    """Yield what is wrong with a Job's policies."""
    failures = spec.get("podFailurePolicy")
    if failures is not None:
        yield from _failures(spec, failures.get("rules") or [], f"{path}.podFailurePolicy.rules")
        if spec.get("podReplacementPolicy") not in (None, "Failed"):
            yield causes.unsupported(f"{path}.podReplacementPolicy", spec["podReplacementPolicy"], ["Failed"])
    success = spec.get("successPolicy")
    if success is not None and spec.get("completionMode") != "Indexed":
        yield causes.invalid(f"{path}.successPolicy", success, "requires indexed completion mode")
    elif success is not None:
        yield from _success(spec, success.get("rules") or [], f"{path}.successPolicy.rules")


def _failures(spec: Given, rules: Sequence[Given], path: str) -> Iterator[Cause]:
    if len(rules) > MOST_RULES:
        yield causes.too_many(path, len(rules), MOST_RULES)
    inner = objects.spec(spec.get("template") or {})
    both = (*(inner.get("containers") or ()), *(inner.get("initContainers") or ()))
    containers = {each.get("name") for each in both}
    for index, rule in enumerate(rules):
        where = f"{path}[{index}]"
        yield from _action(rule.get("action"), spec.get("backoffLimitPerIndex") is not None, where)
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
        if codes is not None:
            yield from _exit_codes(codes, f"{where}.onExitCodes", containers)
        yield from _conditions(conditions, f"{where}.onPodConditions")
        if codes is not None and conditions:
            detail = "specifying both OnExitCodes and OnPodConditions is not supported"
            yield causes.broken(where, detail)
        if codes is None and not conditions:
            yield causes.broken(where, "specifying one of OnExitCodes and OnPodConditions is required")


def _action(action: str | None, by_index: bool, path: str) -> Iterator[Cause]:
    yield from _one_of(action, _ACTIONS, f"{path}.action")
    if action == "FailIndex" and not by_index:
        yield causes.invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set")


def _one_of(value: str | None, known: Sequence[str], path: str) -> Iterator[Cause]:
    """Yield what is wrong with one of several words; that it is absent, the schema tells."""
    if value == "":
        listed = " ".join(map(causes.shown, known))
        yield causes.required(path, f"valid values: [{listed}]")
    elif value is not None and value not in known:
        yield causes.unsupported(path, value, known)


def _exit_codes(found: Given, path: str, containers: set[Any]) -> Iterator[Cause]:
    yield from _one_of(found.get("operator"), _OPERATORS, f"{path}.operator")
    container = found.get("containerName")
    if container is not None and container not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        yield causes.invalid(f"{path}.containerName", container, detail)
    values = found.get("values") or []
    where = f"{path}.values"
    if not values:
        yield causes.invalid(where, values, "at least one value is required")
    elif len(values) > MOST_EXIT_CODES:
        yield causes.too_many(where, len(values), MOST_EXIT_CODES)
    for index, value in enumerate(values):
        if value == 0 and found.get("operator") == "In":
            yield causes.invalid(f"{where}[{index}]", value, "must not be 0 for the In operator")
        if value in values[:index]:
            yield causes.duplicate(f"{where}[{index}]", value)
    if sorted(values) != values:
        yield causes.invalid(where, values, "must be ordered")


def _conditions(found: Sequence[Given], path: str) -> Iterator[Cause]:
    if len(found) > MOST_RULES:
        yield causes.too_many(path, len(found), MOST_RULES)
    for index, each in enumerate(found):
        where, type = f"{path}[{index}]", str(each.get("type") or "")
        for fault in names.qualified_name(type):
            yield causes.invalid(f"{where}.type", type, fault)
        yield from _one_of(each.get("status"), _STATUSES, f"{where}.status")


def _success(spec: Given, rules: Sequence[Given], path: str) -> Iterator[Cause]:
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        yield causes.required(path, detail)
    if len(rules) > MOST_RULES:
        yield causes.too_many(path, len(rules), MOST_RULES)
    for index, rule in enumerate(rules):
        yield from _success_rule(rule, spec.get("completions") or 0, f"{path}[{index}]")


def _success_rule(rule: Given, completions: int, path: str) -> Iterator[Cause]:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if count is None and indexes is None:
        yield causes.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = completions
    if indexes is not None:
        where = f"{path}.succeededIndexes"
        if len(indexes) > LONGEST_INDEXES:
            yield causes.too_long(where, LONGEST_INDEXES)
        try:
            total = _counted(indexes, completions)
        except ValueError as error:
            total = 0
            yield causes.invalid(where, indexes, f"error parsing succeededIndexes: {error}")
    if count is None:
        return
    where = f"{path}.succeededCount"
    if count < 0:
        yield causes.invalid(where, count, "must be greater than or equal to 0")
    if count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        yield causes.invalid(where, count, detail)
    if indexes is not None and count > total:
        of = "the number of indexes in the specified succeededIndexes field"
        yield causes.invalid(where, count, f"must be less than or equal to {total} ({of})")


def _counted(text: str, completions: int) -> int:
    """Return how many indexes a list such as ``0,2-4`` names; raises ``ValueError`` in Kubernetes' words."""
    total, last = 0, -1
    for fragment in text.split(",") if text else ():
        first, end = _interval(fragment, completions)
        if last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total


def _interval(fragment: str, completions: int) -> tuple[int, int]:
    parts = fragment.split("-")
    if len(parts) > 2:
        raise ValueError(
            f"the fragment {causes.shown(fragment)} violates the requirement that an index interval can "
            "have at most two parts separated by '-'"
        )
    numbers = [_index(part, completions) for part in parts]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"cannot convert string to integer for index: {causes.shown(text)}")
    if int(text) >= completions:
        raise ValueError(f"too large index: {causes.shown(text)}")
    return int(text)
