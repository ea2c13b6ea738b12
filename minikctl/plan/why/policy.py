"""Whether NetworkPolicies are in the way: judged from the named client, else told of."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import netpol_verdict, readiness
from minikctl.plan.netpol_verdict import Connection, End, World
from minikctl.plan.why.links import Link, View, broken, holds, note


def world(view: View) -> World:
    """Return what decides."""
    spaces = {objects.name(one): objects.labels(one) for one in view.namespaces}
    return World(tuple(view.policies), spaces)


def end(pod: Object) -> End:
    """Return a pod as the end of a connection."""
    return End(readiness.address(pod), pod, node=bool(objects.spec(pod).get("hostNetwork")))


def denial(view: View, target: Object, port: int, protocol: str, client: Object | None = None) -> str:
    """Return what denies the client this port of the pod, "" if nothing does."""
    client = client or view.client
    if client is None:
        return ""
    verdict = netpol_verdict.judge(world(view), Connection(end(client), end(target), port, protocol))
    for decision in (verdict.egress, verdict.ingress):
        if not decision.allowed:
            return decision.reason
    return ""


def isolating(view: View, pod: Object) -> tuple[str, ...]:
    """Return the names of the policies that isolate the pod for ingress."""
    anybody = Connection(End("192.0.2.1"), end(pod), 1, "TCP")
    return netpol_verdict.judge(world(view), anybody).ingress.isolating


def links(pod: Object, view: View) -> Iterator[Link]:
    """Tell which policies a pod has, or whether the client may connect to its ports."""
    names = isolating(view, pod)
    if not names:
        yield holds("policy", "no NetworkPolicy isolates it for ingress")
        return
    if view.client is None or objects.key(view.client) == objects.key(pod):
        yield note("policy", f"isolated for ingress by {', '.join(names)}; --from POD judges a client")
        return
    ports = [
        (int(port["containerPort"]), str(port.get("protocol") or "TCP"))
        for container in objects.spec(pod).get("containers") or ()
        for port in container.get("ports") or ()
    ]
    for port, protocol in ports or [(80, "TCP")]:
        why = denial(view, pod, port, protocol)
        said = f"{objects.name(view.client)} may connect to port {port}"
        yield broken("policy", why) if why else holds("policy", said)
