"""The words of storage: annotations, finalizers, and what claims ask of volumes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import objects, quantity, selectors
from minikctl.model.objects import Object
from minikctl.plan.scheduler import demands

COMPONENT = "persistentvolume-controller"
PROVISIONER = "minikctl.dev/host-path"
"""The provisioner of the default class: a directory on the host for each claim."""

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLD_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
CONTENT_PROTECTION = "external-provisioner.volume.kubernetes.io/finalizer"
"""Held by a provisioned volume until its directory is gone."""


def class_name(obj: Object) -> str:
    """Return the class of a claim or volume, "" for none."""
    old = objects.annotations(obj).get(OLD_CLASS)
    return str(old if old is not None else objects.spec(obj).get("storageClassName") or "")


def default_class(classes: Iterable[Object]) -> Object | None:
    """Return the class marked as default: the newest of several, by name among those of the same second."""
    marked = [each for each in classes if objects.annotations(each).get(DEFAULT_CLASS) == "true"]
    if not marked:
        return None
    newest = max(str(objects.meta(each).get("creationTimestamp") or "") for each in marked)
    latest = [each for each in marked if str(objects.meta(each).get("creationTimestamp") or "") == newest]
    return min(latest, key=objects.name)


def waits_for_consumer(storage_class: Object | None) -> bool:
    """Tell whether claims of the class are bound only once a pod that uses them has a node."""
    return (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"


def requested(claim: Object) -> Any:
    """Return how much the claim asks for, as its quantity."""
    return ((objects.spec(claim).get("resources") or {}).get("requests") or {}).get("storage") or "0"


def capacity(volume: Object) -> Any:
    """Return how much the volume has, as its quantity."""
    return (objects.spec(volume).get("capacity") or {}).get("storage") or "0"


def mode(obj: Object) -> str:
    """Return Filesystem or Block."""
    return str(objects.spec(obj).get("volumeMode") or "Filesystem")


def mismatch(claim: Object, volume: Object) -> str:
    """Return why the volume cannot be the claim's, "" if it can."""
    if quantity.parse(capacity(volume)) < quantity.parse(requested(claim)):
        return "requested PV is too small"
    if class_name(claim) != class_name(volume):
        return "storageClassName does not match"
    if mode(claim) != mode(volume):
        return "incompatible volumeMode"
    offered = objects.spec(volume).get("accessModes") or ()
    if any(each not in offered for each in objects.spec(claim).get("accessModes") or ()):
        return "incompatible accessMode"
    return ""


def is_reserved_for(volume: Object, claim: Object) -> bool:
    """Tell whether the volume names the claim as its own: by name, and by uid if it tells one."""
    reference = objects.spec(volume).get("claimRef")
    if not reference or (reference.get("namespace"), reference.get("name")) != objects.key(claim):
        return False
    return not reference.get("uid") or reference["uid"] == objects.uid(claim)


def is_bound_to(volume: Object, claim: Object) -> bool:
    """Tell whether the volume is this very claim's."""
    return (objects.spec(volume).get("claimRef") or {}).get("uid") == objects.uid(claim)


def fits_node(volume: Object, node: Object) -> bool:
    """Tell whether the volume can be reached from the node."""
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
    if not required:
        return True
    wanted = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return demands.matches_node({"spec": {"affinity": wanted}}, node)


def topology(storage_class: Object) -> dict[str, Any]:
    """Return the node affinity of volumes of the class: its ``allowedTopologies``, {} for every node."""
    terms = [
        {
            "matchExpressions": [
                {"key": each.get("key"), "operator": "In", "values": list(each.get("values") or ())}
                for each in term.get("matchLabelExpressions") or ()
            ]
        }
        for term in storage_class.get("allowedTopologies") or ()
    ]
    return {"required": {"nodeSelectorTerms": terms}} if terms else {}


def best(claim: Object, volumes: Iterable[Object], node: Object | None = None) -> Object | None:
    """Return the volume for the claim: one reserved for it, else the smallest free one that fits.

    ``node`` is where its pod will run, None if that does not matter.
    """
    known = list(volumes)
    for volume in known:
        if is_reserved_for(volume, claim):
            return volume if not mismatch(claim, volume) and not objects.is_deleting(volume) else None
    selector = objects.spec(claim).get("selector")
    wanted = selectors.of(selector) if selector else None
    free = [
        volume
        for volume in known
        if not objects.spec(volume).get("claimRef")
        and not objects.is_deleting(volume)
        and objects.status(volume).get("phase") == "Available"
        and not mismatch(claim, volume)
        and (wanted is None or wanted.matches(objects.labels(volume)))
        and (node is None or fits_node(volume, node))
    ]
    return min(free, key=lambda each: (quantity.parse(capacity(each)), objects.name(each)), default=None)


def is_ours(volume: Object) -> bool:
    """Tell whether the volume was made by our provisioner."""
    return objects.annotations(volume).get(PROVISIONED_BY) == PROVISIONER


@dataclass(frozen=True)
class Reference:
    """A pod's volume that is a claim; ``ephemeral`` if the claim lives and dies with the pod."""

    volume: str
    claim: str
    read_only: bool = False
    ephemeral: bool = False


def references(pod: Object) -> list[Reference]:
    """Return the claims that the pod uses."""
    found = []
    for volume in objects.spec(pod).get("volumes") or ():
        name = str(volume.get("name") or "")
        if "persistentVolumeClaim" in volume:
            source = volume["persistentVolumeClaim"] or {}
            read_only = bool(source.get("readOnly"))
            found.append(Reference(name, str(source.get("claimName") or ""), read_only))
        elif "ephemeral" in volume:
            found.append(Reference(name, f"{objects.name(pod)}-{name}", ephemeral=True))
    return found


def with_annotations(obj: Object, more: dict[str, str]) -> Object:
    """Return the object with these annotations added."""
    merged = {**objects.annotations(obj), **more}
    return {**obj, "metadata": {**objects.meta(obj), "annotations": merged}}


def protected(obj: Object, finalizer: str) -> Object | None:
    """Return the object with the finalizer, None if it has it."""
    found = list(objects.meta(obj).get("finalizers") or ())
    if finalizer in found:
        return None
    return {**obj, "metadata": {**objects.meta(obj), "finalizers": [*found, finalizer]}}


def phase_since(volume: Object, phase: str, now: datetime) -> dict[str, Any]:
    """Return the status of a volume in that phase, with the moment of the last change."""
    status = {
        name: value for name, value in objects.status(volume).items() if name not in ("message", "reason")
    }
    if status.get("phase") != phase:
        status["lastPhaseTransitionTime"] = objects.timestamp(now)
    return {**status, "phase": phase}
