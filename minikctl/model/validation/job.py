"""Job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects, selectors
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import jobpolicies, podspec, selection

BACKOFF_LIMIT = 6
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
_ENDLESS = 2**31 - 1
_MANY = 100_000
"""So many pods may run at once, and so many indexes fail; from more completions on, a tenth of it."""
_FEWER = 10_000
_LONGEST_MANAGER = 63
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_FIXED = (
    *("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"),
)
_DIRECTIVES = ("nodeSelector", "tolerations", "schedulingGates")
"""What says where pods may run: it can change until a suspended Job has started."""


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
    spec.setdefault("manualSelector", False)
    replaced = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    spec.setdefault("podReplacementPolicy", replaced)
    template = spec.setdefault("template", {})
    _share_labels(obj, template)
    podspec.default(template.setdefault("spec", {}))
    if not spec["manualSelector"] and objects.uid(obj):
        _select_by_uid(obj, template)
        _share_labels(obj, template)


def _share_labels(obj: Object, template: Object) -> None:
    """Give a Job without labels those of its pods."""
    if objects.labels(template) and not objects.labels(obj):
        obj.setdefault("metadata", {})["labels"] = dict(objects.labels(template))


def _select_by_uid(obj: Object, template: Object) -> None:
    """Make the pods of this Job, and no others, those that its selector finds."""
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for name, value in _own_labels(obj).items():
        labels.setdefault(name, value)
    selector = objects.spec(obj).setdefault("selector", {})
    selector.setdefault("matchLabels", {}).setdefault(CONTROLLER_UID, objects.uid(obj))


def _own_labels(obj: Object) -> dict[str, str]:
    """Return the labels of the Job's pods that are no others'."""
    own = {"controller-uid": objects.uid(obj), "job-name": objects.name(obj)}
    return own | {f"batch.kubernetes.io/{name}": value for name, value in own.items()}


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Job; rules and words are those of Kubernetes' pkg/apis/batch/validation."""
    spec = objects.spec(obj)
    found = [*_own(obj), *_hosts(obj)] if old is None else []
    found += [*validate_spec(spec, "spec"), *_selector(obj)]
    return found if old is None else [*found, *_changes(obj, old)]


def _own(obj: Object) -> Iterator[Cause]:
    """Yield what keeps a selector that the server made from finding the Job's pods alone."""
    spec, own = objects.spec(obj), _own_labels(obj)
    selector, labels = spec.get("selector"), objects.labels(spec.get("template") or {})
    if spec.get("manualSelector") or selector is None:
        return
    for name, wanted in own.items():
        if labels.get(name) != wanted:
            where = f"spec.template.metadata.labels[{name}]"
            yield causes.invalid(where, labels, f"must be '{wanted}'")
    if not selection.validate(selector, "") and not selectors.of(selector).matches(own):
        yield causes.invalid("spec.selector", selector, "`selector` not auto-generated")


def _hosts(obj: Object) -> Iterator[Cause]:
    """Yield what makes the last index's pod have no host name."""
    spec, name = objects.spec(obj), objects.name(obj)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        last = f"{name}-{spec['completions'] - 1}"
        if list(names.dns_label(last)):
            detail = f"will not able to create pod with invalid DNS label: {last}"
            yield causes.invalid("metadata.name", name, detail)


def _changes(obj: Object, old: Object) -> Iterator[Cause]:
    spec, before = objects.spec(obj), objects.spec(old)
    for field in _FIXED:
        if spec.get(field) != before.get(field):
            yield causes.invalid(f"spec.{field}", spec.get(field), "field is immutable")
    completions = spec.get("completions")
    if completions != before.get("completions"):
        if spec.get("completionMode") != "Indexed":
            yield causes.invalid("spec.completions", completions, "field is immutable")
        elif completions is not None and completions != spec.get("parallelism"):
            detail = "can only be modified in tandem with spec.parallelism"
            yield causes.invalid("spec.completions", completions, detail)
    waits = before.get("suspend") and not objects.status(old).get("startTime")
    shown = _unplaced if waits else dict
    if shown(spec.get("template") or {}) != shown(before.get("template") or {}):
        yield causes.invalid("spec.template", spec.get("template"), "field is immutable")


