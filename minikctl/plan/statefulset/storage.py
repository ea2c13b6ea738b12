"""The claims of a StatefulSet's pods: made with the pod, and owned such that they end as the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan.statefulset.parts import StatefulSet, View

COMPONENT = "statefulset-controller"


def names(owner: StatefulSet, ordinal: int) -> dict[str, Object]:
    """Return the templates of the replica's claims by the claims' names."""
    return {
        f"{objects.name(template)}-{owner.name}-{ordinal}": template
        for template in objects.spec(owner.object).get("volumeClaimTemplates") or ()
    }


def missing(owner: StatefulSet, view: View, ordinal: int) -> list[ApiAction]:
    """Return the creation of the replica's claims that are not there."""
    actions: list[ApiAction] = []
    for name, template in names(owner, ordinal).items():
        if name not in view.claims:
            text = f"create Claim {name} Pod {owner.name}-{ordinal} in StatefulSet {owner.name} success"
            actions.append(Create(kinds.PERSISTENT_VOLUME_CLAIM, _claim(owner, name, template)))
            actions.append(RecordEvent(owner.object, "Normal", "SuccessfulCreate", text, COMPONENT))
    return actions


def is_leaving(owner: StatefulSet, view: View, ordinal: int) -> bool:
    """Tell whether the replica has to wait: a claim of its name is about to go, maybe with an earlier pod."""
    found = (view.claims.get(name) for name in names(owner, ordinal))
    pod = f"{owner.name}-{ordinal}"
    return any(
        claim is not None
        and (objects.is_deleting(claim) or any(_refers(each, "Pod", pod) for each in _references(claim)))
        for claim in found
    )


def retention(owner: StatefulSet, view: View, pod: Object, ordinal: int) -> Iterator[ApiAction]:
    """Yield what has the replica's claims owned by the set, by the pod, or by nobody, as the policy says."""
    for name in names(owner, ordinal):
        claim = view.claims.get(name)
        if claim is None or _is_stale(claim, owner, pod):
            continue
        wanted = _wanted_references(owner, claim, pod, ordinal)
        if wanted != _references(claim):
            metadata = {**objects.meta(claim), "ownerReferences": wanted}
            yield Update(kinds.PERSISTENT_VOLUME_CLAIM, {**claim, "metadata": metadata})


def volumes(owner: StatefulSet, ordinal: int, given: list[Any]) -> list[Any]:
    """Return a pod's volumes: the replica's claims, instead of given ones of their names, then the rest."""
    claims = {objects.name(template): name for name, template in names(owner, ordinal).items()}
    made = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()]
    return [*made, *(each for each in given if each.get("name") not in claims)]


def _claim(owner: StatefulSet, name: str, template: Object) -> Object:
    selector = objects.spec(owner.object).get("selector") or {}
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": objects.namespace(owner.object),
        "labels": {**objects.labels(template), **(selector.get("matchLabels") or {})},
    }
    if objects.annotations(template):
        metadata["annotations"] = dict(objects.annotations(template))
    spec = objects.spec(template)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _references(claim: Object) -> list[dict[str, Any]]:
    return list(objects.meta(claim).get("ownerReferences") or ())


def _refers(reference: dict[str, Any], kind: str, name: str) -> bool:
    return reference.get("kind") == kind and reference.get("name") == name


def _is_stale(claim: Object, owner: StatefulSet, pod: Object) -> bool:
    """Tell whether the claim ends with an earlier set or pod of the same name: it is left alone then."""
    return any(
        (_refers(each, "StatefulSet", owner.name) and each.get("uid") != objects.uid(owner.object))
        or (_refers(each, "Pod", objects.name(pod)) and each.get("uid") != objects.uid(pod))
        for each in _references(claim)
    )


def _wanted_references(owner: StatefulSet, claim: Object, pod: Object, ordinal: int) -> list[dict[str, Any]]:
    ours = {objects.uid(owner.object), objects.uid(pod)}
    others = [each for each in _references(claim) if each.get("uid") not in ours]
    if any(each.get("controller") for each in others):
        return others
    scaled_down = ordinal not in owner.ordinals
    if scaled_down and not owner.keeps_scaled:
        return [*others, objects.owner_reference({"apiVersion": "v1", "kind": "Pod", **pod})]
    if not owner.keeps_deleted and not (scaled_down and not owner.keeps_scaled):
        return [*others, objects.owner_reference(owner.object)]
    return others
