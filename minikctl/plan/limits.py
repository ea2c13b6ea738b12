"""LimitRanges: the defaults that they give to containers, and what breaks their bounds.

Rules and words are those of Kubernetes' LimitRanger admission plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minikctl.model import objects, podresources, quantity
from minikctl.model.objects import Object

ANNOTATION = "kubernetes.io/limit-ranger"
Amounts = Mapping[str, Any]
_FIELDS = (("containers", "container"), ("initContainers", "init container"))


def complete(pod: Object, ranges: Iterable[Object]) -> None:
    """Give the pod's containers, in place, the defaults that they do not set themselves."""
    told: list[str] = []
    for each in ranges:
        items = [item for item in _items(each) if item.get("type") == "Container"]
        limits = {name: value for item in items for name, value in (item.get("default") or {}).items()}
        requests = {
            name: value for item in items for name, value in (item.get("defaultRequest") or {}).items()
        }
        for field, word in _FIELDS:
            for container in objects.spec(pod).get(field) or ():
                told += _merge(container, requests, limits, word)
    if told:
        notes = {**objects.annotations(pod), ANNOTATION: f"LimitRanger plugin set: {'; '.join(told)}"}
        pod["metadata"]["annotations"] = notes


def _merge(container: Object, requests: Amounts, limits: Amounts, word: str) -> Iterator[str]:
    resources = dict(container.get("resources") or {})
    for field, wanted in (("limits", limits), ("requests", requests)):
        present = resources.get(field) or {}
        added = {name: value for name, value in wanted.items() if name not in present}
        if added:
            resources[field] = {**present, **added}
    before = container.get("resources") or {}
    container["resources"] = resources
    for field, what in (("requests", "request"), ("limits", "limit")):
        added = {name: 1 for name in resources.get(field) or () if name not in (before.get(field) or ())}
        if added:
            yield f"{', '.join(sorted(added))} {what} for {word} {container.get('name')}"


def violations(kind: str, obj: Object, ranges: Iterable[Object]) -> list[str]:
    """Return what of a Pod or PersistentVolumeClaim is out of the bounds."""
    items = [item for each in ranges for item in _items(each)]
    if kind == "PersistentVolumeClaim":
        return [text for item in items for text in _of_claim(item, obj)]
    return [text for item in items for text in _of_pod(item, obj)]


def _items(each: Object) -> list[Object]:
    return list(objects.spec(each).get("limits") or ())


def _of_claim(item: Object, claim: Object) -> Iterator[str]:
    if item.get("type") != "PersistentVolumeClaim":
        return
    requests = (objects.spec(claim).get("resources") or {}).get("requests") or {}
    word = str(item["type"])
    for name, bound in _sorted(item.get("min")):
        yield from _below(word, name, bound, requests, {})
    for name, bound in _sorted(item.get("max")):
        start = f"maximum {name} usage per {word} is {bound}"
        if name not in requests:
            yield f"{start}.  No request is specified"
        elif quantity.compare(requests[name], bound) > 0:
            yield f"{start}, but request is {quantity.canonical(requests[name])}"


def _of_pod(item: Object, pod: Object) -> Iterator[str]:
    word, spec = str(item.get("type")), objects.spec(pod)
    if word == "Container":
        for field, _ in _FIELDS:
            for container in spec.get(field) or ():
                resources = container.get("resources") or {}
                yield from _out(item, word, resources.get("requests") or {}, resources.get("limits") or {})
    elif word == "Pod":
        yield from _out(item, word, pod_total(pod, "requests"), pod_total(pod, "limits"))


def _out(item: Object, word: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, bound in _sorted(item.get("min")):
        yield from _below(word, name, bound, requests, limits)
    for name, bound in _sorted(item.get("max")):
        yield from _above(word, name, bound, requests, limits)
    for name, bound in _sorted(item.get("maxLimitRequestRatio")):
        yield from _ratio(word, name, bound, requests, limits)


def _sorted(amounts: Amounts | None) -> list[tuple[str, str]]:
    return [(name, quantity.canonical(value)) for name, value in sorted((amounts or {}).items())]


def _below(word: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start = f"minimum {name} usage per {word} is {bound}"
    if name not in requests:
        yield f"{start}.  No request is specified"
    elif quantity.compare(requests[name], bound) < 0:
        yield f"{start}, but request is {quantity.canonical(requests[name])}"
    elif name in limits and quantity.compare(limits[name], bound) < 0:
        yield f"{start}, but limit is {quantity.canonical(limits[name])}"


def _above(word: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start = f"maximum {name} usage per {word} is {bound}"
    if name not in limits:
        yield f"{start}.  No limit is specified"
    elif quantity.compare(limits[name], bound) > 0:
        yield f"{start}, but limit is {quantity.canonical(limits[name])}"
    elif name in requests and quantity.compare(requests[name], bound) > 0:
        yield f"{start}, but request is {quantity.canonical(requests[name])}"


def _ratio(word: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    start = f"{name} max limit to request ratio per {word} is {bound}"
    if name not in requests or not quantity.parse(requests[name]):
        yield f"{start}, but no request is specified or request is 0"
    elif name not in limits or not quantity.parse(limits[name]):
        yield f"{start}, but no limit is specified or limit is 0"
    else:
        found = quantity.parse(limits[name]) / quantity.parse(requests[name])
        if found > quantity.parse(bound):
            yield f"{start}, but provided ratio is {float(found):f}"


def pod_total(pod: Object, field: str) -> dict[str, str]:
    """Return the pod's effective ``requests`` or ``limits``, with what it takes beside its containers."""
    spec = objects.spec(pod)
    found = {**podresources.of_containers(spec, field), **podresources.of_pod(spec, field)}
    return podresources.total([found, spec.get("overhead") or {}]) if found else found
