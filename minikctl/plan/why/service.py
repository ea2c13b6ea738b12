"""The walk of a Service: name, address, rules, endpoints, readiness, listeners, policy, a real connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import loadbalancer, proxy_view, service_ports
from minikctl.plan.why import behind, names, node_proxy, rules, traffic
from minikctl.plan.why.links import Facts, Link, View, broken, holds, listed, note, unknown

CONNECTED, ANSWERED = "connected", "answered"


def domain_name(service: Object, domain: str) -> str:
    """Return the name by which pods know the Service."""
    return f"{objects.name(service)}.{objects.namespace(service)}.svc.{domain}"


def walk(service: Object, view: View) -> list[Link]:
    """Return the Service's chain, in the order of a packet's way."""
    spec = objects.spec(service)
    if spec.get("type") == "ExternalName":
        return [_external(service, view)]
    found = [*traffic.client_link(view), _name(service, view), *_address(service)]
    found += traffic.published_link(service, view)
    found += rules.links(service, view)
    found += node_proxy.links(service, view)
    found += behind.links(service, view)
    found += traffic.links(service, view)
    found += _connection(service, view.facts)
    return found


def _external(service: Object, view: View) -> Link:
    target = str(objects.spec(service).get("externalName") or "")
    name = domain_name(service, view.domain)
    if target.rstrip(".").replace(".", "").isdigit():
        said = f"externalName {target} is an address, and DNS has other names for names only"
        return broken("name", f"{said}: take a Service without selector and an EndpointSlice instead")
    answer = view.facts.names.get(name)
    if answer is None:
        return note("name", f"{name} is another name of {target}; ports are the target's own")
    if not answer:
        return broken("name", f"{name} is another name of {target}, and that name cannot be resolved")
    return holds("name", f"{name} is another name of {target}, which is {listed(answer)}")


def _name(service: Object, view: View) -> Link:
    name = domain_name(service, view.domain)
    if not names.servers(view):
        return broken("name", names.NOBODY)
    if name in view.facts.silent:
        return _silence(view, name)
    answer = view.facts.names.get(name)
    if answer is None:
        return unknown("name", f"{name} was not asked for: no pod's network could be entered")
    wanted = set(proxy_view.cluster_addresses(objects.spec(service)))
    if service_ports.is_headless(service):
        return _headless_name(service, view, name, answer)
    if not answer:
        return broken("name", f"cluster DNS does not know {name}")
    if set(answer) != wanted:
        said = (
            f"cluster DNS says that {name} is {listed(answer)}, but its address is {listed(sorted(wanted))}"
        )
        return broken("name", said)
    return holds("name", f"{name} is {listed(answer)}")


def _silence(view: View, name: str) -> Link:
    """Say why cluster DNS did not answer; without rules that is no wonder, and told as what it is."""
    if not view.facts.rules:
        where = view.facts.client
        return unknown(
            "name", f"{name} was asked for in vain, as rules are missing in the namespace of {where}"
        )
    return broken("name", names.silence(view))


def _headless_name(service: Object, view: View, name: str, answer: Sequence[str]) -> Link:
    slices = view.slices_of(objects.key(service))
    ready = {
        str(address)
        for piece in slices
        for entry in piece.get("endpoints") or ()
        if (entry.get("conditions") or {}).get("ready") is not False
        for address in entry.get("addresses") or ()
    }
    if set(answer) < ready and _fills_a_datagram(name, answer):
        shown = f"{listed(sorted(answer))}; of {len(ready)} addresses an answer by UDP holds these"
        return holds("name", f"headless: {name} is {shown}")
    if set(answer) != ready:
        known, should = listed(answer) or "nobody", listed(sorted(ready)) or "none"
        return broken("name", f"cluster DNS says that {name} is {known}, but ready are {should}")
    if not ready:
        return broken("name", f"{name} has no address, as no endpoint is ready")
    return holds("name", f"headless: {name} is {listed(sorted(answer))}")


def _fills_a_datagram(name: str, answer: Sequence[str]) -> bool:
    """Tell whether one address more would not go into the 512 bytes in which RFC 1035 (2.3.4) has answers.

    The pod asks by programs that do not ask again by TCP: a header, the question, and 16 bytes an address.
    """
    return 12 + len(name) + 2 + 4 + 16 * (len(answer) + 1) > 512


def _address(service: Object) -> Iterator[Link]:
    spec = objects.spec(service)
    ports = listed([f"{one.get('port')}/{one.get('protocol') or 'TCP'}" for one in spec.get("ports") or ()])
    if service_ports.is_headless(service):
        yield holds("address", "none, as wanted (headless): clients connect to the pods' own addresses")
        return
    yield holds("address", f"{spec.get('clusterIP')}, ports {ports}")
    if spec.get("type") == "LoadBalancer":
        addresses = loadbalancer.addresses(service)
        if addresses:
            yield holds("balancer", f"load balancer address {listed(list(addresses))}")
        elif not loadbalancer.is_ours(service):
            said = f"loadBalancerClass {spec.get('loadBalancerClass')} is another controller's"
            yield broken("balancer", f"no load balancer address: {said}")
        else:
            yield broken("balancer", "it has no load balancer address yet")


def _connection(service: Object, facts: Facts) -> Iterator[Link]:
    for port in objects.spec(service).get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        known = {"TCP": facts.connections, "SCTP": facts.associations}.get(protocol, {})
        for address in proxy_view.cluster_addresses(objects.spec(service)):
            said = known.get((address, int(port["port"])))
            if said is None:
                continue
            goal = f"{address}:{port['port']}{'/SCTP' if protocol == 'SCTP' else ''}"
            words = f"from {facts.client} to {goal}: {said}"
            if said in (CONNECTED, ANSWERED):
                yield holds("connection", words)
            elif said.startswith("not tried"):
                yield unknown("connection", words)
            else:
                yield broken("connection", words)
