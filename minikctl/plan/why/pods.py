"""What keeps a pod from running or from being ready, in one phrase, and the walk of a pod."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import objects, selectors
from minikctl.model.objects import Object
from minikctl.plan import readiness, service_ports
from minikctl.plan.why import accounts, names, policy
from minikctl.plan.why.links import Link, View, broken, holds, listed, note, unknown
from minikctl.plan.why.trouble import trouble


def walk(pod: Object, view: View) -> list[Link]:
    """Return the pod's chain: node, containers, readiness, address, rules, names, Services, policies."""
    return list(_links(pod, view))


def _links(pod: Object, view: View) -> Iterator[Link]:
    spec, status = objects.spec(pod), objects.status(pod)
    if readiness.is_finished(pod):
        yield broken("phase", trouble(pod, view))
        return
    if not spec.get("nodeName"):
        yield broken("node", trouble(pod, view))
        return
    yield holds("node", f"runs on {spec['nodeName']}")
    problem = trouble(pod, view)
    if problem:
        yield broken("readiness", f"pod {objects.name(pod)} {problem}")
    else:
        yield holds("readiness", "all containers run and are ready")
    address = readiness.address(pod)
    if not address:
        yield broken("address", "it has no address yet")
        return
    if spec.get("hostNetwork"):
        yield note(
            "address", f"{address}, the node's: it has no rules, no Services and no policies of its own"
        )
        return
    yield holds("address", f"{address}, seen as it is by other pods ({status.get('phase')})")
    yield from _inside(pod, view)
    yield from _services(pod, view)
    yield from policy.links(pod, view)


def _inside(pod: Object, view: View) -> Iterator[Link]:
    """Tell of the pod's own namespace: its rules, and whether it finds names."""
    facts = view.facts
    if facts.client != "/".join(objects.key(pod)):
        runs = any(
            "running" in (one.get("state") or {})
            for one in objects.status(pod).get("containerStatuses") or ()
        )
        if runs:
            yield unknown("rules", "its network namespace could not be entered")
        return
    if facts.rules:
        yield holds("rules", "its namespace has the rules of Services")
    else:
        yield broken(
            "rules", "its namespace has no rules: nothing leads to Services; they come within a minute"
        )
    name = f"kubernetes.default.svc.{view.domain}"
    if not names.servers(view):
        yield broken("name", names.NOBODY)
    elif name in facts.silent and facts.rules:
        yield broken("name", names.silence(view))
    if name in facts.names:
        yield holds("name", f"cluster DNS answers it: {name} is {listed(facts.names[name]) or 'unknown'}")


def _services(pod: Object, view: View) -> Iterator[Link]:
    found = [
        service
        for service in view.services
        if service_ports.selects_pods(service)
        and objects.namespace(service) == objects.namespace(pod)
        and selectors.of({"matchLabels": objects.spec(service)["selector"]}).matches(objects.labels(pod))
    ]
    if not found:
        yield note("services", "no Service selects it by its labels")
    for service in found:
        one = accounts.of_pod(pod, service, view.slices_of(objects.key(service)), view)
        way = "gets" if one.is_in else "does not get"
        said = f"it {way} traffic of Service {objects.name(service)}: {one.why}"
        yield holds("services", said) if one.is_in else note("services", said)
