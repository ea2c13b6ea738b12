"""Ingress routing as data: which host and path lead to which endpoints, with which certificates.

Hosts are matched before paths: the exact host, else its one-label wildcard, else rules without a host.
Within a host an exact path wins, then the longest prefix by whole elements; where a host has expressions, the
prefixes stand among them by their length.  Of equal rules, and certificates, the oldest Ingress wins.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import string
import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import (
    ingress_annotations,
    ingress_auth,
    ingress_clients,
    ingress_headers,
    ingress_pages,
    ingress_routes,
    ingress_secrets,
    ingress_servers,
    proxy_view,
)
from minikctl.plan.ingress_options import Canary, Options
from minikctl.plan.ingress_routes import ANY_HOST, Backend, CanaryRoute, Draft, Place, Routing, View
from minikctl.plan.ingress_values import PREFIX
from minikctl.plan.proxy_view import Target

CONTROLLER = "minikctl.dev/ingress"
COMPONENT = "ingress-controller"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
APP_PROTOCOLS = {
    "kubernetes.io/h2c": "GRPC",
    "h2c": "GRPC",
    "grpc": "GRPC",
    "https": "HTTPS",
    "kubernetes.io/wss": "HTTPS",
}
"""The protocols that change how a Service is spoken to, by the appProtocol of its port."""
_NOT_KEPT = (
    f"{PREFIX}canary-weight: with affinity: cookie, who began at the canary is not kept there;"
    " affinity-canary-behavior: legacy asks for just that"
)
_FOREIGN = re.compile(r"['\"\s]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no request may have in its path as it is, and would end a line of the proxy's maps."""
_NEVER = re.compile(r"%(?![0-9A-Fa-f]{2})|/\.\.?(/|$)")
"""What is in no path of a request that comes to be looked up: the proxy refuses or resolves it."""
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def routing(view: View) -> Routing:
    """Return the routes of all Ingresses that are ours, and what is wrong with them."""
    ours = [one for one in sorted(view.ingresses, key=_seniority) if is_ours(one, view.classes)]
    draft = Draft(view)
    _forsaken(draft)
    taken = [one for one in ours if objects.key(one) not in view.refused]
    known = {host for ingress in taken for host in _hosts(ingress)}
    for ingress in taken:
        draft.options[objects.key(ingress)] = _options(draft, ingress, known)
        _guard(draft, ingress)
    # A canary needs what it stands beside.
    for ingress in sorted(taken, key=lambda one: draft.options[objects.key(one)].canary is not None):
        _rules(draft, ingress)
        _tls(draft, ingress)
    served = tuple(objects.key(one) for one in ours if objects.key(one) not in view.refused)
    return ingress_pages.with_hops(draft.finished(served))


def _forsaken(draft: Draft) -> None:
    """Tell the Ingresses of a class that is not there: no other controller can."""
    known = {objects.name(one) for one in draft.view.classes}
    own = next((objects.name(one) for one in draft.view.classes if _is_own(one)), "")
    for ingress in draft.view.ingresses:
        wanted = class_of(ingress)
        if not wanted or wanted in known or objects.is_deleting(ingress):
            continue
        words = f"there is no IngressClass {wanted}, so nobody serves this"
        if not objects.spec(ingress).get("ingressClassName"):
            words += f" unless a controller goes by the annotation {CLASS_ANNOTATION}"
        words += f"; this cluster's own is {own}" if own else ""
        draft.problem(ingress, "ClassNotFound", words)


def _is_own(ingress_class: Object) -> bool:
    return objects.spec(ingress_class).get("controller") == CONTROLLER


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
    own = [one for one in classes if _is_own(one)]
    wanted = class_of(ingress)
    if wanted:
        return any(objects.name(one) == wanted for one in own)
    return any(objects.annotations(one).get(DEFAULT_ANNOTATION) == "true" for one in own)


def _hosts(ingress: Object) -> Iterator[str]:
    for rule in objects.spec(ingress).get("rules") or ():
        yield str(rule.get("host") or ANY_HOST).lower()


