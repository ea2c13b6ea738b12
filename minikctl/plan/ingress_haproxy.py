"""Ingress routing as HAProxy configuration: files, and what changes without loading them anew.

Routes are in map files, each backend has slots for more servers than it needs: endpoints come and go by
commands to the running process, and only other routes need a (hitless) reload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model.objects import Key
from minikctl.plan.ingress import ANY_HOST, Certificate, Routing
from minikctl.plan.proxy_view import Target

MIN_SLOTS = 4
CONFIG = "haproxy.cfg"
CERTIFICATE_LIST = "crt-list.txt"
DEFAULT_CERTIFICATE = "default.pem"
NOT_FOUND = "not-found"
PLACEHOLDER = Target("127.0.0.1", 9)

Slots = Mapping[str, tuple[Target | None, ...]]
"""For each backend which target is in which of its slots."""


@dataclass(frozen=True)
class Place:
    """Where the proxy listens, and the directory of its sockets as it sees it."""

    http_port: int = 80
    https_port: int = 443
    sockets: str = "/ingress/run"


@dataclass(frozen=True)
class Rendered:
    """All files of a configuration, and the slots that they describe.

    ``structure`` differs from another's if a reload is needed to get from one to the other; ``certificates``
    are the files whose content may be replaced in the running process.  ``owners`` tells for names that may
    occur in a refusal which Ingresses they come from.
    """

    files: Mapping[str, str]
    slots: Slots
    structure: str
    certificates: Mapping[str, str]
    owners: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)


def render(
    routing: Routing,
    certificates: Mapping[Key, Certificate],
    default_pem: str,
    slots: Slots,
    place: Place,
) -> Rendered:
    """Return the configuration for these routes, with servers kept in the slots where they are."""
    assigned = {name: assign(slots.get(name, ()), one.targets) for name, one in routing.backends.items()}
    pems = {certificate_file(key): certificates[key].pem for key in routing.secrets}
    text = {
        CERTIFICATE_LIST: certificate_list(routing.secrets),
        **maps(routing),
    }
    bare = configuration(routing, {name: (None,) * len(row) for name, row in assigned.items()}, place)
    structure = hashlib.sha256(repr((sorted(text.items()), sorted(pems), bare)).encode()).hexdigest()
    owners = {certificate_file(key): owners for key, owners in routing.owners.items()}
    owners |= {name: one.owners for name, one in routing.backends.items()}
    files = {
        CONFIG: configuration(routing, assigned, place),
        DEFAULT_CERTIFICATE: default_pem,
        **text,
        **pems,
    }
    return Rendered(files, assigned, structure, {DEFAULT_CERTIFICATE: default_pem, **pems}, owners)


def assign(slots: Sequence[Target | None], targets: Sequence[Target]) -> tuple[Target | None, ...]:
    """Return the slots with exactly these targets: those that stay keep theirs, and some are free."""
    wanted = set(targets)
    found = [one if one in wanted else None for one in slots]
    found += [None] * (room(len(wanted)) - len(found) if len(wanted) > len(found) or not found else 0)
    new = [target for target in sorted(wanted) if target not in found]
    for position, held in enumerate(found):
        if held is None and new:
            found[position] = new.pop(0)
    return tuple(found)


def room(count: int) -> int:
    """Return the number of slots for so many servers: a power of two that leaves some free."""
    size = MIN_SLOTS
    while size <= count:
        size *= 2
    return size


def maps(routing: Routing) -> dict[str, str]:
    """Return the map files."""
    exact_hosts = {host: host for host in routing.hosts if not host.startswith("*.") and host != ANY_HOST}
    wildcards = {host[2:]: host for host in routing.hosts if host.startswith("*.")}
    return {
        "hosts.map": map_text(exact_hosts),
        "wildcards.map": map_text(wildcards),
        "exact.map": map_text(routing.exact),
        "prefixes.map": map_text(routing.prefixes),
    }


def map_text(entries: Mapping[str, str]) -> str:
    """Return a map file: a key and a value on each line."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def certificate_file(secret: Key) -> str:
    """Return the file of a Secret's certificate."""
    return f"certs/{secret[0]}_{secret[1]}.pem"


def certificate_list(secrets: Mapping[Key, tuple[str, ...]]) -> str:
    """Return the list of certificates with the names that select them; the first is for all other names."""
    lines = [DEFAULT_CERTIFICATE]
    lines += [" ".join([certificate_file(key), *hosts]) for key, hosts in sorted(secrets.items())]
    return "".join(line + "\n" for line in lines)


def configuration(routing: Routing, slots: Slots, place: Place) -> str:
    """Return haproxy.cfg."""
    parts = [head(place), frontend(place, routing)]
    parts += [backend(name, slots[name]) for name in sorted(slots)]
    return "\n".join(parts)


