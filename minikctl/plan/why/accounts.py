"""Each candidate for a Service's traffic: whether it gets any, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minikctl.model import objects, selectors
from minikctl.model.objects import Object
from minikctl.plan import proxy_view, readiness, service_ports
from minikctl.plan.why.links import View
from minikctl.plan.why.trouble import trouble

READY = "ready"
"""Why most endpoints get traffic."""


@dataclass(frozen=True)
class Account:
    """One candidate: a pod, or an address of somebody else's EndpointSlice."""

    title: str
    address: str
    is_in: bool
    why: str


def of_service(service: Object, view: View) -> list[Account]:
    """Return an account of every selected pod and every other endpoint, those that get traffic first."""
    slices = view.slices_of(objects.key(service))
    pods = selected(service, view.pods)
    found = [of_pod(pod, service, slices, view) for pod in pods]
    known = {one.address for one in found}
    found += [one for one in _foreign(service, slices) if one.address not in known]
    return sorted(found, key=lambda one: (not one.is_in, one.title))


def selected(service: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the pods that the Service's selector matches."""
    if not service_ports.selects_pods(service):
        return []
    selector = selectors.of({"matchLabels": objects.spec(service)["selector"]})
    return [
        pod
        for pod in pods
        if objects.namespace(pod) == objects.namespace(service) and selector.matches(objects.labels(pod))
    ]


def of_pod(pod: Object, service: Object, slices: Sequence[Object], view: View) -> Account:
    """Return the account of a pod that the Service selects."""
    address = readiness.address(pod)
    published, chosen = _published(service, slices)
    title = objects.name(pod)
    if address and address in chosen:
        return Account(title, address, True, _why_in(pod, service))
    return Account(title, address, False, _why_out(pod, service, address in published, view))


def _published(service: Object, slices: Sequence[Object]) -> tuple[set[str], set[str]]:
    """Return the addresses of all endpoints, and of those that get traffic by one port at least."""
    published: set[str] = set()
    chosen: set[str] = set()
    ports = list(objects.spec(service).get("ports") or ())
    for found in [list(proxy_view.endpoints_of(service, slices, port)) for port in ports] or [
        _portless(slices)
    ]:
        published |= {one.target.ip for one in found}
        chosen |= {target.ip for target in proxy_view.chosen(found)}
    return published, chosen


def _portless(slices: Sequence[Object]) -> list[proxy_view.Endpoint]:
    return [
        proxy_view.endpoint_of(entry, 0)
        for piece in slices
        for entry in piece.get("endpoints") or ()
        if entry.get("addresses")
    ]


def _why_in(pod: Object, service: Object) -> str:
    if objects.is_deleting(pod):
        return "it is being deleted but still serves, and no other is ready"
    if readiness.is_ready(pod):
        return READY
    if service_ports.publishes_unready(service):
        return "not ready, but the Service has publishNotReadyAddresses"
    return "its EndpointSlice still says ready"


def _why_out(pod: Object, service: Object, published: bool, view: View) -> str:
    problem = trouble(pod, view)
    if problem and not (service_ports.publishes_unready(service) and readiness.address(pod)):
        return problem
    if not readiness.address(pod):
        return "has no address yet"
    wanted = objects.spec(service).get("ports") or ()
    missing = [one for one in wanted if not service_ports.ports({"spec": {"ports": [one]}}, pod)]
    if missing and len(missing) == len(wanted):
        names = ", ".join(f"{one.get('targetPort')} ({one.get('protocol') or 'TCP'})" for one in missing)
        return f"has no port named {names}"
    if published:
        return "is ready, but its EndpointSlice does not say so yet"
    return "is ready, but in no EndpointSlice yet"


def _foreign(service: Object, slices: Sequence[Object]) -> list[Account]:
    """Return accounts of the endpoints that somebody else has written."""
    published, chosen = _published(service, slices)
    return [
        Account(
            address,
            address,
            address in chosen,
            "ready in its EndpointSlice" if address in chosen else "not ready in its EndpointSlice",
        )
        for address in sorted(published)
    ]
