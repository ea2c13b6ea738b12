"""The walk of a workload: the pods that it wants, whether they could be made, what keeps them down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minikctl.model import objects, selectors
from minikctl.model.objects import Object
from minikctl.plan import readiness, service_ports
from minikctl.plan.why.links import Link, View, broken, holds, listed, note
from minikctl.plan.why.trouble import trouble

KINDS = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job")


def walk(workload: Object, kind: str, view: View) -> list[Link]:
    """Return the chain: the pods that are wanted, those that are there, how they are, who leads to them."""
    return list(_job(workload, view) if kind == "Job" else _links(workload, kind, view))


def members(workload: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the pods that the workload's selector matches, those that cannot run first."""
    wanted = objects.spec(workload).get("selector") or {}
    # A ReplicationController's selector is a map of labels.
    selector = selectors.of(
        wanted if wanted.keys() <= {"matchLabels", "matchExpressions"} else {"matchLabels": wanted}
    )
    found = [
        pod
        for pod in pods
        if objects.namespace(pod) == objects.namespace(workload)
        and not objects.is_deleting(pod)
        and selector.matches(objects.labels(pod))
    ]
    return sorted(found, key=lambda pod: (readiness.is_ready(pod), objects.name(pod)))


def _links(workload: Object, kind: str, view: View) -> Iterator[Link]:
    status = objects.status(workload)
    wanted = (
        status.get("desiredNumberScheduled")
        if kind == "DaemonSet"
        else objects.spec(workload).get("replicas", 1)
    )
    found = members(workload, view.pods)
    if not wanted:
        nowhere = "no node is one for its pods" if kind == "DaemonSet" else "spec.replicas is 0"
        yield broken("wanted", f"it wants no pods: {nowhere}")
        return
    yield holds("wanted", f"it wants {_pods(wanted)}")
    if objects.spec(workload).get("paused"):
        yield note("rollout", "it is paused: changes of its template do nothing until `rollout resume`")
    yield from _made(workload, wanted, len(found), view)
    yield from _running(found, view)
    late = objects.condition(workload, "Progressing") or {}
    if late.get("status") == "False":
        yield note("rollout", str(late.get("message") or late.get("reason")))
    yield from _services(workload, view)


def _pods(number: int) -> str:
    return f"{number} pod{'' if number == 1 else 's'}"


def _made(workload: Object, wanted: int, found: int, view: View) -> Iterator[Link]:
    if found >= wanted:
        yield holds("made", f"there {'is' if found == 1 else 'are'} {_pods(found)}")
        return
    failure = (objects.condition(workload, "ReplicaFailure") or {}).get("message")
    told = str(failure or view.said_of(workload, "FailedCreate"))
    yield broken("made", f"only {found} of {_pods(wanted)} could be made: {told or 'more are on their way'}")


def _running(found: list[Object], view: View) -> Iterator[Link]:
    problems = [(objects.name(pod), why) for pod in found if (why := trouble(pod, view))]
    if problems:
        name, why = problems[0]
        if problems[1:]:
            yield note("pods", f"{len(problems)} have trouble: {listed([one for one, _ in problems])}")
        yield broken("readiness", f"pod {name} {why}")
    elif found:
        yield holds("readiness", "all run and are ready")


def _services(workload: Object, view: View) -> Iterator[Link]:
    labels = objects.labels(objects.spec(workload).get("template") or {})
    names = [
        objects.name(service)
        for service in view.services
        if service_ports.selects_pods(service)
        and objects.namespace(service) == objects.namespace(workload)
        and selectors.of({"matchLabels": objects.spec(service)["selector"]}).matches(labels)
    ]
    if names:
        yield holds(
            "services", f"its pods are behind {listed(names)}: `minikctl why svc/{names[0]}` walks on"
        )
    else:
        yield note("services", "no Service selects its pods by their labels")


def _job(job: Object, view: View) -> Iterator[Link]:
    if objects.spec(job).get("suspend"):
        yield broken("wanted", "it is suspended: no pods are made until spec.suspend is false")
        return
    ended = objects.condition(job, "Complete") or {}
    if ended.get("status") == "True":
        yield holds("pods", "it is complete")
        return
    found = members(job, view.pods)
    failed = objects.condition(job, "Failed") or {}
    problems = [pod for pod in found if readiness.phase(pod) != "Succeeded" and trouble(pod, view)]
    if failed.get("status") == "True":
        yield broken("pods", f"it has failed: {failed.get('message') or failed.get('reason')}")
    if not found and not failed:
        told = view.said_of(job, "FailedCreate")
        yield broken("made", f"it has no pod: {told or 'it may be on its way'}")
    yield from _running(problems, view)
    if not failed and found and not problems:
        yield holds("pods", f"{_pods(len(found))} at work")
