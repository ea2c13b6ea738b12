"""A claim on its way to a volume: found, provisioned or waited for; bound, grown, and at last let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, quantity
from minikctl.model.actions.api import ApiAction, Create, Patch, Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.storage import parts, provisioning


@dataclass(frozen=True)
class View:
    """A claim, all volumes, the classes by name, the pods of its namespace that use it, and all nodes.

    ``told`` are the reasons and messages of events about the claim that were recorded already.
    """

    object: Object
    volumes: tuple[Object, ...] = ()
    classes: Mapping[str, Object] = field(default_factory=dict)
    pods: tuple[Object, ...] = ()
    nodes: Mapping[str, Object] = field(default_factory=dict)
    told: frozenset[tuple[str, str]] = frozenset()
    directory: str = ""
    """Where the provisioner makes its directories."""

    @property
    def storage_class(self) -> Object | None:
        """Return the claim's class, None if it names none or one that is not there."""
        return self.classes.get(parts.class_name(self.object))

    def volume(self, name: str) -> Object | None:
        """Return the volume of that name."""
        return next((each for each in self.volumes if objects.name(each) == name), None)


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - of all planners
    """Return the claim's next step."""
    claim = view.object
    if objects.is_deleting(claim):
        return _released(view)
    if held := parts.protected(claim, parts.CLAIM_PROTECTION):
        return Plan((Update(kinds.PERSISTENT_VOLUME_CLAIM, held),))
    if parts.class_name(claim) == "" and objects.spec(claim).get("storageClassName") is None:
        found = parts.default_class(view.classes.values())
        if found is not None and not objects.spec(claim).get("volumeName"):
            spec = {**objects.spec(claim), "storageClassName": objects.name(found)}
            return Plan((Update(kinds.PERSISTENT_VOLUME_CLAIM, {**claim, "spec": spec}),))
    if objects.annotations(claim).get(parts.BIND_COMPLETED):
        return _bound(view)
    if objects.spec(claim).get("volumeName"):
        return _asked(view, str(objects.spec(claim)["volumeName"]))
    return _unbound(view)


def _released(view: View) -> Plan:
    """Return the end of a deleted claim, once no pod uses it any more."""
    finalizers = list(objects.meta(view.object).get("finalizers") or ())
    if parts.CLAIM_PROTECTION not in finalizers or any(not readiness.is_finished(pod) for pod in view.pods):
        return Plan()
    finalizers.remove(parts.CLAIM_PROTECTION)
    metadata = {**objects.meta(view.object), "finalizers": finalizers}
    return Plan((Update(kinds.PERSISTENT_VOLUME_CLAIM, {**view.object, "metadata": metadata}),))


def _events(view: View, type_: str, reason: str, message: str) -> tuple[ApiAction, ...]:
    if (reason, message) in view.told:
        return ()
    return (RecordEvent(view.object, type_, reason, message, parts.COMPONENT),)


def _pending(actions: tuple[ApiAction, ...] = ()) -> Plan:
    return Plan(actions, {"phase": "Pending"})


def _unbound(view: View) -> Plan:
    """Return the way to a volume: the best that is there, else what the class offers."""
    claim, chosen = view.object, view.storage_class
    node = view.nodes.get(objects.annotations(claim).get(parts.SELECTED_NODE, ""))
    delayed = parts.waits_for_consumer(chosen) and node is None
    reserved = [each for each in view.volumes if parts.is_reserved_for(each, claim)]
    found = parts.best(claim, reserved if delayed else view.volumes, node)
    if found is not None:
        return _bind(view, found)
    if delayed:
        return _pending(_waiting(view))
    name = parts.class_name(claim)
    if not name:
        text = "no persistent volumes available for this claim and no storage class is set"
        return _pending(_events(view, "Normal", "FailedBinding", text))
    if chosen is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        return _pending(_events(view, "Warning", "ProvisioningFailed", text))
    return _provision(view, chosen)


def _waiting(view: View) -> tuple[ApiAction, ...]:
    waiting = [objects.name(pod) for pod in view.pods if not objects.spec(pod).get("nodeName")]
    if waiting:
        text = f"waiting for pod {min(waiting)} to be scheduled"
        return _events(view, "Normal", "WaitForPodScheduled", text)
    text = "waiting for first consumer to be created before binding"
    return _events(view, "Normal", "WaitForFirstConsumer", text)


