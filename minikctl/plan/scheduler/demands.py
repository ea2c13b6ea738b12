"""What a pod demands of its node, and prefers, whatever else is on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.objects import Object

HARD = ("NoSchedule", "NoExecute")
SOFT = ("PreferNoSchedule",)


def matches_node(pod: Object, node: Object) -> bool:
    """Tell whether the node has what nodeSelector and required node affinity demand."""
    spec = objects.spec(pod)
    wanted = spec.get("nodeSelector") or {}
    if any(objects.labels(node).get(key) != value for key, value in wanted.items()):
        return False
    required = _node_affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def preference(pod: Object, node: Object) -> int:
    """Return the sum of the weights of the node affinity preferences that the node meets."""
    preferred = _node_affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return sum(
        int(each.get("weight") or 0)
        for each in preferred
        if not each.get("preference") or _term_matches(each["preference"], node)
    )


def untolerated(
    pod: Object, taints: Iterable[Mapping[str, Any]], effects: tuple[str, ...] = HARD
) -> list[Mapping[str, Any]]:
    """Return the taints of these effects that the pod does not tolerate."""
    tolerations = objects.spec(pod).get("tolerations") or ()
    return [
        taint
        for taint in taints
        if taint.get("effect") in effects and not any(tolerates(each, taint) for each in tolerations)
    ]


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Tell whether the toleration covers the taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if not toleration.get("key"):
        return False
    if operator in ("Lt", "Gt"):
        return selectors.Requirement("", operator, (str(toleration.get("value")),)).matches(
            {"": str(taint.get("value") or "")}
        )
    return (toleration.get("value") or "") == (taint.get("value") or "")


def _node_affinity(pod: Object) -> Mapping[str, Any]:
    return (objects.spec(pod).get("affinity") or {}).get("nodeAffinity") or {}


def _term_matches(term: Mapping[str, Any], node: Object) -> bool:
    on_labels, on_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not on_labels and not on_fields:
        return False
    fields = {"metadata.name": objects.name(node)}
    return all(_requirement(each).matches(objects.labels(node)) for each in on_labels) and all(
        _requirement(each).matches(fields) for each in on_fields
    )


def _requirement(each: Mapping[str, Any]) -> selectors.Requirement:
    return selectors.Requirement(each["key"], each["operator"], tuple(each.get("values") or ()))
