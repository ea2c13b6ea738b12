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
    ingresses: Iterable[Object], served: Iterable[Key], address: str, ports: tuple[int, ...] = ()
) -> tuple[tuple[Object, dict[str, Any]], ...]:
    """Return (Ingress, merge patch) for each whose status is wrong about where it answers.

    ``ports`` are those that it answers at, where they are not the usual ones.
    """
    serving = set(served)
    entry: dict[str, Any] = {"ip": address}
    if ports:
        entry["ports"] = [{"port": port, "protocol": "TCP"} for port in ports]
    found = []
    for ingress in ingresses:
        listed = (objects.status(ingress).get("loadBalancer") or {}).get("ingress") or []
        is_ours = [one.get("ip") for one in listed] == [address]
        if objects.key(ingress) in serving and listed != [entry]:
            found.append((ingress, _address_patch([entry])))
        elif objects.key(ingress) not in serving and is_ours:
            found.append((ingress, _address_patch(None)))
    return tuple(found)


def _address_patch(entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": entries}}}
