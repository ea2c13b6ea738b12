"""What is told on Ingresses: their problems, and where they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.model.objects import Key, Object
from minikctl.plan.ingress import COMPONENT
from minikctl.plan.ingress_routes import Problem


def events(found: Iterable[Problem], ingresses: Mapping[Key, Object]) -> tuple[api.RecordEvent, ...]:
    """Return a Warning event about each problem."""
    return tuple(
        api.RecordEvent(ingresses[one.ingress], "Warning", one.reason, one.message, COMPONENT)
        for one in found
        if one.ingress in ingresses
    )


def status_changes(
    ingresses: Iterable[Object], served: Iterable[Key], address: str
) -> tuple[tuple[Object, dict[str, Any]], ...]:
    """Return (Ingress, merge patch) for each whose status is wrong about where it answers."""
    serving = set(served)
    found = []
    for ingress in ingresses:
        listed = (objects.status(ingress).get("loadBalancer") or {}).get("ingress") or []
        shown = [entry.get("ip") for entry in listed]
        if objects.key(ingress) in serving and shown != [address]:
            found.append((ingress, _address_patch([{"ip": address}])))
        elif objects.key(ingress) not in serving and shown == [address]:
            found.append((ingress, _address_patch(None)))
    return tuple(found)


def _address_patch(entries: list[dict[str, str]] | None) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": entries}}}
