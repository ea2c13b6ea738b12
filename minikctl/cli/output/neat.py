"""``-o yaml --neat``: an object as somebody would write it, without what the server put in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minikctl.model import kinds, schema

Object = dict[str, Any]

_METADATA = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "ownerReferences",
    "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
)  # fmt: skip
_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
)  # fmt: skip
_LABELS = (
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "kubernetes.io/metadata.name",
)
_FILLED_IN = {
    "Pod": ("nodeName", "serviceAccount", "preemptionPolicy", "priority", "enableServiceLinks"),
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
    "PersistentVolumeClaim": ("volumeName",),
    "Namespace": ("finalizers",),
}
"""Fields of the spec that the server or a controller chose."""

_TOKEN_VOLUME = "kube-api-access-"
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def neat(obj: Object) -> Object:
    """Return the object without status, bookkeeping and defaults."""
    found = copy.deepcopy(obj)
    found.pop("status", None)
    metadata = found.get("metadata") or {}
    for name in _METADATA:
        metadata.pop(name, None)
    for part, names in (("annotations", _ANNOTATIONS), ("labels", _LABELS)):
        for name in names:
            (metadata.get(part) or {}).pop(name, None)
        if not metadata.get(part):
            metadata.pop(part, None)
    spec = found.get("spec")
    if isinstance(spec, dict):
        _forget(found, spec)
    _drop_defaults(found)
    return found


def _forget(found: Object, spec: Object) -> None:
    kind = str(found.get("kind"))
    if not (kind == "Service" and spec.get("clusterIP") == "None"):
        for name in _FILLED_IN.get(kind, ()):
            spec.pop(name, None)
    elif "clusterIPs" in spec:
        del spec["clusterIPs"]
    if kind == "Pod":
        _forget_token(spec)
        spec["tolerations"] = [
            one for one in spec.get("tolerations") or () if one.get("key") not in _TOLERATED
        ]
        if not spec["tolerations"]:
            del spec["tolerations"]
    if kind == "Job" and "selector" in spec and not spec.get("manualSelector"):
        del spec["selector"]
        labels = (spec.get("template") or {}).get("metadata", {}).get("labels") or {}
        for name in [label for label in labels if "controller-uid" in label or "job-name" in label]:
            del labels[name]


def _forget_token(spec: Object) -> None:
    """Drop the volume that every pod gets for its ServiceAccount's token, and its mounts."""
    spec["volumes"] = [v for v in spec.get("volumes") or () if not v["name"].startswith(_TOKEN_VOLUME)]
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            mounts = [
                m for m in container.get("volumeMounts") or () if not m["name"].startswith(_TOKEN_VOLUME)
            ]
            container["volumeMounts"] = mounts
            if not mounts:
                del container["volumeMounts"]
    if not spec["volumes"]:
        del spec["volumes"]
    if spec.get("serviceAccountName") == "default":
        del spec["serviceAccountName"]


def _drop_defaults(found: Object) -> None:
    """Remove each field that the schema's defaults would bring back just so."""
    kind = kinds.of(found)
    if kind is None:
        return
    whole = _defaulted(kind, found)
    for holder, key in list(_fields(found)):
        kept = holder[key]
        del holder[key]
        if _defaulted(kind, found) != whole:
            holder[key] = kept


def _defaulted(kind: Any, found: Object) -> Object:
    trial = copy.deepcopy(found)
    schema.apply_defaults(kind, trial)
    return trial


def _fields(value: Any, depth: int = 0) -> Iterator[tuple[Object, str]]:
    """Yield (holder, key) of all fields but the outermost, the inner ones first."""
    if isinstance(value, dict):
        for key in list(value):
            yield from _fields(value[key], depth + 1)
            if depth:
                yield value, key
    elif isinstance(value, list):
        for item in value:
            yield from _fields(item, depth + 1)
