"""Services and EndpointSlices for tests, in few words."""

from __future__ import annotations

from typing import Any

from minikctl.plan import proxy, proxy_view

FACTS = proxy.Facts(
    ranges=("10.96.0.0/16", "127.0.1.0/24"),
    subnet="10.1.0.0/20",
    spot=proxy_view.Spot("here"),
    node_addresses=("10.1.0.1",),
)


def service(name: str, ip: str = "10.96.0.20", *, ports: Any = None, status: Any = None, **spec: Any) -> Any:
    """Return a Service ``default/<name>``; ports default to 80/TCP."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}"},
        "spec": {"clusterIP": ip, "ports": ports or [{"port": 80, "protocol": "TCP"}], **spec},
        "status": {"loadBalancer": {"ingress": status or []}},
    }


def endpoint(ip: str, node: str = "here", hostname: str = "", **conditions: bool) -> Any:
    """Return an entry of an EndpointSlice."""
    found: dict[str, Any] = {"addresses": [ip], "nodeName": node, "conditions": conditions}
    if hostname:
        found["hostname"] = hostname
    return found


def endpoint_slice(
    service_name: str, *endpoints: Any, ports: Any = None, suffix: str = "1", **top: Any
) -> Any:
    """Return an EndpointSlice of ``default/<service_name>``; an endpoint may be just its address."""
    return {
        "addressType": "IPv4",
        "metadata": {
            "namespace": "default",
            "name": f"{service_name}-{suffix}",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "ports": ports or [{"port": 8080, "protocol": "TCP"}],
        "endpoints": [endpoint(one) if isinstance(one, str) else one for one in endpoints],
        **top,
    }