def _unplaced(template: Object) -> Object:
    """Return the template without what says where its pods may run."""
    meta = {key: each for key, each in objects.meta(template).items() if key not in ("labels", "annotations")}
    spec = {key: each for key, each in objects.spec(template).items() if key not in _DIRECTIVES}
    others = {key: each for key, each in (spec.pop("affinity", None) or {}).items() if key != "nodeAffinity"}
    return {"metadata": meta, "spec": spec, "affinity": others}


def validate_spec(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the spec of a Job, wherever it stands."""
    for field in (
        *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
        *("backoffLimitPerIndex", "maxFailedIndexes"),
    ):
        if (spec.get(field) or 0) < 0:
            yield causes.invalid(f"{path}.{field}", spec[field], "must be greater than or equal to 0")
    yield from _manager(spec.get("managedBy"), f"{path}.managedBy")
    yield from (_indexed if spec.get("completionMode") == "Indexed" else _plain)(spec, path)
    yield from jobpolicies.validate(spec, path)
    template = spec.get("template") or {}
    yield from podspec.validate_template(template, f"{path}.template")
    policy = objects.spec(template).get("restartPolicy")
    where = f"{path}.template.spec.restartPolicy"
    if policy == "Always":
        yield causes.required(where, 'valid values: "OnFailure", "Never"')
    elif spec.get("podFailurePolicy") is not None and policy == "OnFailure":
        detail = 'only "Never" is supported when podFailurePolicy is specified'
        yield causes.invalid(where, policy, detail)


def _manager(name: str | None, path: str) -> Iterator[Cause]:
    if name is None:
        return
    yield from _domain_prefixed(name, path)
    if len(name) > _LONGEST_MANAGER:
        yield causes.too_long(path, _LONGEST_MANAGER)


def _domain_prefixed(name: str, path: str) -> Iterator[Cause]:
    host, slash, rest = name.partition("/")
    if not name:
        yield causes.required(path)
    elif not (host and slash and rest):
        yield causes.invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        for fault in names.dns_subdomain(host):
            yield causes.invalid(path, host, fault)
        if not re.fullmatch(_HTTP_PATH, rest):
            detail = f"Invalid path (regex used for validation is '{_HTTP_PATH}')"
            yield causes.invalid(path, rest, detail)


def _plain(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what only Jobs with indexes may have."""
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield causes.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
        if spec.get(field) is not None:
            yield causes.invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")


def _indexed(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the numbers of a Job with indexes."""
    completions, failing = spec.get("completions"), spec.get("maxFailedIndexes")
    parallelism, limited = spec.get("parallelism", 1), spec.get("backoffLimitPerIndex") is not None
    if failing is not None and not limited:
        yield causes.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if completions is None:
        yield causes.required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism > _MANY:
        detail = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        yield causes.invalid(f"{path}.parallelism", parallelism, detail)
    if failing is not None and completions is not None and failing > completions:
        detail = "must be less than or equal to completions"
        yield causes.invalid(f"{path}.maxFailedIndexes", failing, detail)
    if failing is not None and failing > _MANY:
        yield causes.invalid(f"{path}.maxFailedIndexes", failing, f"must be less than or equal to {_MANY}")
    if limited and (completions or 0) > _MANY:
        yield from _very_many(parallelism, failing, path)


def _very_many(parallelism: int, failing: int | None, path: str) -> Iterator[Cause]:
    when = f"when completions are above {_MANY} and used with backoff limit per index"
    if failing is None:
        yield causes.required(
            f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MANY}"
        )
    for field, value in (("parallelism", parallelism), ("maxFailedIndexes", failing or 0)):
        if value > _FEWER:
            yield causes.invalid(f"{path}.{field}", value, f"must be less than or equal to {_FEWER} {when}")


def _selector(obj: Object) -> Iterator[Cause]:
    spec = objects.spec(obj)
    selector, labels = spec.get("selector"), objects.labels(spec.get("template") or {})
    if selector is None:
        yield causes.required("spec.selector")
        return
    faults = selection.validate(selector, "spec.selector")
    yield from faults
    if not faults and not selectors.of(selector).matches(labels):
        detail = "`selector` does not match template `labels`"
        yield causes.invalid("spec.template.metadata.labels", labels, detail)
