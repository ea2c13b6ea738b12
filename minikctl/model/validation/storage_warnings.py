"""What is told to whoever writes volumes, claims and selectors of nodes, without refusing them.

The rules and words are those of util.go in Kubernetes' pkg/api/persistentvolume, persistentvolumeclaim, node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.objects import Object

CLASS = "volume.beta.kubernetes.io/storage-class"
MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_SINCE = 'deprecated since v1.{}; use "{}" instead'
LABELS = {
    "beta.kubernetes.io/arch": _SINCE.format(14, "kubernetes.io/arch"),
    "beta.kubernetes.io/os": _SINCE.format(14, "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": _SINCE.format(17, "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": _SINCE.format(17, "topology.kubernetes.io/zone"),
    "beta.kubernetes.io/instance-type": _SINCE.format(17, "node.kubernetes.io/instance-type"),
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": (
        "deprecated since v1.22; use Taints and Tolerations instead"
    ),
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
"""Labels of nodes that others have taken the place of."""
VOLUMES = {
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}


def shown_as(plugin: str) -> str:
    """Return how Kubernetes calls the field in warnings."""
    return "storageOS" if plugin == "storageos" else plugin


def node_label(key: str) -> str:
    """Return what is to be said of a label of nodes, "" if nothing is."""
    return LABELS.get(key, "")


def selector_term(term: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the warnings of one term that nodes are chosen by."""
    for index, one in enumerate(term.get("matchExpressions") or ()):
        if text := node_label(one.get("key", "")):
            yield f"{path}.matchExpressions[{index}].key: {one['key']} is {text}"


def fractions(found: Mapping[str, Any], names: tuple[str, ...], path: str) -> Iterator[str]:
    """Yield which of the named quantities are no whole number of bytes."""
    for name in names:
        if name in found and quantity.millis(found[name]) % 1000:
            shown = quantity.canonical(found[name])
            yield f'{path}[{name}]: fractional byte value "{shown}" is invalid, must be an integer'


def of_claim(claim: Object) -> Iterator[str]:
    """Yield the warnings of a PersistentVolumeClaim."""
    if CLASS in objects.annotations(claim):
        yield _noted(CLASS, "v1.8", "storageClassName")
    yield from of_claim_spec(objects.spec(claim), "spec")


def of_claim_spec(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the warnings of what a claim asks for."""
    for side in ("requests", "limits"):
        found = (spec.get("resources") or {}).get(side) or {}
        yield from fractions(found, ("storage",), f"{path}.resources.{side}")


def of_volume(volume: Object) -> Iterator[str]:
    """Yield the warnings of a PersistentVolume."""
    spec, notes = objects.spec(volume), objects.annotations(volume)
    if CLASS in notes:
        yield _noted(CLASS, "v1.8", "storageClassName")
    if MOUNT_OPTIONS in notes:
        yield _noted(MOUNT_OPTIONS, "v1.31", "mountOptions")
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield (
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated."
            " Instead, the recommended approach is to use dynamic provisioning."
        )
    required = (spec.get("nodeAffinity") or {}).get("required") or {}
    for index, term in enumerate(required.get("nodeSelectorTerms") or ()):
        yield from selector_term(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    for plugin, text in VOLUMES.items():
        if spec.get(plugin) is not None:
            yield f"spec.{shown_as(plugin)}: {text}"


def _noted(name: str, version: str, field: str) -> str:
    return f'metadata.annotations[{name}]: deprecated since {version}; use "{field}" attribute instead'
