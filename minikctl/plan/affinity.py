"""What a pod demands of its node and of its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.objects import Object

_HARD = ("NoSchedule", "NoExecute")


def matches_node(pod: Object, node: Object) -> bool:
    """Tell whether the node has what nodeSelector and required node affinity demand."""
    spec = objects.spec(pod)
    wanted = spec.get("nodeSelector") or {}
    if any(objects.labels(node).get(key) != value for key, value in wanted.items()):
        return False
    required = _part(pod, "nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def untolerated(pod: Object, node: Object) -> Mapping[str, Any] | None:
    """Return the first taint that keeps the pod off the node, if there is one."""
    tolerations = objects.spec(pod).get("tolerations") or ()
    for taint in objects.spec(node).get("taints") or ():
        if taint.get("effect") in _HARD and not any(_tolerates(each, taint) for each in tolerations):
            return dict(taint)
    return None


def misses_neighbours(pod: Object, node: Object, placed: Iterable[tuple[Object, Object]]) -> bool:
    """Tell whether the node lacks a neighbour that required pod affinity demands.

    ``placed`` are the pods that have a node, each with it.  A pod that matches itself may be the first.
    """
    known = list(placed)
    for term in _required(pod, "podAffinity"):
        others = [place for place in known if _selects(term, pod, place[0])]
        near = any(_same_place(term, node, other) for _, other in others)
        alone = not others and _selects(term, pod, pod)
        if _place(term, node) is None or not (near or alone):
            return True
    return False


def has_unwanted_neighbours(pod: Object, node: Object, placed: Iterable[tuple[Object, Object]]) -> bool:
    """Tell whether required anti-affinity, of the pod or of a pod that is there, forbids the node."""
    for other, place in placed:
        for term in _required(pod, "podAntiAffinity"):
            if _selects(term, pod, other) and _same_place(term, node, place):
                return True
        for term in _required(other, "podAntiAffinity"):
            if _selects(term, other, pod) and _same_place(term, node, place):
                return True
    return False


def _part(pod: Object, name: str) -> Mapping[str, Any]:
    return (objects.spec(pod).get("affinity") or {}).get(name) or {}


def _required(pod: Object, name: str) -> list[Mapping[str, Any]]:
    return list(_part(pod, name).get("requiredDuringSchedulingIgnoredDuringExecution") or ())


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


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _selects(term: Mapping[str, Any], pod: Object, other: Object) -> bool:
    namespaces = term.get("namespaces") or ()
    everywhere = term.get("namespaceSelector") == {}
    here = objects.namespace(other) in (namespaces or (objects.namespace(pod),))
    return (everywhere or here) and selectors.of(term.get("labelSelector")).matches(objects.labels(other))


def _place(term: Mapping[str, Any], node: Object) -> str | None:
    return objects.labels(node).get(str(term.get("topologyKey")))


def _same_place(term: Mapping[str, Any], node: Object, other: Object) -> bool:
    return _place(term, node) is not None and _place(term, node) == _place(term, other)
