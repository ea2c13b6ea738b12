"""Ingresses for tests, in few words, and requests sent through a rendered configuration."""

from __future__ import annotations

from typing import Any

from minikctl.plan import ingress, proxy_view
from minikctl.plan.ingress_routes import Certificate, Routing, View
from tests.plan.proxy.cases import endpoint_slice, service

OURS = {
    "metadata": {"name": "minikctl", "annotations": {ingress.DEFAULT_ANNOTATION: "true"}},
    "spec": {"controller": ingress.CONTROLLER},
}
OTHER = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def backend(name: str, port: int | str = 80) -> Any:
    return {"service": {"name": name, "port": {"name" if isinstance(port, str) else "number": port}}}


def path(text: str, name: str, type: str = "Prefix") -> Any:
    return {"path": text, "pathType": type, "backend": backend(name)}


def rule(host: str, *paths: Any) -> Any:
    return {"host": host, "http": {"paths": list(paths)}} if host else {"http": {"paths": list(paths)}}


def make(name: str, *rules: Any, created: str = "1", annotations: Any = None, **spec: Any) -> Any:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "namespace": "default",
            "name": name,
            "generation": 1,
            "creationTimestamp": created,
            "annotations": annotations or {},
        },
        "spec": {"rules": list(rules), **spec},
    }


def view(*ingresses: Any, services: Any = None, certificates: Any = (), **more: Any) -> View:
    """Return a view in which Services a, b and c exist, each with one endpoint, unless others are given."""
    found = services if services is not None else [service(name) for name in "abc"]
    slices = [endpoint_slice(one["metadata"]["name"], f"10.1.0.{n}") for n, one in enumerate(found, 2)]
    return View(
        ingresses=ingresses,
        classes=more.pop("classes", (OURS, OTHER)),
        services={("default", one["metadata"]["name"]): one for one in found},
        slices=proxy_view.slices_by_service(slices),
        certificates={one.secret: one for one in certificates},
        **more,
    )


def certificate(name: str, problem: str = "") -> Certificate:
    return Certificate(("default", name), "" if problem else f"pem of {name}\n", problem)


def routed(found: Routing, host: str, path: str) -> str:
    """Return the backend of a request, by the maps alone, as the proxy looks things up."""
    pattern = next((one for one in (host, "*." + host.partition(".")[2]) if one in found.hosts), "*")
    exact = found.exact.get(f"{pattern}{path}")
    prefixes = [key for key in found.prefixes if f"{pattern}{path}/".startswith(key)]
    longest = found.prefixes[max(prefixes, key=len)] if prefixes else ""
    return exact or longest or found.default or "404"