def head(place: Place) -> str:
    """Return the global settings and those of all proxies."""
    return section("global", GLOBAL, f"stats socket {place.sockets}/admin.sock {SOCKET_OPTIONS}") + section(
        "defaults", DEFAULTS
    )


SOCKET_OPTIONS = "mode 666 level admin expose-fd listeners"
GLOBAL = (
    "default-path config",
    "fd-hard-limit 20000",
    "hard-stop-after 1h",
    "stats timeout 1m",
    "ssl-default-bind-options ssl-min-ver TLSv1.2",
)
DEFAULTS = (
    "mode http",
    "timeout connect 2s",
    "timeout client 60s",
    "timeout server 60s",
    "timeout tunnel 1h",
    "timeout http-request 15s",
    "timeout http-keep-alive 60s",
    # What is under way when a reload comes is answered, on idle connections also the next request.
    "option idle-close-on-response",
    # An endpoint that has just ended refuses connections: the request goes to another one.
    "retries 3",
    "option redispatch 1",
    "retry-on conn-failure empty-response",
)
_UNLESS_RULE = "if !{ var(txn.rule) -m found }"
_UNLESS_BACKEND = "if !{ var(txn.backend) -m found }"
FORWARDING = (
    "http-request disable-l7-retry unless METH_GET",
    "http-request set-header X-Forwarded-For %[src]",
    "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
    "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
)
NO_RULE = 'http-request return status 404 content-type text/plain string "no rule of any Ingress matches\\n"'


def frontend(place: Place, routing: Routing) -> str:
    """Return the frontend, and where goes what no rule matches."""
    tls = f"bind :{place.https_port} ssl crt-list {CERTIFICATE_LIST} alpn h2,http/1.1"
    listeners = (f"bind :{place.http_port}", tls)
    fallback = f"default_backend {routing.default or NOT_FOUND}"
    found = section("frontend web", listeners, FORWARDING, lookups(routing), fallback)
    return found + section(f"backend {NOT_FOUND}", NO_RULE)


def lookups(routing: Routing) -> list[str]:
    """Return the rules that find a request's backend: those only that these routes need, as each costs."""
    found = [
        "http-request set-var(txn.path) path",
        "http-request set-var(txn.host) req.hdr(host),host_only,lower",
        "http-request set-var(txn.rule) var(txn.host),map_str(hosts.map)",
    ]
    if any(host.startswith("*.") for host in routing.hosts):
        wildcard = "var(txn.host),field(2,.,0),map_str(wildcards.map)"
        found.append(f"http-request set-var(txn.rule) {wildcard} {_UNLESS_RULE}")
    if ANY_HOST in routing.hosts:
        found.append(f"http-request set-var(txn.rule) str({ANY_HOST}) {_UNLESS_RULE}")
    prefix = "http-request set-var(txn.backend) var(txn.rule),concat(,txn.path,/),map_beg(prefixes.map)"
    if routing.exact:
        exact = "var(txn.rule),concat(,txn.path),map_str(exact.map)"
        found += [f"http-request set-var(txn.backend) {exact}", f"{prefix} {_UNLESS_BACKEND}"]
    else:
        found.append(prefix)
    return [*found, "use_backend %[var(txn.backend)] if { var(txn.backend) -m found }"]


def backend(name: str, slots: Sequence[Target | None]) -> str:
    """Return one backend; a free slot is a server that is out of service."""
    lines = [
        f"server {slot_name(number)} {target.ip}:{target.port}"
        if target
        else f"server {slot_name(number)} {PLACEHOLDER.ip}:{PLACEHOLDER.port} disabled"
        for number, target in enumerate(slots)
    ]
    return section(f"backend {name}", lines)


def slot_name(number: int) -> str:
    """Return the name of a slot's server."""
    return f"s{number + 1}"


def section(title: str, *parts: str | Iterable[str]) -> str:
    """Return a section with its lines indented."""
    lines = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    return "".join([f"{title}\n", *(f"  {line}\n" for line in lines)])


def commands(old: Slots, new: Slots) -> tuple[str, ...]:
    """Return the commands that bring servers from one assignment of equal size to another."""
    found = []
    for name, row in new.items():
        for number, (before, after) in enumerate(zip(old[name], row, strict=True)):
            server = f"set server {name}/{slot_name(number)}"
            if before == after:
                continue
            if after is None:
                found.append(f"{server} state maint")
                continue
            if before is not None:
                found.append(f"{server} state maint")
            found.append(f"{server} addr {after.ip} port {after.port}")
            found.append(f"{server} state ready")
    return tuple(found)


def culprits(output: str, rendered: Rendered) -> frozenset[Key]:
    """Return the Ingresses that the proxy's refusal is about, as far as its words tell."""
    found: set[Key] = set()
    for name, owners in rendered.owners.items():
        if name in output:
            found |= set(owners)
    return frozenset(found)
