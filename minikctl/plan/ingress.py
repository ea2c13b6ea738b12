"""Ingress routing as data: which host and path lead to which endpoints, with which certificates.

Hosts are matched before paths: the exact host, else its one-label wildcard, else rules without a host.
Within a host an exact path wins, then the longest prefix by whole elements.  Of equal rules the oldest
Ingress wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.model.objects import Key, Object
from minikctl.plan import proxy_view
from minikctl.plan.proxy_view import Target

CONTROLLER = "minikctl.dev/ingress"
CLASS = "minikctl"
COMPONENT = "ingress-controller"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
ANY_HOST = "*"


@dataclass(frozen=True)
class Certificate:
    """A certificate chain with its key, from a Secret; ``problem`` says why it cannot be used."""

    secret: Key
    pem: str
    problem: str = ""


@dataclass(frozen=True)
class View:
    """What routing is made from; ``certificates`` are by the key of their Secret.

    ``refused`` are keys of Ingresses that are left out because the proxy does not take them.
    """

    ingresses: tuple[Object, ...]
    classes: tuple[Object, ...]
    services: Mapping[Key, Object]
    slices: Mapping[Key, Sequence[Object]]
    certificates: Mapping[Key, Certificate]
    refused: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Backend:
    """The endpoints behind one port of a Service, and the Ingresses that lead there."""

    name: str
    targets: tuple[Target, ...] = ()
    owners: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something of an Ingress that does not work as it is written."""

    ingress: Key
    reason: str
    message: str


@dataclass(frozen=True)
class Routing:
    """Maps of patterns to backend names.

    ``exact`` and ``prefixes`` have keys made of host pattern and path; a prefix ends in "/".  ``secrets``
    are the certificates by Secret with the hosts that they are for (none: those that they name themselves).
    """

    hosts: frozenset[str] = frozenset()
    exact: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    backends: Mapping[str, Backend] = field(default_factory=dict)
    secrets: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    owners: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict)
    served: tuple[Key, ...] = ()
    problems: tuple[Problem, ...] = ()


