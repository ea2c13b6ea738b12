"""RuntimeClass."""

from __future__ import annotations

from minikctl.model import causes, metadata, names
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec, resources


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a RuntimeClass."""
    handler = str(obj.get("handler") or "")
    found = [causes.invalid("handler", handler, fault) for fault in names.dns_label(handler)]
    if obj.get("overhead") is not None:
        fixed = {"limits": obj["overhead"].get("podFixed") or {}}
        found += resources.validate(fixed, "overhead.podFixed")
    scheduling = obj.get("scheduling") or {}
    found += metadata.labels(scheduling.get("nodeSelector") or {}, "scheduling.nodeSelector")
    found += podspec.tolerations(scheduling.get("tolerations") or (), "scheduling.tolerations")
    if old is not None and handler != old.get("handler"):
        found.append(causes.invalid("handler", handler, "field is immutable"))
    return found
