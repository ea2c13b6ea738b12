"""Job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects, selectors
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec, selection

BACKOFF_LIMIT = 6
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
_ENDLESS = 2**31 - 1


def default(obj: Object) -> None:
    """Complete a Job: how many pods at once and in all, retries, labels, the selector by its uid."""
    spec = objects.spec(obj)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", _ENDLESS if per_index else BACKOFF_LIMIT)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    replaced = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", replaced)
    template = spec.setdefault("template", {})
    _share_labels(obj, template)
    podspec.default(template.setdefault("spec", {}))
    if not spec.get("manualSelector") and not spec.get("selector") and objects.uid(obj):
        _select_by_uid(obj, template)
        _share_labels(obj, template)


def _share_labels(obj: Object, template: Object) -> None:
    """Give a Job without labels those of its pods."""
    if objects.labels(template) and not objects.labels(obj):
        obj.setdefault("metadata", {})["labels"] = dict(objects.labels(template))


def _select_by_uid(obj: Object, template: Object) -> None:
    """Make the pods of this Job, and no others, those that its selector finds."""
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels.setdefault(f"{prefix}controller-uid", objects.uid(obj))
        labels.setdefault(f"{prefix}job-name", objects.name(obj))
    objects.spec(obj)["selector"] = {"matchLabels": {CONTROLLER_UID: objects.uid(obj)}}


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Job."""
    spec = objects.spec(obj)
    found = [*validate_spec(spec, "spec"), *_selector(obj)]
    if old is not None:
        before = objects.spec(old)
        for field in (
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
            "successPolicy",
            "selector",
        ):
            if spec.get(field) != before.get(field):
                found.append(causes.invalid(f"spec.{field}", spec.get(field), "field is immutable"))
        if spec.get("completionMode") != "Indexed" and spec.get("completions") != before.get("completions"):
            found.append(causes.invalid("spec.completions", spec.get("completions"), "field is immutable"))
        if spec.get("template") != before.get("template") and not before.get("suspend"):
            found.append(causes.invalid("spec.template", spec.get("template"), "field is immutable"))
    return found


def validate_spec(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the spec of a Job, wherever it stands."""
    for field in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
    ):
        yield from _natural(spec, field, path)
    yield from _natural(spec, "ttlSecondsAfterFinished", path)
    yield from _natural(spec, "maxFailedIndexes", path)
    yield from _indexed(spec, path)
    yield from _policies(spec, path)
    template = spec.get("template") or {}
    yield from podspec.validate_template(template, f"{path}.template")
    policy = objects.spec(template).get("restartPolicy")
    where = f"{path}.template.spec.restartPolicy"
    if policy == "Always":
        yield causes.unsupported(where, policy, ["OnFailure", "Never"])
    elif spec.get("podFailurePolicy") and policy != "Never":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        yield causes.invalid(where, policy, detail)


def _natural(spec: dict[str, Any], field: str, path: str) -> Iterator[Cause]:
    value = spec.get(field)
    if value is not None and value < 0:
        yield causes.invalid(f"{path}.{field}", value, "must be greater than or equal to 0")


def _indexed(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    indexed = spec.get("completionMode") == "Indexed"
    if indexed and spec.get("completions") is None:
        yield causes.required(f"{path}.completions", "when completion mode is Indexed")
    if indexed and spec.get("parallelism", 1) > 100_000:
        detail = "must be less than or equal to 100000 when completion mode is Indexed"
        yield causes.invalid(f"{path}.parallelism", spec["parallelism"], detail)
    if not indexed:
        if spec.get("backoffLimitPerIndex") is not None:
            detail = "requires indexed completion mode"
            yield causes.invalid(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], detail)
        if spec.get("successPolicy") is not None:
            detail = "requires indexed completion mode"
            yield causes.invalid(f"{path}.successPolicy", spec["successPolicy"], detail)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield causes.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")


def _policies(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    if spec.get("podFailurePolicy") and spec.get("podReplacementPolicy") not in (None, "Failed"):
        where = f"{path}.podReplacementPolicy"
        yield causes.unsupported(where, spec["podReplacementPolicy"], ["Failed"])
    for number, rule in enumerate((spec.get("podFailurePolicy") or {}).get("rules") or ()):
        where = f"{path}.podFailurePolicy.rules[{number}]"
        if bool(rule.get("onExitCodes")) == bool(rule.get("onPodConditions")):
            detail = "specifying one of OnExitCodes and OnPodConditions is required"
            if rule.get("onExitCodes"):
                detail = "specifying both OnExitCodes and OnPodConditions is not supported"
            yield causes.invalid(where, rule, detail)
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            detail = "requires the backoffLimitPerIndex to be set"
            yield causes.invalid(f"{where}.action", "FailIndex", detail)
    for number, rule in enumerate((spec.get("successPolicy") or {}).get("rules") or ()):
        where = f"{path}.successPolicy.rules[{number}]"
        if rule.get("succeededCount") is None and rule.get("succeededIndexes") is None:
            yield causes.required(
                where, "at least one of succeededCount or succeededIndexes must be specified"
            )
        text = rule.get("succeededIndexes")
        if text is not None and not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text, re.ASCII):
            detail = f'error parsing succeededIndexes: cannot convert string to integer for index: "{text}"'
            yield causes.invalid(f"{where}.succeededIndexes", text, detail)


def _selector(obj: Object) -> Iterator[Cause]:
    spec = objects.spec(obj)
    selector, labels = spec.get("selector"), objects.labels(spec.get("template") or {})
    if selector is None:
        yield causes.required("spec.selector")
        return
    faults = list(selection.validate(selector, "spec.selector"))
    yield from faults
    if not faults and not selectors.of(selector).matches(labels):
        detail = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, detail)
    if not spec.get("manualSelector") and labels.get(CONTROLLER_UID) not in (None, objects.uid(obj)):
        detail = f"must be '{objects.uid(obj)}'"
        where = f"spec.template.metadata.labels[{CONTROLLER_UID}]"
        yield causes.invalid(where, labels[CONTROLLER_UID], detail)
