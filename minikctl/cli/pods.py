"""From what a user names (``web-1``, ``deploy/web``, ``-l app=web``) to pods and their containers."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import interrupts, selection
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

POLL_SECONDS = 0.2
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def check_timeout(text: str) -> float:
    """Return the seconds of a --pod-running-timeout; it has to be positive."""
    from minikctl.cli import timespan

    seconds = timespan.seconds(text)
    if seconds <= 0:
        raise errors.UsageError("error: --pod-running-timeout must be higher than zero")
    return seconds


def named(argument: str, session: Session, timeout: float = 0.0) -> list[dict[str, Any]]:
    """Return the pods that ``NAME`` or ``TYPE/NAME`` means, the one to take first.

    A workload that has none yet is waited for, ``timeout`` seconds at most.
    """
    if "/" not in argument:
        return [_get(Target(session.discovery.find("pods"), argument, session.namespace), session)]
    target = selection.parse([argument], session.discovery, session.namespace)[0]
    found = _get(target, session)
    if target.resource.qualified == "pods":
        return [found]
    deadline = time.monotonic() + timeout
    while True:
        pods = members(found, target, session)
        if pods:
            return pods
        if time.monotonic() >= deadline:
            break
        interrupts.sleep(POLL_SECONDS)
    if timeout:
        raise errors.UsageError("error: timed out waiting for the condition")
    raise errors.UsageError(f"error: no pods found for {target.title}")


def in_namespace(name: str, namespace: str, session: Session) -> dict[str, Any]:
    """Return the pod of that name in any namespace."""
    return _get(Target(session.discovery.find("pods"), name, namespace), session)


def members(found: dict[str, Any], target: Target, session: Session) -> list[dict[str, Any]]:
    """Return the pods that a workload or Service selects now, the one to take first, as kubectl sorts them."""
    from minikctl.model import selectors

    selector = (found.get("spec") or {}).get("selector") or {}
    is_map = not selector.keys() & {"matchLabels", "matchExpressions"}
    labels = str(selectors.of_map(selector) if is_map else selectors.of(selector))
    if not labels:
        raise errors.UsageError(f"error: cannot get pods of {target.title}: it selects none by labels")
    return sorted(selected(labels, session), key=_rank)


def selected(labels: str, session: Session, all_namespaces: bool = False) -> list[dict[str, Any]]:
    """Return the pods with these labels, in the server's order."""
    resource = session.discovery.find("pods")
    found: list[dict[str, Any]] = []
    for namespace in [""] if all_namespaces else session.namespaces:
        path = Target(resource, "", namespace).path()
        found += (
            session.client.request("GET", path, query={"labelSelector": labels}).json().get("items") or ()
        )
    return found


def _get(target: Target, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = session.client.request("GET", target.path()).json()
    return found


_PHASES = {"Running": 0, "Unknown": 1, "Pending": 2}
_NEVER = "9"
"""Comes after every time."""


def _rank(pod: dict[str, Any]) -> tuple[Any, ...]:
    """Return what kubectl sorts pods by: on a node, running, ready, ready for longest, seldom restarted, oldest."""
    status = pod.get("status") or {}
    conditions = status.get("conditions") or ()
    ready = [c for c in conditions if c.get("type") == "Ready" and c.get("status") == "True"]
    restarts = (int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
    return (
        not pod["spec"].get("nodeName"),
        _PHASES.get(status.get("phase", ""), 0),
        not ready,
        str(ready[0].get("lastTransitionTime") or _NEVER) if ready else _NEVER,
        max(restarts, default=0),
        str(pod["metadata"].get("creationTimestamp") or _NEVER),
    )


def containers(pod: dict[str, Any], *, init: bool = True) -> list[str]:
    """Return the names of the pod's containers, init containers last."""
    spec = pod.get("spec") or {}
    groups = ["containers", "initContainers", "ephemeralContainers"] if init else ["containers"]
    return [entry["name"] for group in groups for entry in spec.get(group) or ()]


def container_spec(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what the pod's spec says of a container, {} if it has none of that name."""
    groups = ("containers", "initContainers", "ephemeralContainers")
    found = (each for group in groups for each in pod["spec"].get(group) or ())
    return next((dict(each) for each in found if each["name"] == name), {})


def default_container(pod: dict[str, Any]) -> str:
    """Return the container that is meant when none is named."""
    apps = containers(pod, init=False)
    preferred = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    return str(preferred if preferred in apps else apps[0])


def container(pod: dict[str, Any], asked: str, session: Session) -> str:
    """Return the container to use; of several it is the first, which is said as kubectl says it."""
    name = pod["metadata"]["name"]
    if asked:
        if asked not in containers(pod):
            listed = ", ".join(_listed(pod))
            raise errors.UsageError(f"error: container {asked} is not valid for pod {name} out of: {listed}")
        return asked
    apps = containers(pod, init=False)
    preferred = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    chosen = preferred if preferred in apps else apps[0]
    if len(containers(pod)) > 1 and not preferred:
        session.io.warn(f'Defaulted container "{chosen}" out of: {", ".join(_listed(pod))}')
    return chosen


def _listed(pod: dict[str, Any]) -> list[str]:
    spec = pod.get("spec") or {}
    marks = {"containers": "", "initContainers": " (init)", "ephemeralContainers": " (ephem)"}
    return [entry["name"] + mark for group, mark in marks.items() for entry in spec.get(group) or ()]


def log_path(pod: dict[str, Any], subresource: str, session: Session) -> str:
    """Return the path of a pod's subresource."""
    metadata = pod["metadata"]
    target = Target(session.discovery.find("pods"), metadata["name"], metadata["namespace"])
    return target.path(subresource)
