"""Ingress routing as data: which host and path lead to which endpoints, with which certificates.

Hosts are matched before paths: the exact host, else its one-label wildcard, else rules without a host.
Within a host an exact path wins, then the longest prefix by whole elements.  Of equal rules the oldest
Ingress wins.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import ingress_annotations, ingress_auth, ingress_options, ingress_secrets, proxy_view
from minikctl.plan.ingress_options import Canary, Options
from minikctl.plan.proxy_view import Target

CONTROLLER = "minikctl.dev/ingress"
COMPONENT = "ingress-controller"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
ANY_HOST = "*"
APP_PROTOCOLS = {
    "kubernetes.io/h2c": "GRPC",
    "h2c": "GRPC",
    "grpc": "GRPC",
    "https": "HTTPS",
    "kubernetes.io/wss": "HTTPS",
}
"""The protocols that change how a Service is spoken to, by the appProtocol of its port."""
_FOREIGN = re.compile(r"['\"\s]")


@dataclass(frozen=True)
class Certificate:
    """A certificate chain with its key, from a Secret; ``problem`` says why it cannot be used."""

    secret: Key
    pem: str
    problem: str = ""


@dataclass(frozen=True)
class View:
    """What routing is made from; ``certificates`` are by the key of their Secret.

    Those of our own authority are under ("", host), as no Secret has them.  ``users`` are (name, hash) by
    the key of their Secret.  ``refused`` are keys of Ingresses that are left out because the proxy does not
    take them.
    """

    ingresses: tuple[Object, ...]
    classes: tuple[Object, ...]
    services: Mapping[Key, Object]
    slices: Mapping[Key, Sequence[Object]]
    certificates: Mapping[Key, Certificate]
    refused: frozenset[Key] = frozenset()
    users: Mapping[Key, Sequence[tuple[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Backend:
    """The endpoints behind one port of a Service, and the Ingresses that lead there.

    What an Ingress asks for is done in backends of its own; ``pattern`` is the regular expression of the
    path that leads there, and ``protocol`` what the Service says that it speaks.
    """

    name: str
    targets: tuple[Target, ...] = ()
    owners: tuple[Key, ...] = ()
    options: Options = ingress_options.PLAIN
    pattern: str = ""
    protocol: str = ""
    has_tls: bool = False


@dataclass(frozen=True)
class CanaryRoute:
    """Some requests for one backend, which nothing else leads to, go to another."""

    primary: str
    backend: str
    canary: Canary


@dataclass(frozen=True)
class Problem:
    """Something of an Ingress that does not work as it is written."""

    ingress: Key
    reason: str
    message: str


@dataclass(frozen=True)
class Routing:
    """Maps of patterns to backend names.

    ``exact`` and ``prefixes`` have keys made of host pattern and path; a prefix ends in "/".  The keys of
    ``regexes`` are expressions for both; the first that matches counts, and ``regex_hosts`` are the host
    patterns in them.  ``secrets`` are the certificates by Secret with the hosts that they are for (none:
    those that they name themselves).
    """

    hosts: frozenset[str] = frozenset()
    exact: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    regexes: Mapping[str, str] = field(default_factory=dict)
    regex_hosts: Mapping[str, str] = field(default_factory=dict)
    regex_owners: Mapping[str, Key] = field(default_factory=dict)
    default: str = ""
    backends: Mapping[str, Backend] = field(default_factory=dict)
    canaries: tuple[CanaryRoute, ...] = ()
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
        self.regexes: dict[str, str] = {}
        self.regex_hosts: dict[str, str] = {}
        self.regex_owners: dict[str, Key] = {}
        self.canaries: list[CanaryRoute] = []
        self.options: dict[Key, Options] = {}
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
            regexes=dict(sorted(self.regexes.items(), key=_rank)),
            regex_hosts=self.regex_hosts,
            regex_owners=self.regex_owners,
            canaries=tuple(self.canaries),
            default=self.default,
            backends=self.backends,
            secrets={key: tuple(dict.fromkeys(hosts)) for key, hosts in self.secrets.items()},
            owners={key: tuple(dict.fromkeys(owners)) for key, owners in self.owners.items()},
            served=served,
            problems=tuple(self.problems),
        )


def _rank(item: tuple[str, str]) -> tuple[int, str]:
    """Sort the expressions of a host as ingress-nginx does, the longest first."""
    return -len(item[0]), item[0]


def routing(view: View) -> Routing:
    """Return the routes of all Ingresses that are ours, and what is wrong with them."""
    ours = [one for one in sorted(view.ingresses, key=_seniority) if is_ours(one, view.classes)]
    draft = _Draft(view)
    taken = [one for one in ours if objects.key(one) not in view.refused]
    known = {host for ingress in taken for host in _hosts(ingress)}
    for ingress in taken:
        draft.options[objects.key(ingress)] = _options(draft, ingress, known)
    # A canary needs what it stands beside.
    for ingress in sorted(taken, key=lambda one: draft.options[objects.key(one)].canary is not None):
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


def _hosts(ingress: Object) -> Iterator[str]:
    for rule in objects.spec(ingress).get("rules") or ():
        yield str(rule.get("host") or ANY_HOST).lower()


def _options(draft: _Draft, ingress: Object, hosts: Collection[str]) -> Options:
    found = objects.annotations(ingress)
    secret = ingress_annotations.secret_of(found, objects.namespace(ingress))
    options = ingress_annotations.read(found, draft.view.users.get(secret) if secret else None)
    if options.auth is not None:
        where, problem = ingress_auth.address(options.auth, draft.view.services, hosts)
        asked = dataclasses.replace(options.auth, address=where)
        options = dataclasses.replace(options, auth=asked, shut=options.shut or problem)
    for reason, message in options.problems:
        draft.problem(ingress, reason, message)
    if options.shut:
        draft.problem(ingress, "Shut", f"every request is refused with 503: {options.shut}")
    return options


def _rules(draft: _Draft, ingress: Object) -> None:
    spec, options = objects.spec(ingress), draft.options[objects.key(ingress)]
    wanted = spec.get("defaultBackend") if options.canary is None else None
    fallback = _backend(draft, ingress, wanted) if wanted else ""
    if fallback and not draft.default:
        draft.default = fallback
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or ANY_HOST).lower()
        for one in (host, *(alias.lower() for alias in options.aliases)):
            draft.hosts.add(one)
            if fallback:
                draft.fallbacks.setdefault(f"{one}/", fallback)
            for path in (rule.get("http") or {}).get("paths") or ():
                _path(draft, ingress, one, path)


def _path(draft: _Draft, ingress: Object, host: str, entry: Mapping[str, Any]) -> None:
    path = str(entry.get("path") or "/")
    if not path.startswith("/") or len(path.split()) != 1:
        draft.problem(ingress, "InvalidPath", f"path {path!r} of host {host} can never match")
        return
    options = draft.options[objects.key(ingress)]
    pattern = _pattern(draft, ingress, path) if _is_regex(options, entry) else ""
    if pattern is None:
        return
    table, key = _place(draft, host, path, entry, pattern)
    name = _backend(draft, ingress, entry.get("backend") or {}, pattern)
    if not name:
        return
    if pattern:
        draft.regex_hosts[key] = host
        draft.regex_owners.setdefault(key, objects.key(ingress))
    if options.canary is not None:
        _beside(draft, ingress, table, key, name)
    elif table.setdefault(key, name) != name:
        draft.problem(ingress, "Conflict", f"{host}{path} already leads elsewhere by an older rule")


def _is_regex(options: Options, entry: Mapping[str, Any]) -> bool:
    """Tell whether the path is an expression: the Ingress says so, or takes parts of it for another path."""
    return entry.get("pathType") != "Exact" and (options.regex or "$" in options.rewrite)


def _pattern(draft: _Draft, ingress: Object, path: str) -> str | None:
    try:
        re.compile(path)
        if _FOREIGN.search(path):
            raise re.error("it has a quotation mark in it")
    except re.error as error:
        draft.problem(ingress, "InvalidPath", f"path {path!r} is not a regular expression: {error}")
        return None
    return path


def _place(
    draft: _Draft, host: str, path: str, entry: Mapping[str, Any], pattern: str
) -> tuple[dict[str, str], str]:
    """Return the map that the path belongs to, and its key there."""
    if pattern:
        return draft.regexes, f"^{re.escape(host)}(?i){pattern}"
    if entry.get("pathType") == "Exact":
        return draft.exact, f"{host}{path}"
    return draft.prefixes, f"{host}{path.rstrip('/')}/"


def _beside(draft: _Draft, ingress: Object, table: dict[str, str], key: str, name: str) -> None:
    """Let some of the requests for a path that others serve go to this backend."""
    canary = draft.options[objects.key(ingress)].canary
    primary = draft.backends.get(table.get(key, ""))
    if primary is None or canary is None:
        draft.problem(ingress, "NoPrimary", "no other Ingress serves the path that this one is a canary for")
        return
    suffix = f".{_short(key)}"
    own = primary.name if primary.name.endswith(suffix) else primary.name + suffix
    draft.backends[own] = dataclasses.replace(primary, name=own)
    table[key] = own
    draft.canaries.append(CanaryRoute(own, name, canary))


def _short(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def _backend(draft: _Draft, ingress: Object, backend: Mapping[str, Any], pattern: str = "") -> str:
    """Return the name of the backend, "" if there is no way to have it."""
    service = backend.get("service")
    if not service:
        draft.problem(ingress, "UnsupportedBackend", "a resource backend is not supported; name a Service")
        return ""
    wanted = service.get("port") or {}
    key = (objects.namespace(ingress), str(service.get("name") or ""))
    name = f"{key[0]}_{key[1]}_{wanted.get('name') or wanted.get('number')}"
    options = draft.options[objects.key(ingress)]
    pattern = pattern if options.rewrite else ""
    if not options.is_plain:
        name += f":{objects.name(ingress)}" + (f".{_short(pattern)}" if pattern else "")
    known = draft.backends.get(name)
    if known is None:
        targets, protocol = _targets(draft, ingress, key, wanted)
        known = Backend(name, targets, (), pattern=pattern, protocol=protocol)
        if not options.is_plain:
            has_tls = bool(objects.spec(ingress).get("tls"))
            known = dataclasses.replace(known, options=options, has_tls=has_tls)
    if objects.key(ingress) not in known.owners:
        known = dataclasses.replace(known, owners=(*known.owners, objects.key(ingress)))
    draft.backends[name] = known
    return name


def _targets(
    draft: _Draft, ingress: Object, key: Key, wanted: Mapping[str, Any]
) -> tuple[tuple[Target, ...], str]:
    """Return the endpoints, and the protocol that the port says it speaks."""
    service = draft.view.services.get(key)
    if service is None:
        draft.problem(
            ingress, "ServiceNotFound", f'Service "{key[1]}" does not exist; its paths answer with 503'
        )
        return (), ""
    if objects.spec(service).get("type") == "ExternalName":
        draft.problem(ingress, "UnsupportedBackend", f'Service "{key[1]}" is an ExternalName')
        return (), ""
    port = next(_ports(service, wanted), None)
    if port is None:
        shown = wanted.get("name") or wanted.get("number")
        draft.problem(ingress, "PortNotFound", f'Service "{key[1]}" has no port {shown}')
        return (), ""
    targets = proxy_view.chosen(proxy_view.endpoints_of(draft.view.slices.get(key, ()), port))
    return targets, APP_PROTOCOLS.get(str(port.get("appProtocol") or "").lower(), "")


def _ports(service: Object, wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for port in objects.spec(service).get("ports") or ():
        by_name = wanted.get("name") and port.get("name") == wanted["name"]
        if by_name or (wanted.get("number") and port.get("port") == wanted["number"]):
            yield port


def _tls(draft: _Draft, ingress: Object) -> None:
    spec = objects.spec(ingress)
    for host in ingress_secrets.local_hosts([ingress]):
        if ("", host) in draft.view.certificates:
            draft.secrets.setdefault(("", host), [host])
            draft.owners.setdefault(("", host), []).append(objects.key(ingress))
    for entry in spec.get("tls") or ():
        secret = entry.get("secretName")
        if not secret:
            continue  # TLS with a certificate of our own
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
