"""What the containers of a pod ask for together, and what is asked for the pod as a whole (KEP-2837)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minikctl.model import quantity
from minikctl.model.objects import Object

POD_LEVEL = ("cpu", "hugepages-", "memory")
"""The resources that a pod as a whole may ask for; hugepages of every size."""


def is_pod_level(name: str) -> bool:
    """Tell whether a pod as a whole may ask for this resource."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def of_pod(spec: Object, side: str) -> dict[str, Any]:
    """Return the ``requests`` or ``limits`` of the pod as a whole, {} if it has none."""
    return (spec.get("resources") or {}).get(side) or {}


def of_containers(spec: Object, side: str) -> dict[str, str]:
    """Return the effective ``requests`` or ``limits`` of the containers.

    Of those that run together, or of the largest step of initialisation where that is more.
    """

    def of(container: Object) -> dict[str, str]:
        return dict((container.get("resources") or {}).get(side) or {})

    running = total([of(each) for each in spec.get("containers") or ()])
    sidecars: dict[str, str] = {}
    peak: dict[str, str] = {}
    for each in spec.get("initContainers") or ():
        step = total([sidecars, of(each)])
        if each.get("restartPolicy") == "Always":
            sidecars = step
        peak = larger(peak, step)
    return larger(total([running, sidecars]), peak)


def default(spec: Object) -> None:
    """Complete the requests of a pod that has limits as a whole: its containers', else the limits."""
    limits = of_pod(spec, "limits")
    if not limits:
        return
    asked = {name: amount for name, amount in of_containers(spec, "requests").items() if is_pod_level(name)}
    least = {name: amount for name, amount in limits.items() if is_pod_level(name)}
    given = {**least, **asked, **of_pod(spec, "requests")}
    if given:
        spec["resources"]["requests"] = given


def total(all_of: Iterable[dict[str, str]]) -> dict[str, str]:
    """Return the sums of amounts by their names."""
    lists = list(all_of)
    names = {name: None for each in lists for name in each}
    return {name: quantity.total(each[name] for each in lists if name in each) for name in names}


def larger(left: dict[str, str], right: dict[str, str]) -> dict[str, str]:
    """Return the larger amount of each name."""
    return {
        **left,
        **{name: value for name, value in right.items() if quantity.compare(value, left.get(name, "0")) > 0},
    }
