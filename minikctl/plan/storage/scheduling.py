"""What claims say to where a pod may run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Patch
from minikctl.model.objects import Key, Object
from minikctl.plan.storage import parts

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
CONFLICT = "node(s) had volume node affinity conflict"
NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"


@dataclass(frozen=True)
class Storage:
    """All claims by (namespace, name), volumes and classes by name."""

    claims: Mapping[Key, Object] = field(default_factory=dict)
    volumes: Mapping[str, Object] = field(default_factory=dict)
    classes: Mapping[str, Object] = field(default_factory=dict)

    def of(self, pod: Object) -> list[Object]:
        """Return the claims that the pod uses, as far as they are there; ``blocked`` tells of the others."""
        named = [(objects.namespace(pod), each.claim) for each in parts.references(pod)]
        return [self.claims[key] for key in named if key in self.claims]


def blocked(pod: Object, storage: Storage) -> str:
    """Return what keeps the pod from every node, "" for nothing."""
    faults = [_fault(pod, each, storage) for each in parts.references(pod)]
    if any(faults):
        return next(filter(None, faults))
    unbound = [claim for claim in storage.of(pod) if not is_bound(claim)]
    return "" if all(_is_delayed(claim, storage) for claim in unbound) else UNBOUND


def _fault(pod: Object, reference: parts.Reference, storage: Storage) -> str:
    """Return what is wrong with one claim, "" for nothing."""
    claim = storage.claims.get((objects.namespace(pod), reference.claim))
    name = f'persistentvolumeclaim "{reference.claim}"'
    if claim is None and reference.ephemeral:
        return f"waiting for ephemeral volume controller to create the {name}"
    if claim is None:
        return f"{name} not found"
    if objects.status(claim).get("phase") == "Lost":
        return f'{name} bound to non-existent persistentvolume "{objects.spec(claim).get("volumeName")}"'
    if objects.is_deleting(claim):
        return f"{name} is being deleted"
    return not_owned(pod, claim) if reference.ephemeral else ""


def not_owned(pod: Object, claim: Object) -> str:
    """Return that a claim with the name of one for the pod alone was not made for it, "" if it was."""
    if (objects.controller_of(claim) or {}).get("uid") == objects.uid(pod):
        return ""
    namespace = objects.namespace(pod)
    return (
        f"PVC {namespace}/{objects.name(claim)} was not created for pod {namespace}/{objects.name(pod)} "
        "(pod is not owner)"
    )


def refusal(pod: Object, node: Object, storage: Storage) -> str:
    """Return what keeps the pod's claims from the node, "" for nothing."""
    for claim in storage.of(pod):
        if is_bound(claim):
            volume = storage.volumes.get(str(objects.spec(claim).get("volumeName")))
            if volume is not None and not parts.fits_node(volume, node):
                return CONFLICT
        elif parts.best(claim, storage.volumes.values(), node) is None:
            chosen = storage.classes.get(parts.class_name(claim)) or {}
            if chosen.get("provisioner") in (None, "kubernetes.io/no-provisioner"):
                return NOTHING_TO_BIND
            made = {"spec": {"nodeAffinity": parts.topology(chosen)}}
            if not parts.fits_node(made, node):
                return NOTHING_TO_BIND
    return ""


def selections(pod: Object, node: str, storage: Storage) -> list[ApiAction]:
    """Return the writes that have unbound claims bound for the node; the pod is not bound before they are."""
    found: list[ApiAction] = []
    for claim in storage.of(pod):
        if not is_bound(claim) and objects.annotations(claim).get(parts.SELECTED_NODE) != node:
            body = {"metadata": {"annotations": {parts.SELECTED_NODE: node}}}
            found.append(Patch(kinds.PERSISTENT_VOLUME_CLAIM, *objects.key(claim), body))
    return found


def is_ready(pod: Object, storage: Storage) -> bool:
    """Tell whether all claims of the pod are bound."""
    return all(map(is_bound, storage.of(pod)))


def is_bound(claim: Object) -> bool:
    """Tell whether the claim has its volume, and says so."""
    return bool(objects.spec(claim).get("volumeName")) and parts.BIND_COMPLETED in objects.annotations(claim)


def _is_delayed(claim: Object, storage: Storage) -> bool:
    return parts.waits_for_consumer(storage.classes.get(parts.class_name(claim)))


def is_exclusive(claim: Object) -> bool:
    """Tell whether one pod alone may use the claim."""
    return "ReadWriteOncePod" in (objects.spec(claim).get("accessModes") or ())
