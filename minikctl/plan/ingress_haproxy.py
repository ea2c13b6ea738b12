"""Ingress routing as HAProxy configuration: files, and what changes without loading them anew.

Routes are in map files and endpoints in slots: only other routes need a (hitless) reload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minikctl.model.objects import Key
from minikctl.plan import (
    haproxy,
    ingress_auth,
    ingress_backends,
    ingress_clients,
    ingress_expressions,
    ingress_pages,
    ingress_users,
)
from minikctl.plan.haproxy import CONFIG, Rendered, Slots, section
from minikctl.plan.ingress_routes import ANY_HOST, Certificate, Routing

CERTIFICATE_LIST = "crt-list.txt"
DEFAULT_CERTIFICATE = "default.pem"
NOT_FOUND = "not-found"


@dataclass(frozen=True)
class Place:
    """Where the proxy listens, the directory of its sockets as it sees it, and how many threads it has.

    At ``memory_port`` of its own loopback a reload hands on how often clients have asked.
    """

    http_port: int = 80
    https_port: int = 443
    metrics_port: int = 10254
    memory_port: int = 10255
    sockets: str = haproxy.SOCKETS
    threads: int = 1


def render(
    routing: Routing,
    certificates: Mapping[Key, Certificate],
    default_pem: str,
    slots: Slots,
    place: Place,
) -> Rendered:
    """Return the configuration for these routes, with servers kept in the slots where they are."""
    assigned = {
        name: haproxy.assign(slots.get(name, ()), one.targets) for name, one in routing.backends.items()
    }
    pems = {certificate_file(key): certificates[key].pem for key in routing.secrets}
    text = {
        CERTIFICATE_LIST: certificate_list(routing),
        **trust(routing),
        **maps(routing),
        **user_maps(routing),
        **scripts(routing),
    }
    bare = configuration(routing, haproxy.emptied(assigned), place)
    structure = haproxy.digest(sorted(text.items()), sorted(pems), bare)
    owners = {certificate_file(key): owners for key, owners in routing.owners.items()}
    owners |= {key: (owner,) for key, owner in routing.regex_owners.items()}
    owners |= {name: one.owners for name, one in routing.backends.items()}
    owners |= {name: (one.owner,) for one in routing.guards.values() for name in (*one.files, one.name)}
    owners |= {name: one.owners for one in routing.backends.values() for name in one.files}
    files = {
        CONFIG: configuration(routing, assigned, place),
        DEFAULT_CERTIFICATE: default_pem,
        **text,
        **pems,
    }
    return Rendered(files, assigned, structure, {DEFAULT_CERTIFICATE: default_pem, **pems}, owners)


def maps(routing: Routing) -> dict[str, str]:
    """Return the map files."""
    exact_hosts = {host: host for host in routing.hosts if not host.startswith("*.") and host != ANY_HOST}
    wildcards = {host[2:]: host for host in routing.hosts if host.startswith("*.")}
    return {
        "hosts.map": map_text(exact_hosts),
        "wildcards.map": map_text(wildcards),
        "exact.map": map_text(routing.exact),
        "prefixes.map": map_text(routing.prefixes),
        **ingress_expressions.maps(routing),
    }


def user_maps(routing: Routing) -> dict[str, str]:
    """Return the files with users' hashes that the proxy does not know by itself."""
    return {
        ingress_users.map_file(name): ingress_users.map_text(one.options.users)
        for name, one in routing.backends.items()
        if ingress_users.need_script(one.options.users)
    }


def map_text(entries: Mapping[str, str]) -> str:
    """Return a map file: a key and a value on each line."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def certificate_file(secret: Key) -> str:
    """Return the file of a Secret's certificate."""
    return f"certs/{secret[0]}_{secret[1].replace('*', '_')}.pem"


def trust(routing: Routing) -> dict[str, str]:
    """Return the files that say whom the proxy believes: clients by the guards of hosts, and endpoints."""
    of_servers = {name: text for one in routing.backends.values() for name, text in one.files.items()}
    return {**of_servers, **ingress_clients.texts(routing)}


def certificate_list(routing: Routing) -> str:
    """Return the list of certificates with the names that select them; the first is for all other names.

    Those that are for the names in them come last, as the first one for a name is shown.  Each guarded host
    has a line, which says whose certificates clients are asked for.
    """
    lines = [f"{DEFAULT_CERTIFICATE} {ingress_clients.bind_options(routing.guards.get(ANY_HOST))}".rstrip()]
    ordered = sorted(routing.secrets.items(), key=lambda item: (not item[1], item[0]))
    shown = {host: certificate_file(key) for key, hosts in ordered for host in hosts}
    for host in sorted(set(routing.guards) - set(shown) - {ANY_HOST}):
        file = shown.get("*." + host.partition(".")[2], DEFAULT_CERTIFICATE)
        lines.append(f"{file} {ingress_clients.bind_options(routing.guards[host])}{host}")
    for key, hosts in ordered:
        asked: dict[str, list[str]] = {}
        for host in hosts:
            options = ingress_clients.bind_options(ingress_clients.of_name(routing, host))
            asked.setdefault(options, []).append(host)
        if not hosts:
            asked[ingress_clients.bind_options(routing.guards.get(ANY_HOST))] = []
        lines += [
            f"{certificate_file(key)} {options}{' '.join(names)}".rstrip() for options, names in asked.items()
        ]
    return "".join(line + "\n" for line in lines)


