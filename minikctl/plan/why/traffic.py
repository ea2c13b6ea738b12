"""Where the Service's traffic policies lead: who gets what comes from a node, from outside, from a source."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import proxy_view, publisher, readiness
from minikctl.plan.proxy_view import ServicePort
from minikctl.plan.why.links import Link, View, broken, holds, listed, note

MACHINE = "127.0.0.1"
"""The address from which this machine's programs meet load balancer addresses."""


def client_link(view: View) -> Iterator[Link]:
    """Tell of a client that has no rules of Services at all."""
    client = view.client
    if client is not None and objects.spec(client).get("hostNetwork"):
        who = "/".join(objects.key(client))
        yield broken("client", f"{who} is in the host's network, where cluster addresses lead nowhere")


def published_link(service: Object, view: View) -> Iterator[Link]:
    """Tell of ports that this machine could not be given; pods reach the Service without them."""
    last = view.last_of(service, publisher.FAILED, publisher.PUBLISHED)
    if objects.spec(service).get("type") not in publisher.PUBLISHED_TYPES:
        return
    told = last is not None and last.get("reason") == publisher.FAILED
    said = str(last.get("message") or last.get("note") or "") if last and told else _unheard(view)
    if said:
        yield broken("published", said) if view.client is None else note("published", said)
    lost = view.said_of(service, publisher.NOT_PUBLISHED)
    if lost and any(port.get("protocol") == "SCTP" for port in objects.spec(service).get("ports") or ()):
        yield note("published", lost)


def _unheard(view: View) -> str:
    """Say where this machine meets nobody, whatever was told; "" when all published ports were met."""
    lost = [f"{address}:{port} ({said})" for (address, port), said in view.facts.machine.items() if said]
    return f"nobody answers on this machine at {listed(lost)}" if lost else ""


def links(service: Object, view: View) -> Iterator[Link]:
    """Return what the policies make of endpoints that get traffic."""
    ports = proxy_view.ports_of(service, view.slices_of(objects.key(service)))
    served = [port for port in ports if port.targets()]
    if served:
        yield from _internal(service, served[0], view)
        yield from _external(served)
    if ports:
        yield from _sources(ports[0], view)


def _internal(service: Object, port: ServicePort, view: View) -> Iterator[Link]:
    wish = objects.spec(service).get("trafficDistribution")
    spot = view.spot()
    if spot is None:
        return
    who = f"{view.facts.client} on node {spot.node}"
    if port.internal_local:
        found = port.local_targets(spot.node)
        if not found:
            there = (
                listed(sorted({one.node for one in port.endpoints if one.ready and one.node})) or "no node"
            )
            said = f"what {who} sends is dropped, since its node has no endpoint; there are some on {there}"
            yield broken("internal", f"internalTrafficPolicy: Local: {said}")
        else:
            shown = listed([one.ip for one in found])
            yield holds("internal", f"internalTrafficPolicy: Local: {who} is led to {shown}")
    elif wish:
        close, everyone = port.targets(spot), port.targets()
        shown = listed([one.ip for one in close])
        far = "" if close != everyone else ", as to all of them"
        yield holds("internal", f"trafficDistribution: {wish}: {who} is led to {shown}{far}")


def _external(served: list[ServicePort]) -> Iterator[Link]:
    port = served[0]
    if not port.external_local or not (port.node_port or port.balancer_ips):
        return
    lost = [one for one in served if not one.outside_targets()]
    if lost:
        said = "no endpoint is on a node, so clients from outside the cluster are refused; pods are served"
        yield broken("external", f"externalTrafficPolicy: Local: {said}")
        return
    nodes = listed(sorted({one.node for one in port.endpoints if one.ready and one.node}))
    yield holds(
        "external", f"externalTrafficPolicy: Local: from outside to endpoints on {nodes or 'no node'}"
    )


def _sources(port: ServicePort, view: View) -> Iterator[Link]:
    if not port.sources or not port.balancer_ips:
        return
    at, ranges = listed(list(port.balancer_ips)), listed(list(port.sources))
    client = view.client
    address = readiness.address(client) if client is not None else MACHINE
    who = "/".join(objects.key(client)) if client is not None else "this machine"
    if any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in port.sources):
        yield holds("sources", f"loadBalancerSourceRanges: {who} ({address}) is in {ranges} and may use {at}")
        return
    said = f"loadBalancerSourceRanges: {who} ({address}) is not in {ranges} and may not use {at}"
    yield note("sources", said) if client is None else broken("sources", said)
