"""The walk of an Ingress: class, address, host name, certificate, and behind each path its Service."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import ingress as routes
from minikctl.plan import ingress_routes, ingress_secrets, ingress_values, proxy_view, readiness
from minikctl.plan.why import behind
from minikctl.plan.why.links import Link, View, broken, first_broken, holds, listed, note, unknown

PART = "app.kubernetes.io/name"
HARMLESS = ("UnsupportedAnnotation", "InvalidAnnotation", "ForeignAnnotation")
"""Problems with which an Ingress is served all the same."""
_PEM = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Visit:
    """A real request to the Ingress address: its status code, or why there was no answer."""

    code: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Handshake:
    """A TLS handshake: the certificate that was shown, and what its clients have against it."""

    certificate: bytes = b""
    problem: str = ""


@dataclass(frozen=True)
class Outside:
    """What this machine sees: addresses of host names, visits by (host, path), handshakes by host."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    visits: Mapping[tuple[str, str], Visit] = field(default_factory=dict)
    handshakes: Mapping[str, Handshake] = field(default_factory=dict)


def walk(ingress: Object, view: View, outside: Outside) -> list[Link]:
    """Return the Ingress' chain, in the order of a request's way."""
    found = [_class(ingress, view)]
    if first_broken(found) is not None:
        return found
    found += [_proxy(view), _address(ingress, view)]
    found += _names(ingress, outside)
    found += _certificates(ingress, view, outside)
    routing = routes.routing(_routing_view(view))
    found += [
        note("routes", one.message) if one.reason in HARMLESS else broken("routes", one.message)
        for one in routing.problems
        if one.ingress == objects.key(ingress) and one.reason != "CertificateUnusable"
    ]
    if first_broken(found) is None:
        found += _backends(ingress, view)
    found += _visits(ingress, outside)
    return found


def _class(ingress: Object, view: View) -> Link:
    wanted = routes.class_of(ingress)
    if routes.is_ours(ingress, view.classes):
        return holds("class", f"class {wanted}" if wanted else "no class named: the default class takes it")
    known = [
        objects.name(one) for one in view.classes if objects.spec(one).get("controller") == routes.CONTROLLER
    ]
    if not wanted:
        return broken("class", "it names no class, and this cluster's class is not the default one")
    ours = f"spec.controller {routes.CONTROLLER}"
    if any(objects.name(one) == wanted for one in view.classes):
        way = f"leave ingressClassName out, or make IngressClass {wanted} anew with {ours}"
        said = f"class {wanted} belongs to another controller; ours is {listed(known) or 'missing'}"
        return broken("class", f"{said}; hint: {way}")
    way = f"leave ingressClassName out, or add an IngressClass {wanted} with {ours}"
    return broken(
        "class", f"there is no class {wanted}; this cluster's is {listed(known) or 'missing'}; hint: {way}"
    )


def _proxy(view: View) -> Link:
    pods = [
        one
        for one in view.pods
        if objects.namespace(one) == "kube-system" and objects.labels(one).get(PART) == "ingress"
    ]
    if any(readiness.is_ready(one) for one in pods):
        return holds("proxy", "the Ingress proxy runs")
    return broken("proxy", "the Ingress proxy (kube-system, deployment ingress) is not ready")


def _address(ingress: Object, view: View) -> Link:
    shown = address_of(ingress)
    if shown:
        return holds("address", f"published at {shown}")
    said = view.said_of(ingress, "Refused")
    return broken("address", said or "it has no address in its status (yet)")


def address_of(ingress: Object) -> str:
    """Return where the Ingress says that it answers, "" when it does not say."""
    entries = (objects.status(ingress).get("loadBalancer") or {}).get("ingress") or ()
    return next((str(one.get("ip") or "") for one in entries), "")


def ports_of(ingress: Object) -> tuple[int, int]:
    """Return the ports of HTTP and HTTPS: the usual ones, unless the status names others."""
    entries = (objects.status(ingress).get("loadBalancer") or {}).get("ingress") or ()
    told = [int(port.get("port") or 0) for entry in entries for port in entry.get("ports") or ()]
    return (told[0], told[1]) if len(told) == 2 else (80, 443)


def hosts_of(ingress: Object) -> list[str]:
    """Return the hosts of the rules that can be looked up: without wildcards."""
    found = [str(rule.get("host") or "") for rule in objects.spec(ingress).get("rules") or ()]
    return list(dict.fromkeys(host for host in found if host and not host.startswith("*.")))


def _names(ingress: Object, outside: Outside) -> Iterator[Link]:
    address = address_of(ingress)
    for host in hosts_of(ingress):
        answer = outside.names.get(host)
        if answer is None:
            continue
        if address in answer:
            yield holds("name", f"{host} is {address} on this machine")
        elif host.endswith(".localhost") and "127.0.0.1" in answer:
            yield holds("name", f"{host} is 127.0.0.1 on this machine")
        else:
            what = f"is {listed(answer)}" if answer else "is unknown"
            port = ports_of(ingress)[0]
            way = f": use curl --resolve {host}:{port}:{address}, or *.localhost" if address else ""
            yield note("name", f"{host} {what} on this machine{way}")


