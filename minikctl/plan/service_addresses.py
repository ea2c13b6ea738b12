"""An IPAddress object for each cluster address that a Service holds, as Kubernetes' allocator keeps them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Create, Delete, Plan
from minikctl.model.objects import Key, Object

MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
MANAGER = "ipallocator.k8s.io"
FAMILY = "ipaddress.kubernetes.io/ip-family"


@dataclass(frozen=True)
class View:
    """A Service by its key, None once it is gone; its IPAddress objects; which of its addresses have any."""

    key: Key
    service: Object | None
    own: tuple[Object, ...]
    present: frozenset[str]

    @property
    def object(self) -> Object:
        """Return the Service, or what names it."""
        return self.service or {"metadata": {"namespace": self.key[0], "name": self.key[1]}}


def held(service: Object | None) -> Iterator[str]:
    """Yield the cluster addresses that a Service holds."""
    spec = objects.spec(service or {})
    if spec.get("type") != "ExternalName":
        yield from (each for each in spec.get("clusterIPs") or () if each and each != "None")


def parent(address: Object) -> Key | None:
    """Return the Service that one of our IPAddress objects is for, None for anybody else's object."""
    if (objects.meta(address).get("labels") or {}).get(MANAGED_BY) != MANAGER:
        return None
    reference = objects.spec(address).get("parentRef") or {}
    if reference.get("group") or reference.get("resource") != "services":
        return None
    return str(reference.get("namespace") or ""), str(reference.get("name") or "")


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the creation of what is missing and the removal of what the Service gave back."""
    wanted = tuple(held(view.service))
    stale = [each for each in view.own if objects.name(each) not in wanted]
    missing = [each for each in wanted if each not in view.present]
    return Plan(
        (
            *(Delete(kinds.IP_ADDRESS, "", objects.name(each), uid=objects.uid(each)) for each in stale),
            *(Create(kinds.IP_ADDRESS, _address(each, view.key)) for each in missing),
        )
    )


def _address(address: str, key: Key) -> dict[str, Any]:
    family = f"IPv{ipaddress.ip_address(address).version}"
    reference = {"group": "", "resource": "services", "namespace": key[0], "name": key[1]}
    return {
        "apiVersion": kinds.IP_ADDRESS.api_version,
        "kind": kinds.IP_ADDRESS.kind,
        "metadata": {"name": address, "labels": {MANAGED_BY: MANAGER, FAMILY: family}},
        "spec": {"parentRef": reference},
    }