def _provision(view: View, chosen: Object) -> Plan:
    claim, provisioner = view.object, str(chosen.get("provisioner") or "")
    if provisioner == "kubernetes.io/no-provisioner":
        text = "no volume plugin matched name: kubernetes.io/no-provisioner"
        return _pending(_events(view, "Warning", "ProvisioningFailed", text))
    marks = {parts.OLD_STORAGE_PROVISIONER: provisioner, parts.STORAGE_PROVISIONER: provisioner}
    if any(objects.annotations(claim).get(key) != value for key, value in marks.items()):
        return Plan((Update(kinds.PERSISTENT_VOLUME_CLAIM, parts.with_annotations(claim, marks)),))
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually "
        "by the system administrator. If volume creation is delayed, please verify that the provisioner is "
        "running and correctly registered."
    )
    if provisioner != parts.PROVISIONER:
        return _pending(_events(view, "Normal", "ExternalProvisioning", text))
    problem = provisioning.refusal(claim)
    if problem:
        text = f'failed to provision volume with StorageClass "{objects.name(chosen)}": {problem}'
        return _pending(_events(view, "Warning", "ProvisioningFailed", text))
    volume = provisioning.volume(claim, chosen, view.directory)
    told = RecordEvent(
        claim,
        "Normal",
        "ProvisioningSucceeded",
        f"Successfully provisioned volume {objects.name(volume)}",
        parts.PROVISIONER,
    )
    return Plan((Create(kinds.PERSISTENT_VOLUME, volume), told))


def _asked(view: View, name: str) -> Plan:
    """Return the binding of a claim that names its volume."""
    claim, volume = view.object, view.volume(name)
    if volume is None:
        return _pending()
    if not objects.spec(volume).get("claimRef"):
        problem = parts.mismatch(claim, volume)
        if problem:
            text = f'Cannot bind to requested volume "{name}": {problem}'
            return _pending(_events(view, "Warning", "VolumeMismatch", text))
        return _bind(view, volume)
    if parts.is_reserved_for(volume, claim):
        return _bind(view, volume)
    text = f'volume "{name}" already bound to a different claim.'
    return _pending(_events(view, "Warning", "FailedBinding", text))


def _bind(view: View, volume: Object) -> Plan:
    """Return the next of the two writes: the volume becomes the claim's, then the claim the volume's."""
    claim = view.object
    if not parts.is_bound_to(volume, claim):
        reserved = bool(objects.spec(volume).get("claimRef"))
        marked = volume if reserved else parts.with_annotations(volume, {parts.BOUND_BY_CONTROLLER: "yes"})
        spec = {**objects.spec(volume), "claimRef": provisioning.claim_reference(claim)}
        return Plan((Update(kinds.PERSISTENT_VOLUME, {**marked, "spec": spec}),))
    marks = {parts.BIND_COMPLETED: "yes"}
    if not objects.spec(claim).get("volumeName"):
        marks[parts.BOUND_BY_CONTROLLER] = "yes"
    spec = {**objects.spec(claim), "volumeName": objects.name(volume)}
    bound = {**parts.with_annotations(claim, marks), "spec": spec}
    return Plan((Update(kinds.PERSISTENT_VOLUME_CLAIM, bound),), _bound_status(claim, volume))


def _bound_status(claim: Object, volume: Object) -> dict[str, Any]:
    return {
        **objects.status(claim),
        "phase": "Bound",
        "accessModes": objects.spec(volume).get("accessModes") or [],
        "capacity": dict(objects.spec(volume).get("capacity") or {}),
    }


def _bound(view: View) -> Plan:
    """Return what a bound claim needs: growth, or the news that its volume is lost."""
    claim, name = view.object, str(objects.spec(view.object).get("volumeName") or "")
    if not name:
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return _lost(view, "ClaimLost", text)
    volume = view.volume(name)
    if volume is None:
        return _lost(
            view, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        )
    if not objects.spec(volume).get("claimRef"):
        return _bind(view, volume)
    if not parts.is_bound_to(volume, claim):
        text = "Two claims are bound to the same volume, this one is bound incorrectly"
        return _lost(view, "ClaimMisbound", text)
    return _grown(view, volume)


def _lost(view: View, reason: str, message: str) -> Plan:
    return Plan(_events(view, "Warning", reason, message), {"phase": "Lost"})


def _grown(view: View, volume: Object) -> Plan:
    """Return the growth of a provisioned volume to what its claim asks for by now."""
    claim, wanted = view.object, parts.requested(view.object)
    smaller = quantity.parse(parts.capacity(volume)) < quantity.parse(wanted)
    if not smaller or not parts.is_ours(volume):
        return Plan((), _bound_status(claim, volume))
    body = {"spec": {"capacity": {"storage": wanted}}}
    text = f"Resize volume {objects.name(volume)} to {wanted}"
    return Plan(
        (
            Patch(kinds.PERSISTENT_VOLUME, "", objects.name(volume), body),
            RecordEvent(claim, "Normal", "VolumeResizeSuccessful", text, parts.PROVISIONER),
        )
    )
