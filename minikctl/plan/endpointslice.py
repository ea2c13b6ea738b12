"""EndpointSlice: the pods behind a Service, in slices of at most 100, with as few writes as possible."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Plan, Update
from minikctl.model.objects import Object
from minikctl.plan import children, proxy_view, readiness, service_ports

SERVICE_NAME = "kubernetes.io/service-name"
SAME_NODE = "PreferSameNode"
CLOSE = ("PreferClose", "PreferSameZone", SAME_NODE)
"""Values of trafficDistribution that have endpoints bear hints."""
MANAGED_BY = proxy_view.MANAGED_BY
CONTROLLER = proxy_view.SLICES_CONTROLLER
MAX_ENDPOINTS = 100
_RESERVED = (SERVICE_NAME, MANAGED_BY, service_ports.HEADLESS)

Endpoint = dict[str, Any]
Ports = list[dict[str, Any]]


@dataclass(frozen=True)
class View:
    """A Service with the pods that it selects and the slices that this planner made for it.

    ``zones`` has each known node with its zone, "" if it has none.  ``taken`` are names of other slices.
    """

    object: Object
    pods: tuple[Object, ...] = ()
    slices: tuple[Object, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()


@dataclass
class _Group:
    """Endpoints of one family and one set of ports: as wanted, and the slices that hold them."""

    ports: Ports
    wanted: dict[str, Endpoint] = field(default_factory=dict)
    slices: list[Object] = field(default_factory=list)


@dataclass
class _Changes:
    """What to write; ``foreign`` slices were made for an earlier Service of the name and are deleted too."""

    foreign: list[Object] = field(default_factory=list)
    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the slices to create, update and delete; what is right already is not written."""
    service = view.object
    if objects.is_deleting(service) or not service_ports.selects_pods(service):
        return Plan()
    families = service_ports.families(service)
    changes = _Changes(delete=[each for each in view.slices if each.get("addressType") not in families])
    for family in families:
        _family(view, family, changes)
    return Plan(_actions(view, changes))


def _family(view: View, family: str, changes: _Changes) -> None:
    found = _Changes()
    existing = [each for each in view.slices if each.get("addressType") == family]
    groups = _groups(view, family, existing, found)
    for group in groups.values():
        _fill(view, family, group, found)
    if len(found.delete) + len(found.foreign) == len(existing) and not found.create:
        # A Service without endpoints keeps one empty slice, which tells that it was looked at.
        found.create.append(_new_slice(view.object, family, []))
    _reuse(found)
    changes.create += found.create
    changes.update += [each for each in found.update if each not in existing]
    changes.delete += found.delete + found.foreign


def _groups(view: View, family: str, existing: list[Object], found: _Changes) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for pod in view.pods:
        endpoint = _endpoint(view, pod, family)
        if endpoint is not None:
            ports = service_ports.ports(view.object, pod)
            group = groups.setdefault(_ports_key(ports), _Group(ports))
            group.wanted[_identity(endpoint)] = endpoint
    for each in existing:
        if _is_owned(each, view.object):
            ports = each.get("ports") or []
            groups.setdefault(_ports_key(ports), _Group(ports)).slices.append(each)
        else:
            found.foreign.append(each)
    return groups


def _is_owned(existing: Object, service: Object) -> bool:
    references = objects.meta(existing).get("ownerReferences") or ()
    return any(each.get("uid") == objects.uid(service) for each in references)


def _ports_key(ports: Ports) -> str:
    return json.dumps(sorted(json.dumps(each, sort_keys=True) for each in ports))