def configuration(routing: Routing, slots: Slots, place: Place) -> str:
    """Return haproxy.cfg."""
    needed = [f"lua-load-per-thread {name}" for name in scripts(routing)]
    needed += ingress_auth.SETTINGS if ingress_auth.SCRIPT_FILE in scripts(routing) else ()
    needed += _buffers(routing)
    own = {"http": place.http_port, "https": place.https_port}
    parts = [
        haproxy.process(place.sockets, place.threads, *PROCESS, *needed),
        section("defaults", DEFAULTS),
        *_memory(routing, place),
        *ingress_clients.memory(routing),
        frontend(place, routing),
        metrics(place),
        *_keys(routing, place),
        *(
            [ingress_pages.frontend(place.sockets)]
            if any(one.hop for one in routing.backends.values())
            else []
        ),
    ]
    for name in sorted(slots):
        parts.append(ingress_backends.render(routing.backends[name], slots[name], own, place.sockets))
    return "\n".join(parts)


def _memory(routing: Routing, place: Place) -> list[str]:
    """Return what hands on how often clients have asked, if an Ingress limits that."""
    limited = any(one.options.rate or one.options.connections for one in routing.backends.values())
    return [haproxy.memory("127.0.0.1", place.memory_port)] if limited else []


def _keys(routing: Routing, place: Place) -> list[str]:
    """Return what has the proxy's own certificates read from beside the configuration.

    Those of servers it looks for elsewhere, unless a listener has them already; nobody comes to this one.
    """
    found = {name for one in routing.backends.values() for name in one.files if name.startswith("key-")}
    if not found:
        return []
    listener = " ".join(f"crt {name}" for name in sorted(found))
    line = f"bind unix@{place.sockets}/keys.sock mode 600 ssl {listener}"
    return [section("frontend keys", line, "no log", "http-request deny")]


def _buffers(routing: Routing) -> list[str]:
    """Return the setting for the largest head that an Ingress asks for: it holds for all of them."""
    largest = max((one.options.head_bytes for one in routing.backends.values()), default=0)
    return [f"tune.bufsize {largest + REWRITING}"] if largest > BUFFER - REWRITING else []


def scripts(routing: Routing) -> dict[str, str]:
    """Return the Lua files that these routes need."""
    options = [one.options for one in routing.backends.values()]
    found = {}
    if any(one.body_limit for one in options):
        found[ingress_backends.BODY_LIMIT_FILE] = ingress_backends.BODY_LIMIT
    if any(one.auth for one in options):
        found[ingress_auth.SCRIPT_FILE] = ingress_auth.SCRIPT
    if any(one.pages and one.options.errors for one in routing.backends.values()):
        found[ingress_pages.SCRIPT_FILE] = ingress_pages.SCRIPT
    found |= ingress_clients.scripts(routing.guards)
    if any(ingress_users.need_script(one.users) for one in options):
        found[ingress_users.SCRIPT_FILE] = ingress_users.SCRIPT
    return found


