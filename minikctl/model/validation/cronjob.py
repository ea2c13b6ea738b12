"""CronJob."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.model.validation import podspec


def default(obj: Object) -> None:
    """Complete a CronJob: the pod template of its Jobs; the Jobs complete themselves when they are made."""
    job = objects.spec(objects.spec(obj).get("jobTemplate") or {})
    podspec.default(objects.spec(job.get("template") or {}))