def _options(draft: Draft, ingress: Object, hosts: Collection[str]) -> Options:
    found = objects.annotations(ingress)
    secret = ingress_annotations.secret_of(found, objects.namespace(ingress))
    options = ingress_annotations.read(found, draft.view.users.get(secret) if secret else None)
    if options.auth is not None:
        where, problem = ingress_auth.address(options.auth, draft.view.services, hosts)
        asked = dataclasses.replace(options.auth, address=where)
        options = dataclasses.replace(options, auth=asked, shut=options.shut or problem)
    if options.server is not None:
        server = ingress_secrets.own(options.server.secret, ingress)
        problem = ingress_servers.problem(options.server, server, draft.view.credentials.get(server))
        options = dataclasses.replace(options, shut=options.shut or problem)
    options = ingress_headers.read(options, ingress, draft.view.maps)
    others = ingress_annotations.foreign(found)
    if others:
        draft.problem(ingress, "ForeignAnnotation", others)
    for reason, message in options.problems:
        draft.problem(ingress, reason, message)
    if options.shut:
        draft.problem(ingress, "Shut", f"every request is refused with 503: {options.shut}")
    return options


def _guard(draft: Draft, ingress: Object) -> None:
    """Ask for clients' certificates on the hosts of the Ingress, unless an older one says how."""
    wanted, own = draft.options[objects.key(ingress)].clients, objects.key(ingress)
    if wanted is None:
        return
    secret = ingress_secrets.own(wanted.secret, ingress)
    shut = draft.options[own].shut
    made = ingress_clients.guard(wanted, secret, draft.view.credentials.get(secret), own, shut)
    if made.problem and made.problem != shut:
        words = f"every request for its hosts is refused with 503: {PREFIX}auth-tls-secret: {made.problem}"
        draft.problem(ingress, "Shut", words)
    aliases = [alias.lower() for alias in draft.options[own].aliases]
    if objects.spec(ingress).get("defaultBackend") and not draft.default_guard:
        draft.default_guard = made.name
    hosts = {*_hosts(ingress), *aliases} if objects.spec(ingress).get("rules") else {ANY_HOST}
    for host in sorted(hosts):
        first = draft.guards.setdefault(host, made)
        if first.name != made.name:
            words = f"{host} asks for certificates as Ingress {'/'.join(first.owner)} says, which is older"
            draft.problem(ingress, "Conflict", words)


def _rules(draft: Draft, ingress: Object) -> None:
    spec, options = objects.spec(ingress), draft.options[objects.key(ingress)]
    wanted = spec.get("defaultBackend") if options.canary is None else None
    fallback = _backend(draft, ingress, wanted) if wanted else ""
    if fallback and not draft.default:
        draft.default = fallback
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or ANY_HOST).lower()
        for one in (host, *(alias.lower() for alias in options.aliases)):
            draft.hosts.add(one)
            if options.www:
                draft.twins.setdefault(_twin(one), (one, objects.key(ingress)))
            if fallback:
                draft.fallbacks.setdefault(f"{one}/", fallback)
            for path in (rule.get("http") or {}).get("paths") or ():
                _path(draft, ingress, one, path)


def _twin(host: str) -> str:
    """Return the host with www. for the one without, and the other way round."""
    return host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"


def _path(draft: Draft, ingress: Object, host: str, entry: Mapping[str, Any]) -> None:
    path = str(entry.get("path") or "/")
    if not path.startswith("/") or len(path.split()) != 1 or _CONTROL.search(path):
        draft.problem(ingress, "InvalidPath", f"path {path!r} of host {host} can never match")
        return
    options = draft.options[objects.key(ingress)]
    if options.canary is not None:
        _beside(draft, ingress, options.canary, *_places(host, path, entry), entry.get("backend") or {})
        return
    pattern = _pattern(draft, ingress, path) if _is_regex(options, entry) else ""
    if pattern is None:
        return
    if not pattern and _NEVER.search(path):
        draft.problem(ingress, "InvalidPath", f"path {path!r} of host {host} can never match")
        return
    name = _backend(draft, ingress, entry.get("backend") or {}, pattern)
    if not name:
        return
    as_plain, as_regex = _places(host, path, entry)
    kind, key = as_regex if pattern else as_plain
    if pattern:
        draft.regex_hosts[key] = host
        draft.lengths[key] = len(path)
        draft.regex_owners.setdefault(key, objects.key(ingress))
    draft.paths.setdefault(name, set()).add("/" if pattern else _spelt(path).rstrip("/") or "/")
    first = draft.rulers.setdefault((kind, key), objects.key(ingress))
    if draft.tables[kind].setdefault(key, name) != name:
        words = f"{host}{path} already leads elsewhere by Ingress {'/'.join(first)}"
        draft.problem(ingress, "Conflict", words)