PROCESS = (
    haproxy.LOCAL_PEER,
    "expose-experimental-directives",  # normalize-uri
    "hard-stop-after 1h",
    # Connections outlive reloads in the processes that have them (10 MB each): so many may be left at once.
    "mworker-max-reloads 30",
    "ssl-default-bind-options ssl-min-ver TLSv1.2",
    # What the process itself has to say; what it asks for Ingresses (``auth-url``) is no access.
    "log stdout format raw local0 notice",
)
ACCESS_LOG = "log-format '%ci %[var(txn.host),url_enc] \"%HM %HPO%HQ %HV\" %ST %B %b/%s %Ta ms'"
"""Client, host, request, status, bytes, Ingress backend and endpoint, duration.

What a client puts into the host's name is not to reach a terminal as it is."""
BUFFER, REWRITING = 16 << 10, 1 << 10
"""The proxy's usual buffer for a head, and what of it is left free for headers that are set."""
BUSY_RATE = 100
"""Requests in a second from which on only some of the access log's lines are written: each costs as much as
the request, twice over, as the engine reads and keeps them."""
BUSY_SAMPLE = 100
"""One line in so many is written then, and one for each answer of 500 and above."""
SAMPLING = (
    f"http-request set-log-level silent if {{ fe_req_rate gt {BUSY_RATE} }} !{{ rand({BUSY_SAMPLE}) eq 0 }}",
    "http-response set-log-level info if { status ge 500 }",
)
DEFAULTS = (
    "mode http",
    "log stdout format raw local0 info",
    "option dontlognull",
    ACCESS_LOG,
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
    # What a client says of itself is not believed, however it is spelt: many programs read _ as -.
    "http-request del-header"
    " ^(x[_-](forwarded[_-](for|host|proto|port|scheme)|real[_-]ip|scheme)|proxy)$ -m reg"
    " if { req.hdr_names -m sub _ scheme proxy }",
    "http-request set-header X-Forwarded-For %[src]",
    "http-request set-header X-Real-IP %[src]",
    "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
    "http-request set-header X-Forwarded-Port %[dst_port]",
    "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
)
NORMAL_FORM = (
    # What follows a question mark is the application's, and a percent sign there need not encode anything.
    "http-request set-var(txn.query) query if { path -m sub % }",
    "http-request set-query aside if { var(txn.query) -m found }",
    # Another spelling of a path is not to lead around the rule for it, to an endpoint that reads both alike.
    # What encodes nothing is refused with 400 then.  (Not strict, HAProxy 2.6 does nothing on a condition.)
    "http-request normalize-uri percent-decode-unreserved strict if { path -m sub % }",
    "http-request normalize-uri percent-to-uppercase strict if { path -m sub % }",
    "http-request set-query %[var(txn.query)] if { var(txn.query) -m found }",
    "http-request normalize-uri path-strip-dot if { path -m sub /. }",
    "http-request normalize-uri path-strip-dotdot full if { path -m sub /.. }",
    "http-request set-var(txn.path) path",
    "http-request set-var(txn.path) path,regsub(//+,/,g) if { path -m sub // }",
)
"""RFC 3986's; slashes side by side count as one in choosing the rule, and are passed on as they are."""
NO_RULE = 'http-request return status 404 content-type text/plain string "no rule of any Ingress matches\\n"'
NOT_YET = (
    'http-request return status 503 hdr Retry-After 1 content-type text/plain string "routes are awaited\\n"'
)


def waiting(files: Mapping[str, str]) -> dict[str, str]:
    """Return a configuration that serves its routes, and says of others that they may be there soon."""
    return {**files, haproxy.CONFIG: files.get(haproxy.CONFIG, "").replace(NO_RULE, NOT_YET)}


def frontend(place: Place, routing: Routing) -> str:
    """Return the frontend, and where goes what no rule matches."""
    tls = f"bind :{place.https_port} ssl crt-list {CERTIFICATE_LIST} alpn h2,http/1.1"
    tls += f" {ingress_clients.BIND}" if routing.guards else ""
    listeners = (f"bind :{place.http_port}", tls)
    fallback = f"default_backend {routing.default or NOT_FOUND}"
    found = section("frontend web", listeners, SAMPLING, FORWARDING, lookups(routing), fallback)
    return found + section(f"backend {NOT_FOUND}", NO_RULE)


def metrics(place: Place) -> str:
    """Return what Prometheus and the node's probes read, beside the traffic."""
    lines = (
        f"bind :{place.metrics_port}",
        "no log",
        haproxy.HEALTHY,
        "http-request use-service prometheus-exporter if { path /metrics }",
    )
    return section("frontend metrics", lines, "http-request return status 404")


def lookups(routing: Routing) -> list[str]:
    """Return the rules that find a request's backend: those only that these routes need, as each costs.

    What follows a slash in the host a client names is none of it: it must not pass for a part of the path.
    """
    found = [
        *NORMAL_FORM,
        "http-request set-var(txn.host) req.hdr(host),host_only,lower,field(1,/),rtrim(.)",
    ]
    rule = "var(txn.host)"
    others = [host for host in routing.hosts if host == ANY_HOST or host.startswith("*.")]
    if others:
        found += _rule(any_host=ANY_HOST in others, wildcards=others != [ANY_HOST])
        rule = "var(txn.rule)"
    if routing.exact:
        found.append(f"http-request set-var(txn.backend) {rule},concat(,txn.path),map_str(exact.map)")
    found += ingress_expressions.lookups(routing, rule, _UNLESS_BACKEND if routing.exact else "")
    unless = f" {_UNLESS_BACKEND}" if routing.exact or routing.regexes else ""
    found.append(
        f"http-request set-var(txn.backend) {rule},concat(,txn.path,/),map_beg(prefixes.map){unless}"
    )
    for route in routing.canaries:
        found += ingress_backends.canary(route)
    found += [ingress_backends.reserve(routing.backends[name], own) for name, own in routing.reserves.items()]
    found += ingress_clients.lookups(routing, rule)
    # What has no backend goes to the default one.
    return [*found, "use_backend %[var(txn.backend)]"]


def _rule(*, any_host: bool, wildcards: bool) -> list[str]:
    """Return what finds the host of an Ingress rule: the exact one, its wildcard, else that of any."""
    found = ["http-request set-var(txn.rule) var(txn.host),map_str(hosts.map)"]
    if wildcards:
        wildcard = "var(txn.host),field(2,.,0),map_str(wildcards.map)"
        found.append(f"http-request set-var(txn.rule) {wildcard} {_UNLESS_RULE}")
    if any_host:
        found.append(f"http-request set-var(txn.rule) str({ANY_HOST}) {_UNLESS_RULE}")
    return found
