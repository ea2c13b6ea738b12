"""Where pods reach the API: the endpoints of Service ``kubernetes`` are the relay's ready pods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Plan, Update
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

NAMESPACE, NAME = "default", "kubernetes"
RELAY_NAMESPACE = "kube-system"
RELAY = {"k8s-app": "minikctl-api-relay"}
PORT = 6443
_PORTS = [{"name": "https", "port": PORT, "protocol": "TCP"}]


@dataclass(frozen=True)
class View:
    """Service ``kubernetes``, the relay's pods, and the endpoints in both forms (None: missing)."""

    object: Object
    pods: tuple[Object, ...]
    endpoints: Object | None
    slice: Object | None


def is_relay(pod: Object) -> bool:
    """Tell whether the pod is one of the relay's."""
    return objects.namespace(pod) == RELAY_NAMESPACE and RELAY.items() <= objects.labels(pod).items()


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the writes that make the endpoints right; without a ready relay, the last known one stays."""
    addresses = sorted({str(objects.status(pod)["podIP"]) for pod in view.pods if _serves(pod)})
    if not addresses:
        return Plan()
    actions: list[ApiAction] = []
    for kind, present, body in (
        (kinds.ENDPOINTS, view.endpoints, _endpoints(addresses)),
        (kinds.ENDPOINT_SLICE, view.slice, _slice(addresses)),
    ):
        if present is None:
            actions.append(Create(kind, _new(kind, body)))
        elif any(present.get(field) != value for field, value in body.items() if field != "metadata"):
            actions.append(Update(kind, {**present, **body, "metadata": present["metadata"]}))
    return Plan(tuple(actions))


def _serves(pod: Object) -> bool:
    ready = objects.condition(pod, "Ready") or {}
    return (
        bool(objects.status(pod).get("podIP"))
        and ready.get("status") == "True"
        and not objects.is_deleting(pod)
    )


def _new(kind: Kind, body: dict[str, Any]) -> Object:
    metadata = {"name": NAME, "namespace": NAMESPACE, **body["metadata"]}
    return {"apiVersion": kind.api_version, "kind": kind.kind, **body, "metadata": metadata}


def _endpoints(addresses: list[str]) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": address} for address in addresses], "ports": _PORTS}],
    }


def _slice(addresses: list[str]) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": _PORTS,
    }