class _Draft:
    """Routing being collected; what is there first stays."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.hosts: set[str] = set()
        self.exact: dict[str, str] = {}
        self.prefixes: dict[str, str] = {}
        self.fallbacks: dict[str, str] = {}
        self.default = ""
        self.backends: dict[str, Backend] = {}
        self.secrets: dict[Key, list[str]] = {}
        self.owners: dict[Key, list[Key]] = {}
        self.problems: list[Problem] = []

    def problem(self, ingress: Object, reason: str, message: str) -> None:
        self.problems.append(Problem(objects.key(ingress), reason, message))

    def finished(self, served: tuple[Key, ...]) -> Routing:
        for key, name in self.fallbacks.items():
            self.prefixes.setdefault(key, name)
        return Routing(
            hosts=frozenset(self.hosts),
            exact=self.exact,
            prefixes=self.prefixes,
            default=self.default,
            backends=self.backends,
            secrets={key: tuple(dict.fromkeys(hosts)) for key, hosts in self.secrets.items()},
            owners={key: tuple(dict.fromkeys(owners)) for key, owners in self.owners.items()},
            served=served,
            problems=tuple(self.problems),
        )


def routing(view: View) -> Routing:
    """Return the routes of all Ingresses that are ours, and what is wrong with them."""
    ours = [one for one in sorted(view.ingresses, key=_seniority) if is_ours(one, view.classes)]
    draft = _Draft(view)
    for ingress in ours:
        if objects.key(ingress) not in view.refused:
            _rules(draft, ingress)
            _tls(draft, ingress)
    return draft.finished(tuple(objects.key(one) for one in ours if objects.key(one) not in view.refused))


def _seniority(ingress: Object) -> tuple[str, Key]:
    return str(objects.meta(ingress).get("creationTimestamp") or ""), objects.key(ingress)


def class_of(ingress: Object) -> str:
    """Return the class that the Ingress names, by its field or the older annotation; "" if it names none."""
    named = objects.spec(ingress).get("ingressClassName")
    return str(named or objects.annotations(ingress).get(CLASS_ANNOTATION) or "")


def is_ours(ingress: Object, classes: Iterable[Object]) -> bool:
    """Tell whether the Ingress is of a class of ours; without any class it is if ours is the default."""
    if objects.is_deleting(ingress):
        return False
    own = [one for one in classes if objects.spec(one).get("controller") == CONTROLLER]
    wanted = class_of(ingress)
    if wanted:
        return any(objects.name(one) == wanted for one in own)
    return any(objects.annotations(one).get(DEFAULT_ANNOTATION) == "true" for one in own)


def _rules(draft: _Draft, ingress: Object) -> None:
    spec = objects.spec(ingress)
    wanted = spec.get("defaultBackend")
    fallback = _backend(draft, ingress, wanted) if wanted else ""
    if fallback and not draft.default:
        draft.default = fallback
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or ANY_HOST).lower()
        draft.hosts.add(host)
        if fallback:
            draft.fallbacks.setdefault(f"{host}/", fallback)
        for path in (rule.get("http") or {}).get("paths") or ():
            _path(draft, ingress, host, path)


def _path(draft: _Draft, ingress: Object, host: str, entry: Mapping[str, Any]) -> None:
    path = str(entry.get("path") or "/")
    if not path.startswith("/") or len(path.split()) != 1:
        draft.problem(ingress, "InvalidPath", f"path {path!r} of host {host} can never match")
        return
    name = _backend(draft, ingress, entry.get("backend") or {})
    if not name:
        return
    if entry.get("pathType") == "Exact":
        known = draft.exact.setdefault(f"{host}{path}", name)
    else:
        known = _prefix(draft, host, path, name)
    if known != name:
        draft.problem(ingress, "Conflict", f"{host}{path} already leads elsewhere by an older rule")


def _prefix(draft: _Draft, host: str, path: str, name: str) -> str:
    return draft.prefixes.setdefault(f"{host}{path.rstrip('/')}/", name)


def _backend(draft: _Draft, ingress: Object, backend: Mapping[str, Any]) -> str:
    """Return the name of the backend, "" if there is no way to have it."""
    service = backend.get("service")
    if not service:
        draft.problem(ingress, "UnsupportedBackend", "a resource backend is not supported; name a Service")
        return ""
    wanted = service.get("port") or {}
    key = (objects.namespace(ingress), str(service.get("name") or ""))
    name = f"{key[0]}_{key[1]}_{wanted.get('name') or wanted.get('number')}"
    known = draft.backends.get(name)
    if known is None:
        known = Backend(name, _targets(draft, ingress, key, wanted))
    if objects.key(ingress) not in known.owners:
        known = Backend(name, known.targets, (*known.owners, objects.key(ingress)))
    draft.backends[name] = known
    return name


def _targets(draft: _Draft, ingress: Object, key: Key, wanted: Mapping[str, Any]) -> tuple[Target, ...]:
    service = draft.view.services.get(key)
    if service is None:
        draft.problem(
            ingress, "ServiceNotFound", f'Service "{key[1]}" does not exist; its paths answer with 503'
        )
        return ()
    if objects.spec(service).get("type") == "ExternalName":
        draft.problem(ingress, "UnsupportedBackend", f'Service "{key[1]}" is an ExternalName')
        return ()
    port = next(_ports(service, wanted), None)
    if port is None:
        shown = wanted.get("name") or wanted.get("number")
        draft.problem(ingress, "PortNotFound", f'Service "{key[1]}" has no port {shown}')
        return ()
    return proxy_view.chosen(proxy_view.endpoints_of(draft.view.slices.get(key, ()), port))


def _ports(service: Object, wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for port in objects.spec(service).get("ports") or ():
        by_name = wanted.get("name") and port.get("name") == wanted["name"]
        if by_name or (wanted.get("number") and port.get("port") == wanted["number"]):
            yield port


def _tls(draft: _Draft, ingress: Object) -> None:
    spec = objects.spec(ingress)
    for entry in spec.get("tls") or ():
        secret = entry.get("secretName")
        if not secret:
            continue  # TLS with the certificate that is there for all others
        key = (objects.namespace(ingress), str(secret))
        found = draft.view.certificates.get(key)
        if found is None or found.problem:
            why = found.problem if found else f'Secret "{secret}" does not exist'
            draft.problem(ingress, "CertificateUnusable", f"{why}; the default certificate is used")
            continue
        named = [str(host).lower() for host in entry.get("hosts") or ()]
        of_rules = [str(rule["host"]).lower() for rule in spec.get("rules") or () if rule.get("host")]
        draft.secrets.setdefault(key, []).extend(named or of_rules)
        draft.owners.setdefault(key, []).append(objects.key(ingress))


def secrets_of(ingresses: Iterable[Object]) -> frozenset[Key]:
    """Return the Secrets that the Ingresses name."""
    return frozenset(
        (objects.namespace(ingress), str(entry["secretName"]))
        for ingress in ingresses
        for entry in objects.spec(ingress).get("tls") or ()
        if entry.get("secretName")
    )


def events(found: Iterable[Problem], ingresses: Mapping[Key, Object]) -> tuple[api.RecordEvent, ...]:
    """Return a Warning event about each problem."""
    return tuple(
        api.RecordEvent(ingresses[one.ingress], "Warning", one.reason, one.message, COMPONENT)
        for one in found
        if one.ingress in ingresses
    )


def status_changes(
    ingresses: Iterable[Object], served: Iterable[Key], address: str
) -> tuple[tuple[Object, dict[str, Any]], ...]:
    """Return (Ingress, merge patch) for each whose status is wrong about where it answers."""
    serving = set(served)
    found = []
    for ingress in ingresses:
        listed = (objects.status(ingress).get("loadBalancer") or {}).get("ingress") or []
        shown = [entry.get("ip") for entry in listed]
        if objects.key(ingress) in serving and shown != [address]:
            found.append((ingress, _address_patch([{"ip": address}])))
        elif objects.key(ingress) not in serving and shown == [address]:
            found.append((ingress, _address_patch(None)))
    return tuple(found)


def _address_patch(entries: list[dict[str, str]] | None) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": entries}}}
