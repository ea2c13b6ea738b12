"""What a cluster's start waits for: its own pods; and what is said of one that cannot run at present."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minikctl.cli.session import Session

PODS = "/api/v1/namespaces/kube-system/pods"
EVENTS = "/api/v1/namespaces/kube-system/events"
PORT_WORDS = ("address already in use", "port is already allocated", "Timed out proxy starting")
"""How engines word that a port cannot be published."""


def name_of(pod: dict[str, Any]) -> str:
    """Return which part of the system a pod is; its own name if it is none."""
    metadata = pod["metadata"]
    return str((metadata.get("labels") or {}).get("app.kubernetes.io/name") or metadata["name"])


def is_ready(thing: dict[str, Any]) -> bool:
    """Tell whether a pod or a node is Ready."""
    conditions = (thing.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def collision(node: dict[str, Any]) -> str:
    """Return what a node says of a route that leads past its pods, as the end of a sentence; "" if nothing."""
    for each in (node.get("status") or {}).get("conditions") or ():
        if each["type"] == "RouteCollision" and each["status"] == "True":
            return f", but {each.get('message')}"
    return ""


def taken_port(pod: dict[str, Any], session: Session) -> str:
    """Return whose port a pod waits for, in a sentence's half; "" when that is not why it waits."""
    return _holder(pod, _last_warning(pod, session)) if any(_host_ports(pod)) else ""


def _holder(pod: dict[str, Any], warning: str) -> str:
    places = [*_host_ports(pod)]
    if not places or not any(words in warning for words in PORT_WORDS):
        return ""
    from minikctl.drivers import listening

    busy = listening.of_this_machine()
    for address, port in places:
        if busy & {(address, port), (listening.ANY, port)}:
            holder = listening.holder(port, address) or "another process"
            return f"{holder} has {address}:{port}"
    return "the port was taken a moment ago"


def ingress_places(session: Session) -> list[str]:
    """Return where Ingress answers, ``ADDRESS:PORT``; nothing where these are the usual ports."""
    for pod in session.client.request("GET", PODS).json().get("items") or ():
        places = [*_host_ports(pod)] if name_of(pod) == "ingress" else []
        if places and all(port not in (80, 443) for _, port in places):
            return [f"{address}:{port}" for address, port in places]
    return []


def states(session: Session) -> dict[str, str]:
    """Return of each part of the cluster's own pods "ready", or what was told of it last."""
    return {
        name_of(pod): "ready" if is_ready(pod) else _problem(pod, session)
        for pod in session.client.request("GET", PODS).json().get("items") or ()
    }


def _problem(pod: dict[str, Any], session: Session) -> str:
    warning = _last_warning(pod, session)
    return _holder(pod, warning) or warning or "starting"


def _host_ports(pod: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort") and port.get("hostIP"):
                yield str(port["hostIP"]), int(port["hostPort"])


def _last_warning(pod: dict[str, Any], session: Session) -> str:
    query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']},type=Warning"}
    found = session.client.request("GET", EVENTS, query=query).json().get("items") or ()
    told = sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return str(told[-1].get("message") or "") if told else ""
