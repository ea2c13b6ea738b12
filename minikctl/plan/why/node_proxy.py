"""The mode userspace on the way to a Service: the client's node has a proxy that makes TCP connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import proxy_view, readiness, service_ports, userspace
from minikctl.plan.proxy_view import ServicePort, Target
from minikctl.plan.why import policy
from minikctl.plan.why.links import Link, View, broken, holds

Rules = Mapping[tuple[str, str, int], frozenset[Target]]
"""Who gets traffic for each (address, protocol, port), as a table in a namespace says."""


def takes(view: View, port: ServicePort) -> bool:
    """Tell whether connections to that port of a Service go through a proxy."""
    return port.protocol == userspace.PROTOCOL and any(userspace.is_proxy(pod) for pod in view.pods)


def of_client(view: View) -> Object | None:
    """Return the proxy of the node where the client is, None when none runs there."""
    return next((pod for pod in view.pods if userspace.is_proxy(pod) and _node(pod) == _place(view)), None)


def _node(pod: Object) -> str:
    return str(objects.spec(pod).get("nodeName") or "")


def _place(view: View) -> str:
    """Return the node of the named client, else of the pod that was looked from."""
    known = {"/".join(objects.key(pod)): pod for pod in view.pods}
    return _node(view.client or known.get(view.facts.client) or {})


def address(view: View) -> str:
    """Return the address of that proxy, "" when none runs."""
    proxy = of_client(view)
    return readiness.address(proxy) if proxy else ""


def links(service: Object, view: View) -> Iterator[Link]:
    """Tell whether the client's node has a proxy that works, if the Service needs one."""
    ports = proxy_view.ports_of(service, view.slices_of(objects.key(service)))
    if not any(takes(view, port) for port in ports) or not _place(view):
        return
    proxy = of_client(view)
    if proxy is None:
        words = f"no pod kube-proxy is on node {_place(view)}: TCP connections to Services are refused there"
        yield broken("proxy", words)
    elif not readiness.is_ready(proxy):
        yield broken("proxy", f"{objects.name(proxy)} of node {_place(view)} is not ready")
    else:
        yield holds("proxy", f"{objects.name(proxy)} connects: endpoints see {address(view)} as the client")


def maker(service: Object, view: View, port: ServicePort) -> Object | None:
    """Return the proxy that makes the connections to that port's endpoints, None where clients do."""
    if service_ports.is_headless(service) or not takes(view, port):
        return None
    return of_client(view)


def denial(view: View, port: ServicePort, proxy: Object, rules: Rules) -> str:
    """Return what denies the named client the proxy's listener, "" if nothing does or it is not known."""
    led = [one for ip in port.cluster_ips for one in rules.get((ip, port.protocol, port.port), ())]
    return policy.denial(view, proxy, led[0].port, userspace.PROTOCOL.upper()) if led else ""