def _endpoint(view: View, pod: Object, family: str) -> Endpoint | None:
    service = view.object
    addresses = (
        service_ports.addresses(pod, family) if service_ports.has_endpoint(pod, terminating=True) else []
    )
    node = str(objects.spec(pod).get("nodeName") or "")
    unready = service_ports.publishes_unready(service)
    if not addresses or (node not in view.zones and not unready):
        return None
    serving, terminating = readiness.is_ready(pod), objects.is_deleting(pod)
    endpoint: Endpoint = {
        "addresses": addresses,
        "conditions": {
            "ready": unready or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": service_ports.pod_reference(pod),
    }
    optional = {
        "hostname": service_ports.hostname(pod, service),
        "nodeName": node,
        "zone": view.zones.get(node, ""),
    }
    found = {**endpoint, **{name: value for name, value in optional.items() if value}}
    hints = _hints(found, str(objects.spec(service).get("trafficDistribution") or ""))
    return {**found, "hints": hints} if hints else found


def _hints(endpoint: Endpoint, distribution: str) -> dict[str, Any]:
    """Return for which zone and node a ready endpoint is meant, as Kubernetes' trafficdist does."""
    if distribution not in CLOSE or not endpoint["conditions"]["ready"]:
        return {}
    found: dict[str, Any] = {}
    if endpoint.get("zone"):
        found["forZones"] = [{"name": endpoint["zone"]}]
    if distribution == SAME_NODE and endpoint.get("nodeName"):
        found["forNodes"] = [{"name": endpoint["nodeName"]}]
    return found


def _identity(endpoint: Endpoint) -> str:
    """Return what stays the same while an endpoint only changes its conditions."""
    parts = (sorted(endpoint.get("addresses") or ()), endpoint.get("hostname"), endpoint.get("targetRef"))
    return json.dumps(parts, sort_keys=True)


def _fill(view: View, family: str, group: _Group, found: _Changes) -> None:
    """Give each wanted endpoint a place, changing no slice that is right."""
    left = dict(group.wanted)
    touched: list[Object] = []
    untouched: list[Object] = []
    for each in group.slices:
        kept = [left.pop(key) for key in map(_identity, each.get("endpoints") or ()) if key in left]
        if not kept:
            found.delete.append(each)
            continue
        edited = {**each, "endpoints": kept, "metadata": _metadata(each, view.object)}
        (untouched if edited == each else touched).append(edited)
    rest = list(left.values())
    touched.sort(key=lambda each: -len(each["endpoints"]))
    touched = [_topped_up(each, rest) for each in touched]
    while rest:
        roomy = _roomiest_fit(untouched, len(rest))
        if roomy is not None:
            touched.append(_topped_up(roomy, rest))
        else:
            found.create.append(_topped_up(_new_slice(view.object, family, group.ports), rest))
    found.update += touched


def _topped_up(target: Object, rest: list[Endpoint]) -> Object:
    """Return the slice with as many of the rest as it has room for; they leave the rest."""
    present = target["endpoints"]
    room = MAX_ENDPOINTS - len(present)
    taken, rest[:] = rest[:room], rest[room:]
    return {**target, "endpoints": [*present, *taken]}


def _roomiest_fit(slices: Iterable[Object], count: int) -> Object | None:
    """Return the slice that would be fullest with so many more, None if none has the room."""
    fitting = [each for each in slices if len(each["endpoints"]) + count <= MAX_ENDPOINTS]
    return max(fitting, key=lambda each: len(each["endpoints"]), default=None)


def _reuse(found: _Changes) -> None:
    """Turn pairs of a deletion and a creation into updates."""
    while found.create and found.delete:
        wanted, present = found.create.pop(0), found.delete.pop(0)
        metadata = {**objects.meta(present), "labels": wanted["metadata"]["labels"]}
        found.update.append({**present, **wanted, "metadata": metadata})


def _labels(service: Object) -> dict[str, str]:
    labels = {key: value for key, value in objects.labels(service).items() if key not in _RESERVED}
    if service_ports.is_headless(service):
        labels[service_ports.HEADLESS] = ""
    return {**labels, SERVICE_NAME: objects.name(service), MANAGED_BY: CONTROLLER}


def _metadata(existing: Object, service: Object) -> dict[str, Any]:
    return {**objects.meta(existing), "labels": _labels(service)}


def _new_slice(service: Object, family: str, ports: Ports) -> Object:
    return {
        "apiVersion": kinds.ENDPOINT_SLICE.api_version,
        "kind": kinds.ENDPOINT_SLICE.kind,
        "metadata": {
            "generateName": children.prefix_of(service),
            "namespace": objects.namespace(service),
            "labels": _labels(service),
            "ownerReferences": [objects.owner_reference(service)],
        },
        "addressType": family,
        "endpoints": [],
        "ports": ports,
    }


def _actions(view: View, changes: _Changes) -> tuple[ApiAction, ...]:
    service, kind = view.object, kinds.ENDPOINT_SLICE
    taken = view.taken | {objects.name(each) for each in view.slices}
    found = children.child_names(children.prefix_of(service), [objects.uid(service)], taken)
    actions: list[ApiAction] = []
    for each, name in zip(changes.create, found, strict=False):
        actions.append(Create(kind, {**each, "metadata": {**each["metadata"], "name": name}}))
    actions += [Update(kind, each) for each in changes.update]
    for each in changes.delete:
        actions.append(Delete(kind, *objects.key(each), objects.uid(each)))
    return tuple(actions)
