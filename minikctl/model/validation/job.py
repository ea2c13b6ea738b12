"""Job."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.model.validation import podspec

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
