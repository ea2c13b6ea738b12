"""Which pods stand behind a Service, and on which ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import proxy_view, readiness

HEADLESS = proxy_view.HEADLESS


def is_headless(service: Object) -> bool:
    """Tell whether the Service has no address of its own."""
    return objects.spec(service).get("clusterIP") in ("None", "", None)


def selects_pods(service: Object) -> bool:
    """Tell whether the endpoints of the Service are ours to keep."""
    spec = objects.spec(service)
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def has_endpoint(pod: Object, *, terminating: bool) -> bool:
    """Tell whether the pod has an address that may be published; ``terminating``: even on its way out."""
    if readiness.is_finished(pod) or not readiness.address(pod):
        return False
    return terminating or not objects.is_deleting(pod)


def publishes_unready(service: Object) -> bool:
    """Tell whether the Service wants pods published before they are ready."""
    return bool(objects.spec(service).get("publishNotReadyAddresses"))


def hostname(pod: Object, service: Object) -> str:
    """Return the name under which the pod is found behind a headless Service, or ""."""
    spec = objects.spec(pod)
    same = spec.get("subdomain") == objects.name(service)
    inside = objects.namespace(pod) == objects.namespace(service)
    return str(spec.get("hostname") or "") if same and inside else ""


def addresses(pod: Object, family: str) -> list[str]:
    """Return the pod's addresses of a family: IPv4 or IPv6."""
    status = objects.status(pod)
    listed = [each.get("ip") for each in status.get("podIPs") or ()] or [status.get("podIP")]
    parsed = [ipaddress.ip_address(each) for each in listed if each]
    return [str(each) for each in parsed if each.version == (6 if family == "IPv6" else 4)]


def families(service: Object) -> tuple[str, ...]:
    """Return the address families of the Service."""
    return tuple(objects.spec(service).get("ipFamilies") or ("IPv4",))


def ports(service: Object, pod: Object) -> list[dict[str, Any]]:
    """Return the pod's ports behind the Service; a named target that the pod does not have is left out."""
    found = []
    for wanted in objects.spec(service).get("ports") or ():
        number = _number(wanted, pod)
        if number is None:
            continue
        port = {"name": wanted.get("name") or "", "port": number, "protocol": wanted.get("protocol") or "TCP"}
        if wanted.get("appProtocol"):
            port["appProtocol"] = wanted["appProtocol"]
        found.append(port)
    return found


def _number(wanted: Mapping[str, Any], pod: Object) -> int | None:
    target = wanted.get("targetPort") or wanted.get("port")
    if not isinstance(target, str):
        return target
    protocol = wanted.get("protocol") or "TCP"
    spec = objects.spec(pod)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def pod_reference(pod: Object) -> dict[str, str]:
    """Return the targetRef of an endpoint."""
    namespace, name = objects.key(pod)
    return {"kind": "Pod", "namespace": namespace, "name": name, "uid": objects.uid(pod)}
