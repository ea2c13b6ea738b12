"""What is behind a Service's rules: its endpoints, whether they are ready, listen, and may be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import proxy_view, service_ports
from minikctl.plan.proxy_view import ServicePort, Target
from minikctl.plan.why import accounts, node_proxy, policy, rules
from minikctl.plan.why.links import Link, Listener, View, broken, first_broken, holds, listed, note

EVERYWHERE = "0.0.0.0"
SEEN = ("tcp", "udp")
"""Protocols whose listeners are looked at."""


def links(service: Object, view: View, client: Object | None = None) -> list[Link]:
    """Return what is behind the rules: endpoints, readiness, listeners, policy from that client."""
    found = [*_endpoints(service, view)]
    if first_broken(found) is None:
        found += _listeners(service, view)
        found += _policy(service, view, client)
    return found


def _endpoints(service: Object, view: View) -> Iterator[Link]:
    spec, found = objects.spec(service), accounts.of_service(service, view)
    if not found and service_ports.selects_pods(service):
        yield broken("endpoints", _nobody(service, view))
        return
    if not found:
        yield broken("endpoints", _by_hand(service, view))
        return
    if service_ports.selects_pods(service):
        selector = ",".join(f"{key}={value}" for key, value in spec["selector"].items())
        yield holds("endpoints", f"the selector {selector} matches {_count(len(found), 'pod')}")
    else:
        yield holds("endpoints", f"its EndpointSlices have {_count(len(found), 'address', 'es')}")
    inside = [one for one in found if one.is_in]
    outside = [one for one in found if not one.is_in]
    if not inside:
        one = outside[0]
        more = f" (of {len(outside)} that are out)" if len(outside) > 1 else ""
        yield broken("readiness", f"none gets traffic: {one.title} {one.why}{more}")
    elif outside:
        left = "; ".join(f"{one.title} {one.why}" for one in outside[:3])
        yield note("readiness", f"{len(inside)} of {len(found)} get traffic; out: {left}")
    else:
        yield holds(
            "readiness", f"{_count(len(found), 'endpoint')}, in: {listed([one.title for one in found])}"
        )


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{'' if number == 1 else plural}"


def _by_hand(service: Object, view: View) -> str:
    """Say what EndpointSlices that somebody wrote lack: endpoints, or the names of the Service's ports."""
    names: set[str] = set()
    for one in view.slices_of(objects.key(service)):
        if one.get("endpoints"):
            names |= {str(port.get("name") or "") for port in one.get("ports") or ()}
    label = f"kubernetes.io/service-name={objects.name(service)}"
    if not names:
        return f"it has no selector, and no EndpointSlice labelled {label} has an endpoint"
    wanted = sorted({str(port.get("name") or "") for port in objects.spec(service).get("ports") or ()})
    words = f"the EndpointSlices labelled {label} have ports named {_quoted(sorted(names))}, the Service"
    return f"{words} {_quoted(wanted)}: ports belong together by their names"


def _quoted(names: Sequence[str]) -> str:
    return listed([f'"{name}"' for name in names])


def _nobody(service: Object, view: View) -> str:
    """Say that the selector matches no pod, and what the pods have instead of each label that none has."""
    selector = objects.spec(service)["selector"]
    here = [pod for pod in view.pods if objects.namespace(pod) == objects.namespace(service)]
    shown = ",".join(f"{key}={value}" for key, value in selector.items())
    words = f"the selector {shown} of Service {objects.name(service)} matches no pod"
    if not here:
        return f"{words}: namespace {objects.namespace(service)} has none"
    for key, value in selector.items():
        values = sorted({objects.labels(pod)[key] for pod in here if key in objects.labels(pod)})
        if value not in values:
            other = f"pods have {key}={listed(values)}" if values else f"no pod has a label {key}"
            return f"{words}: {other}"
    return f"{words}: each label is there, but on no pod all of them"


def _listeners(service: Object, view: View) -> Iterator[Link]:
    for port in _served(service, view):
        if port.protocol not in SEEN:
            continue
        problems = []
        for target in port.targets():
            pod = view.pod_at(target.ip)
            known = view.facts.listeners.get(objects.key(pod)) if pod else None
            there = {one for one in known or () if one.protocol == port.protocol}
            if pod is None or known is None or _hears(there, target):
                continue
            near = sorted({one.address for one in there if one.port == target.port})
            instead = f"only at {listed(near)}" if near else _instead(known, port.protocol)
            at = f"{target.ip}:{target.port}{'/UDP' if port.protocol == 'udp' else ''}"
            problems.append(f"nothing in pod {objects.name(pod)} listens on {at}: {instead}")
        if problems and len(problems) == len(port.targets()):
            yield broken("listeners", problems[0])
        elif problems:
            yield note("listeners", problems[0])


def _instead(known: frozenset[Listener], protocol: str) -> str:
    """Say where the pod's processes listen; ports of the other protocol are told as that."""
    found = sorted((one.protocol != protocol, one.port, one.protocol.upper()) for one in known)
    ports = dict.fromkeys(f"{port}/{other}" if differs else str(port) for differs, port, other in found)
    return f"its processes listen on {listed([*ports]) or 'no port'}"


def _hears(there: set[Listener], target: Target) -> bool:
    return any(one.port == target.port and one.address in (EVERYWHERE, target.ip) for one in there)


def _served(service: Object, view: View) -> Sequence[ServicePort]:
    slices = view.slices_of(objects.key(service))
    if not service_ports.is_headless(service):
        return proxy_view.ports_of(service, slices)
    ports = objects.spec(service).get("ports") or ()
    return [
        ServicePort(
            *objects.key(service),
            name=str(port.get("name") or ""),
            protocol=str(port.get("protocol") or "TCP").lower(),
            port=int(port["port"]),
            endpoints=tuple(proxy_view.endpoints_of(service, slices, port)),
        )
        for port in ports
    ]


def _policy(service: Object, view: View, client: Object | None) -> Iterator[Link]:
    direct, client = client, client or view.client
    count = 0
    denials: list[str] = []
    isolated: set[str] = set()
    for port in _served(service, view):
        proxy = None if direct else node_proxy.maker(service, view, port)
        client = client or proxy
        for target in port.targets():
            pod = view.pod_at(target.ip)
            if pod is None:
                continue
            count += 1
            isolated.update(policy.isolating(view, pod))
            why = _denial(view, port, target, pod, client, proxy)
            denials += [why] if why else []
    if client is None:
        names = ", ".join(sorted(isolated))
        if names:
            yield note("policy", f"its pods are isolated by {names}; --from POD judges a client")
        elif count:
            yield holds("policy", "no NetworkPolicy isolates its pods")
    elif denials and len(denials) == count:
        yield broken("policy", denials[0])
    elif denials:
        yield note("policy", f"{len(denials)} of {count} endpoints are denied: {denials[0]}")
    elif count:
        yield holds("policy", f"{'/'.join(objects.key(client))} may connect")


def _denial(
    view: View, port: ServicePort, target: Target, pod: Object, client: Object | None, proxy: Object | None
) -> str:
    """Return what denies the client the endpoint, or the proxy on the way there; "" if nothing does."""
    why = policy.denial(view, pod, target.port, port.protocol.upper(), proxy or client)
    if proxy is None:
        return why
    if why:
        return f"{why} (it judges pod {objects.name(proxy)}, which connects)"
    return node_proxy.denial(view, port, proxy, rules.targets_by_rules(view.facts.rules or ""))
