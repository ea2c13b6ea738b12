"""Endpoints that a user keeps for a Service without selector, mirrored as EndpointSlices for all readers.

As Kubernetes' endpointslicemirroring controller: one slice for each set of ports and each address family.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan import children
from minikctl.plan import endpoints as endpoints_plan

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
MAX_ADDRESSES = 1000
"""Of one subset; the rest is not mirrored, as an event says."""
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = (
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
)
COMPONENT = "endpoint-slice-mirroring-controller"

Endpoint = dict[str, Any]
GroupKey = tuple[str, str]
"""(address family, ports as JSON)."""


@dataclass(frozen=True)
class View:
    """Endpoints (None: they are gone), the Service of their name, and the slices that mirror them.

    ``taken`` are names of other slices.
    """

    endpoints: Object | None
    service: Object | None
    slices: tuple[Object, ...] = ()
    taken: frozenset[str] = frozenset()

    @property
    def object(self) -> Object:
        """Return the object that the plan is about."""
        return self.endpoints or self.service or {}


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the slices to create, update and delete so that they show what the Endpoints say."""
    if view.endpoints is None or not mirrored(view.endpoints, view.service):
        return Plan(tuple(_deletion(each) for each in view.slices))
    groups, events = _groups(view.endpoints)
    left = list(view.slices)
    updates: list[ApiAction] = []
    missing = []
    for key, found in groups.items():
        same = [each for each in left if _key(each) == key]
        wanted = _slice(view.endpoints, key, found)
        if not same:
            missing.append(wanted)
            continue
        left.remove(same[0])
        updates += _update(same[0], wanted)
    while missing and left:  # as many writes as needed, no more
        updates += _update(left.pop(0), missing.pop(0))
    deletions = [_deletion(each) for each in left]
    actions = (*_creations(view, missing), *updates, *deletions)
    return Plan((*actions, *events) if actions else ())


def mirrored(endpoints: Object, service: Object | None) -> bool:
    """Tell whether the Endpoints are a user's for a Service that selects no pods."""
    labels = objects.labels(endpoints)
    own = labels.get(endpoints_plan.MANAGED_BY) == endpoints_plan.CONTROLLER
    if own or labels.get(SKIP) == "true" or _LEADER in objects.annotations(endpoints):
        return False
    if service is None or objects.is_deleting(service) or objects.is_deleting(endpoints):
        return False
    return not objects.spec(service).get("selector")


def _groups(endpoints: Object) -> tuple[dict[GroupKey, list[Endpoint]], list[ApiAction]]:
    groups: dict[GroupKey, list[Endpoint]] = {}
    invalid = skipped = 0
    for subset in endpoints.get("subsets") or ():
        ports = json.dumps([_port(one) for one in subset.get("ports") or ()], sort_keys=True)
        room = MAX_ADDRESSES
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                family = _family(str(address.get("ip") or ""))
                if family is None:
                    invalid += 1
                elif not room:
                    skipped += 1
                else:
                    room -= 1
                    groups.setdefault((family, ports), []).append(_endpoint(address, ready))
    return groups, _events(endpoints, invalid, skipped)


def _events(endpoints: Object, invalid: int, skipped: int) -> list[ApiAction]:
    said = []
    if invalid:
        text = f"Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices"
        said.append(("InvalidIPAddress", text))
    if skipped:
        text = f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. "
        said.append(("TooManyAddressesToMirror", text + f"{skipped} addresses were skipped"))
    return [RecordEvent(endpoints, "Warning", reason, text, COMPONENT) for reason, text in said]


def _port(port: dict[str, Any]) -> dict[str, Any]:
    found = {
        "name": port.get("name") or "",
        "port": port.get("port"),
        "protocol": port.get("protocol") or "TCP",
    }
    return {**found, "appProtocol": port["appProtocol"]} if port.get("appProtocol") else found


def _family(ip: str) -> str | None:
    try:
        return f"IPv{ipaddress.ip_address(ip).version}"
    except ValueError:
        return None


def _endpoint(address: dict[str, Any], ready: bool) -> Endpoint:
    found: Endpoint = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    return found | {
        name: address[name] for name in ("hostname", "nodeName", "targetRef") if address.get(name)
    }


def _key(each: Object) -> GroupKey:
    return str(each.get("addressType")), json.dumps(each.get("ports") or [], sort_keys=True)


def _slice(endpoints: Object, key: GroupKey, found: list[Endpoint]) -> Object:
    labels = {**objects.labels(endpoints), SERVICE_NAME: objects.name(endpoints), MANAGED_BY: CONTROLLER}
    metadata: dict[str, Any] = {
        "namespace": objects.namespace(endpoints),
        "labels": labels,
        "ownerReferences": [objects.owner_reference({**endpoints, "apiVersion": "v1", "kind": "Endpoints"})],
    }
    notes = {name: text for name, text in objects.annotations(endpoints).items() if name not in _NOT_COPIED}
    if notes:
        metadata["annotations"] = notes
    return {
        "apiVersion": kinds.ENDPOINT_SLICE.api_version,
        "kind": kinds.ENDPOINT_SLICE.kind,
        "metadata": metadata,
        "addressType": key[0],
        "ports": json.loads(key[1]),
        "endpoints": sorted(found, key=lambda each: json.dumps(each, sort_keys=True)),
    }


def _update(present: Object, wanted: Object) -> list[ApiAction]:
    kept = {name: value for name, value in objects.meta(present).items() if name != "annotations"}
    changed = {**present, **wanted, "metadata": {**kept, **wanted["metadata"]}}
    return [] if changed == present else [Update(kinds.ENDPOINT_SLICE, changed)]


def _creations(view: View, missing: list[Object]) -> list[ApiAction]:
    endpoints = view.object
    taken = view.taken | {objects.name(each) for each in view.slices}
    names = children.child_names(children.prefix_of(endpoints), [objects.uid(endpoints), "mirror"], taken)
    return [
        Create(kinds.ENDPOINT_SLICE, {**each, "metadata": {**each["metadata"], "name": name}})
        for each, name in zip(missing, names, strict=False)
    ]


def _deletion(each: Object) -> Delete:
    return Delete(kinds.ENDPOINT_SLICE, *objects.key(each), objects.uid(each))