def _certificates(ingress: Object, view: View, outside: Outside) -> Iterator[Link]:
    for entry in objects.spec(ingress).get("tls") or ():
        if entry.get("secretName"):
            yield from _certificate(
                ingress, str(entry["secretName"]), tls_hosts(ingress, entry), view, outside
            )


def tls_hosts(ingress: Object, entry: Mapping[str, Any]) -> list[str]:
    """Return the hosts that an entry of ``tls`` is for: those that it names, else those of the rules."""
    rules = objects.spec(ingress).get("rules") or ()
    named = entry.get("hosts") or [rule["host"] for rule in rules if rule.get("host")]
    return [str(host).lower() for host in named]


def _certificate(
    ingress: Object, name: str, hosts: Sequence[str], view: View, outside: Outside
) -> Iterator[Link]:
    key = (objects.namespace(ingress), name)
    secret = next((one for one in view.secrets if objects.key(one) == key), None)
    if secret is None:
        yield broken("certificate", f'Secret "{name}" does not exist: the default certificate is shown')
        return
    missing = [part for part in ("tls.crt", "tls.key") if part not in (secret.get("data") or {})]
    if missing:
        yield broken("certificate", f'Secret "{name}" has no {missing[0]}: the default certificate is shown')
        return
    own = _leaf(secret)
    for host in hosts:
        seen = outside.handshakes.get(host)
        if seen is None:
            continue
        if seen.certificate and seen.certificate != own:
            why = view.said_of(ingress, "CertificateUnusable", "CertificateUnused")
            what = f'https://{host}/ does not show the certificate of Secret "{name}"'
            yield broken("certificate", f"{what}: {why}" if why else what)
            return
        if seen.problem:
            what = f' shows that of Secret "{name}"' if seen.certificate else ""
            yield broken("certificate", f"https://{host}/{what}: {seen.problem}")
            return
    yield holds("certificate", f"from Secret {name}")


def _leaf(secret: Object) -> bytes:
    """Return the first certificate in a Secret, b"" if there is none."""
    with contextlib.suppress(ValueError):
        text = base64.b64decode(secret["data"]["tls.crt"]).decode(errors="replace")
        found = _PEM.search(text)
        return base64.b64decode(found[1]) if found else b""
    return b""


def _routing_view(view: View) -> ingress_routes.View:
    return ingress_routes.View(
        ingresses=tuple(view.ingresses),
        classes=tuple(view.classes),
        services={objects.key(one): one for one in view.services},
        slices=proxy_view.slices_by_service(view.slices),
        certificates={},
        users=ingress_secrets.users(view.ingresses, {objects.key(one): one for one in view.secrets}),
    )


def backends_of(ingress: Object) -> dict[Key, list[str]]:
    """Return the Services that the Ingress leads to, each with the paths that do."""
    spec, namespace = objects.spec(ingress), objects.namespace(ingress)
    found: dict[Key, list[str]] = {}
    listed_ = [("everything else", spec["defaultBackend"])] if spec.get("defaultBackend") else []
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            listed_.append((f"{rule.get('host') or '*'}{path.get('path') or '/'}", path.get("backend") or {}))
    for title, backend in listed_:
        name = (backend.get("service") or {}).get("name")
        if name:
            found.setdefault((namespace, str(name)), []).append(title)
    return found


def _backends(ingress: Object, view: View) -> Iterator[Link]:
    """Walk on behind each Service that the Ingress leads to; without one the routes were broken."""
    pods = [
        one
        for one in view.pods
        if objects.namespace(one) == "kube-system" and objects.labels(one).get(PART) == "ingress"
    ]
    services = {objects.key(one): one for one in view.services}
    client = next((one for one in pods if readiness.is_ready(one)), None)
    for key, titles in backends_of(ingress).items():
        yield holds("service", f"{listed(titles)} leads to Service {key[1]}")
        host = str(objects.spec(services[key]).get("externalName") or "")
        other = ingress_routes.service_named(host) if host else None
        if other is not None and other in services:
            yield holds("service", f"which is {host}")
            key = other
        yield from behind.links(services[key], view, client)


def _visits(ingress: Object, outside: Outside) -> Iterator[Link]:
    protocol = objects.annotations(ingress).get(f"{ingress_values.PREFIX}backend-protocol")
    spoken = f", which is spoken to by {protocol} (backend-protocol)" if protocol else ""
    for (host, path), visit in outside.visits.items():
        words = f"GET http://{host}{path} -> {visit.code or visit.problem}"
        if visit.problem:
            yield broken("request", f"{words}{spoken}")
        elif visit.code in (502, 503, 504):
            yield broken("request", f"{words}: the proxy got no answer from the Service{spoken}")
        elif visit.code == 404:
            yield unknown("request", f"{words}: by the application, or by a rule that is not loaded yet")
        elif visit.code in (401, 403):
            yield note(
                "request", f"{words}: by the application, or by what annotations of the Ingress ask for"
            )
        else:
            yield holds("request", words)
