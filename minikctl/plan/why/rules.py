"""Whether the rules in a pod's namespace are those that the API asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import proxy_view
from minikctl.plan.proxy_view import ServicePort, Spot, Target
from minikctl.plan.why import node_proxy
from minikctl.plan.why.links import Link, View, broken, holds, listed, unknown

PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}
_ELEMENT = re.compile(r"(\d+\.\d+\.\d+\.\d+) \. (\w+) \. (\d+) : goto ([^\s,}]+)")
_CHAIN = re.compile(r"chain (\S+) \{\n(.*?)\n\t\}", re.DOTALL)
_TARGET = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?: \. |:)(\d+)")


def targets_by_rules(text: str) -> node_proxy.Rules:
    """Return who gets traffic for each (address, protocol, port), as a table in a namespace says."""
    chains = dict(_CHAIN.findall(text))
    found = {}
    for address, protocol, port, chain in _ELEMENT.findall(text):
        # What is behind source ranges, and the endpoints of clients that keep theirs, bear the chain's name.
        base = chain.removesuffix("/sources")
        bodies = [body for name, body in chains.items() if name == base or name.startswith(f"{base}/")]
        targets = {Target(ip, int(number)) for body in bodies for ip, number in _TARGET.findall(body)}
        found[address, PROTOCOLS.get(protocol, protocol), int(port)] = frozenset(targets)
    return found


def links(service: Object, view: View) -> Iterator[Link]:
    """Tell whether the rules of the client's namespace lead where the EndpointSlices say."""
    ports = proxy_view.ports_of(service, view.slices_of(objects.key(service)))
    if proxy_view.is_elsewhere(service) and proxy_view.cluster_addresses(objects.spec(service)):
        names = [name for name in proxy_view.ELSEWHERE if name in objects.labels(service)]
        yield broken(
            "rules", f"its label {listed(names)} leaves it to another proxy than kube-proxy: no rules here"
        )
    if not ports:
        return
    if view.facts.rules is None:
        yield unknown("rules", "no pod's network could be entered")
        return
    there = targets_by_rules(view.facts.rules)
    where = view.facts.client
    slices = view.slices_of(objects.key(service))
    spot = view.spot()
    # Without the client's node nothing is known of rules that differ from node to node.
    judged = ports if spot or not proxy_view.depends_on_spot([service], slices) else ()
    place = spot or proxy_view.ANYWHERE
    problems = [said for port in judged for said in _differences(port, there, view, place)]
    if not view.facts.rules:
        yield broken("rules", f"the namespace of {where} has no rules at all; they come back within a minute")
    elif problems:
        yield broken("rules", f"in the namespace of {where}: {problems[0]}")
    else:
        through = any(node_proxy.takes(view, port) for port in ports)
        goal = "to the node's kube-proxy" if through else "where the EndpointSlices say"
        yield holds("rules", f"in the namespace of {where} they lead {goal}")


def _differences(port: ServicePort, there: node_proxy.Rules, view: View, spot: Spot) -> Iterator[str]:
    through = node_proxy.takes(view, port)
    targets = port.local_targets(spot.node) if port.internal_local else port.targets(spot)
    wanted = {f"{one.ip}:{one.port}" for one in targets}
    if through:
        wanted = {node_proxy.address(view)} - {""} if targets else set()
    for address in port.cluster_ips:
        ends = there.get((address, port.protocol, port.port), frozenset())
        found = {one.ip if through else f"{one.ip}:{one.port}" for one in ends}
        if found != wanted:
            shown, should = listed(sorted(found)) or "nowhere", listed(sorted(wanted)) or "nowhere"
            yield f"{address}:{port.port} leads to {shown} instead of {should}"