def _is_regex(options: Options, entry: Mapping[str, Any]) -> bool:
    """Tell whether the path is an expression: the Ingress says so, or takes parts of it for another path."""
    return entry.get("pathType") != "Exact" and (options.regex or "$" in options.rewrite)


def _pattern(draft: Draft, ingress: Object, path: str) -> str | None:
    try:
        re.compile(path)
        if _FOREIGN.search(path):
            raise re.error("it has a quotation mark in it")
    except re.error as error:
        draft.problem(ingress, "InvalidPath", f"path {path!r} is not a regular expression: {error}")
        return None
    return path


def _places(host: str, path: str, entry: Mapping[str, Any]) -> tuple[Place, Place]:
    """Return where the path belongs as it stands, and where as an expression."""
    as_regex = "regexes", f"^{re.escape(host)}(?i){path}"
    path = _spelt(path)
    if entry.get("pathType") == "Exact":
        return ("exact", f"{host}{path}"), as_regex
    return ("prefixes", f"{host}{path.rstrip('/')}/"), as_regex


def _spelt(path: str) -> str:
    """Return the path as requests have it when the proxy looks them up (``ingress_haproxy.NORMAL_FORM``)."""
    encoded = urllib.parse.quote(path, safe=string.punctuation)

    def shortest(found: re.Match[str]) -> str:
        letter = chr(int(found[1], 16))
        return letter if letter in _UNRESERVED else found[0].upper()

    return re.sub("//+", "/", _ENCODED.sub(shortest, encoded))


def _beside(
    draft: Draft,
    ingress: Object,
    canary: Canary,
    as_plain: Place,
    as_regex: Place,
    wanted: Mapping[str, Any],
) -> None:
    """Let some of the requests for a path that others serve go to this backend.

    What is done with them is what the Ingress that serves the path asks for, else its guards could be gone
    round; only how endpoints are chosen is the canary's own.
    """
    found = [(kind, key) for kind, key in (as_plain, as_regex) if key in draft.tables[kind]]
    if not found:
        draft.problem(ingress, "NoPrimary", "no other Ingress serves the path that this one is a canary for")
        return
    made = _made(draft, ingress, wanted, "")
    if made is None:
        return
    kind, key = found[0]
    primary, suffix = draft.backends[draft.tables[kind][key]], f".{_short(key)}"
    if canary.weight and canary.keeps and (primary.options.cookie or made.options.cookie):
        draft.problem(ingress, "UnsupportedAnnotation", _NOT_KEPT)
    own = primary.name if primary.name.endswith(suffix) else primary.name + suffix
    draft.backends[own] = dataclasses.replace(primary, name=own)
    draft.paths[own] = draft.paths.get(primary.name, set())
    draft.tables[kind][key] = own
    chosen = {name: getattr(made.options, name) for name in ("balance", "hashed", "cookie")}
    options = dataclasses.replace(primary.options, **chosen)
    if options.is_plain:
        name = _backend(draft, ingress, wanted)
        draft.canaries.append(CanaryRoute(own, name, canary))
        return
    beside = dataclasses.replace(
        made,
        name=f"{made.name}.{_short(key, objects.name(ingress))}",
        owners=(objects.key(ingress),),
        options=options,
        pattern=primary.pattern,
        has_tls=primary.has_tls,
        reserve=primary.reserve,
        files=primary.files,
        pages=primary.pages,
    )
    draft.backends[beside.name] = beside
    draft.paths[beside.name] = draft.paths[own]
    draft.canaries.append(CanaryRoute(own, beside.name, canary))


