"""Whether a node takes a pod that it has been given: a kubelet's word after the scheduler's, if any."""

from __future__ import annotations

from typing import Any, NamedTuple

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import room
from minikctl.plan.pod.view import PodView
from minikctl.plan.podsecurity.baseline import SYSCTLS
from minikctl.plan.scheduler import demands, requests
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.filters import NO_PORT, UNSUITABLE

_SYSTEM = "linux"
_OF_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_OF_NETWORK = ("net.",)
_UNTOLERATED = "node(s) had taints that the pod didn't tolerate"
CRITICAL = 2_000_000_000
"""From this priority on pods are not refused for what others take."""


class Refusal(NamedTuple):
    """Why the pod is refused: the reason of its status, and the sentence of its event."""

    reason: str
    message: str


def is_new(pod: Object) -> bool:
    """Tell whether the node has not taken the pod yet."""
    status = objects.status(pod)
    return not status.get("startTime") and status.get("phase") in (None, "", "Pending")


def is_placed(pod: Object) -> bool:
    """Tell whether a scheduler chose the node: who names it himself has nobody who looked."""
    return (objects.condition(pod, "PodScheduled") or {}).get("status") == "True"


def was_refused(view: PodView, pod: Object) -> bool:
    """Tell whether the pod has failed before there was anything of it."""
    status = objects.status(pod)
    return status.get("phase") == "Failed" and not status.get("containerStatuses") and not view.containers


def refusal(view: PodView, pod: Object) -> Refusal | None:
    """Return why the node does not take the pod, None if it does."""
    if not is_new(pod) or view.containers:
        return None
    system = (objects.spec(pod).get("os") or {}).get("name") or _SYSTEM
    if system != _SYSTEM:
        return Refusal("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    if is_placed(pod) or view.machine is None:
        return _sysctls(view, objects.spec(pod))
    return _unfit(view.machine, pod, view.neighbours) or _sysctls(view, objects.spec(pod))


def _unfit(node: Object, pod: Object, neighbours: tuple[Object, ...]) -> Refusal | None:
    """Return the first thing that a scheduler would have minded, in the order of a kubelet's checks."""
    there, facts = room.beside(node, neighbours), PodFacts(pod)
    critical = facts.priority >= CRITICAL
    short = None if critical else room.shortage(there, facts)
    if short is not None:
        return Refusal(f"OutOf{short.resource}", short.message)
    if not demands.matches_node(pod, node):
        return _failed("NodeAffinity", UNSUITABLE.reasons[0])
    if facts.ports and not critical and requests.ports_clash(facts.ports, there.ports):
        return _failed("NodePorts", NO_PORT.reasons[0])
    if demands.untolerated(pod, there.taints, ("NoExecute",)):
        return _failed("TaintToleration", _UNTOLERATED)
    return None


def _failed(predicate: str, why: str) -> Refusal:
    return Refusal(predicate, f"Predicate {predicate} failed: {why}")


def _sysctls(view: PodView, spec: dict[str, Any]) -> Refusal | None:
    for entry in (spec.get("securityContext") or {}).get("sysctls") or ():
        name = str(entry.get("name") or "").replace("/", ".")
        why = _forbidden(view, spec, name)
        if why:
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" {why}')
    return None


def _forbidden(view: PodView, spec: dict[str, Any], name: str) -> str:
    allowed = view.node.unsafe_sysctls
    if name not in SYSCTLS and not any(_matches(pattern, name) for pattern in allowed):
        return "not allowlisted"
    if spec.get("hostNetwork") and name.startswith(_OF_NETWORK):
        return "not allowed with host net enabled"
    if spec.get("hostIPC") and name.startswith(_OF_IPC):
        return "not allowed with host ipc enabled"
    return ""


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