def _short(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def _backend(draft: Draft, ingress: Object, backend: Mapping[str, Any], pattern: str = "") -> str:
    """Return the name of the backend, "" if there is no way to have it."""
    made = _made(draft, ingress, backend, pattern)
    if made is None:
        return ""
    known = draft.backends.setdefault(made.name, made)
    if objects.key(ingress) not in known.owners:
        draft.backends[made.name] = dataclasses.replace(known, owners=(*known.owners, objects.key(ingress)))
    return made.name


def _made(draft: Draft, ingress: Object, backend: Mapping[str, Any], pattern: str) -> Backend | None:
    service = backend.get("service")
    if not service:
        draft.problem(ingress, "UnsupportedBackend", "a resource backend is not supported; name a Service")
        return None
    wanted = service.get("port") or {}
    key = (objects.namespace(ingress), str(service.get("name") or ""))
    name = f"{key[0]}_{key[1]}_{wanted.get('name') or wanted.get('number')}"
    options = draft.options[objects.key(ingress)]
    pattern = pattern if options.rewrite else ""
    if not options.is_plain:
        name += f":{objects.name(ingress)}" + (f".{_short(pattern)}" if pattern else "")
    if name in draft.backends:
        return draft.backends[name]
    targets, protocol = _targets(draft, ingress, key, wanted)
    made = Backend(name, targets, (objects.key(ingress),), pattern=pattern, protocol=protocol)
    if options.is_plain:
        return made
    has_tls, files = bool(objects.spec(ingress).get("tls")), _trusted(draft, ingress, options)
    reserve, pages = _reserve(draft, ingress, options)
    return dataclasses.replace(
        made, options=options, has_tls=has_tls, reserve=reserve, pages=pages, files=files
    )


def _trusted(draft: Draft, ingress: Object, options: Options) -> dict[str, str]:
    """Return the files by which endpoints that speak TLS are believed."""
    if options.server is None or options.shut:
        return {}
    key = ingress_secrets.own(options.server.secret, ingress)
    return ingress_servers.files(options.server, key, draft.view.credentials[key])


def _reserve(draft: Draft, ingress: Object, options: Options) -> tuple[tuple[Target, ...] | None, str]:
    """Return the endpoints of the Service that answers while there are no others, and where it has pages.

    That is its first port.
    """
    if not options.reserve:
        return None, ""
    key = (objects.namespace(ingress), options.reserve)
    service = draft.view.services.get(key)
    port = next(iter(objects.spec(service).get("ports") or ()), None) if service else None
    if service is None or port is None:
        words = f'{PREFIX}default-backend: Service "{options.reserve}" does not exist, or has no port'
        draft.problem(ingress, "InvalidAnnotation", words)
        return None, ""
    address = _address(service)
    if options.errors and not address:
        words = f'{PREFIX}custom-http-errors: Service "{options.reserve}" has no address to be asked at'
        draft.problem(ingress, "InvalidAnnotation", words)
    pages = f"{address}:{port['port']}" if options.errors and address else ""
    return _endpoints(draft, service, port), pages


def _targets(
    draft: Draft, ingress: Object, key: Key, wanted: Mapping[str, Any]
) -> tuple[tuple[Target, ...], str]:
    """Return the endpoints, and the protocol that the port says it speaks."""
    service = draft.view.services.get(key)
    if service is None:
        draft.problem(
            ingress, "ServiceNotFound", f'Service "{key[1]}" does not exist; its paths answer with 503'
        )
        return (), ""
    if objects.spec(service).get("type") == "ExternalName":
        return _elsewhere(draft, ingress, service, wanted), ""
    port = next(_ports(service, wanted), None)
    if port is None:
        shown = wanted.get("name") or wanted.get("number")
        there = ", ".join(_shown(one) for one in objects.spec(service).get("ports") or ()) or "none"
        words = f'Service "{key[1]}" has no port {shown}; its ports are {there}'
        draft.problem(ingress, "PortNotFound", words)
        return (), ""
    address = _address(service)
    virtual = address and draft.options[objects.key(ingress)].virtual
    targets = (Target(address, port["port"]),) if virtual else _endpoints(draft, service, port)
    return targets, APP_PROTOCOLS.get(str(port.get("appProtocol") or "").lower(), "")


def _endpoints(draft: Draft, service: Object, port: Mapping[str, Any]) -> tuple[Target, ...]:
    slices = draft.view.slices.get(objects.key(service), ())
    return proxy_view.chosen(proxy_view.endpoints_of(service, slices, port))


def _address(service: Object) -> str:
    """Return the Service's own address, "" if it has none."""
    found = str(objects.spec(service).get("clusterIP") or "")
    return "" if found == "None" else found


def _elsewhere(
    draft: Draft, ingress: Object, service: Object, wanted: Mapping[str, Any]
) -> tuple[Target, ...]:
    """Return where an ExternalName leads: to another Service of the cluster, and to the port of its own."""
    host = str(objects.spec(service).get("externalName") or "")
    other = draft.view.services.get(ingress_routes.service_named(host) or ("", ""))
    own = next(_ports(service, wanted), None)
    number = _number(own) if own else wanted.get("number")
    words = f'Service "{objects.name(service)}" is an ExternalName for {host}'
    if other is None or objects.spec(other).get("type") == "ExternalName":
        words += ": an Ingress leads to Services of this cluster only"
        draft.problem(ingress, "UnsupportedBackend", words)
        return ()
    port = next(_ports(other, {"number": number}), None)
    if port is None:
        draft.problem(ingress, "PortNotFound", f"{words}, which has no port {number or wanted.get('name')}")
        return ()
    address = _address(other)
    return (Target(address, port["port"]),) if address else _endpoints(draft, other, port)


def _number(port: Mapping[str, Any]) -> int:
    """Return the port that is asked for behind an ExternalName: no container is there to name one."""
    target = port.get("targetPort")
    return target if isinstance(target, int) else int(port["port"])


def _shown(port: Mapping[str, Any]) -> str:
    return f"{port['port']} ({port['name']})" if port.get("name") else str(port["port"])


def _ports(service: Object, wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for port in objects.spec(service).get("ports") or ():
        by_name = wanted.get("name") and port.get("name") == wanted["name"]
        if by_name or (wanted.get("number") and port.get("port") == wanted["number"]):
            yield port


def _tls(draft: Draft, ingress: Object) -> None:
    """Collect the certificates; a host shows that of the oldest Ingress which has one for it."""
    spec = objects.spec(ingress)
    for host in ingress_secrets.local_hosts([ingress]):
        if ("", host) in draft.view.certificates:
            _certify(draft, ingress, ("", host), [host])
    aliases = draft.options[objects.key(ingress)].aliases
    of_rules = [str(rule["host"]).lower() for rule in spec.get("rules") or () if rule.get("host")]
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
        named = [str(host).lower() for host in entry.get("hosts") or ()] or of_rules
        others = [one.lower() for one in aliases] if set(named) & set(of_rules) else []
        _certify(draft, ingress, key, [*named, *others])


def _certify(draft: Draft, ingress: Object, secret: Key, hosts: Sequence[str]) -> None:
    """Have hosts show a certificate; without hosts, those that it names itself, as far as they are free."""
    free = [host for host in hosts if draft.certified.setdefault(host, secret) == secret]
    for host in sorted(set(hosts) - set(free)):
        if draft.view.certificates[draft.certified[host]].pem != draft.view.certificates[secret].pem:
            words = f'{host} shows the certificate of an older Ingress, not that of Secret "{secret[1]}"'
            draft.problem(ingress, "CertificateUnused", words)
    if hosts and not free:
        return
    draft.secrets.setdefault(secret, []).extend(free)
    draft.owners.setdefault(secret, []).append(objects.key(ingress))
