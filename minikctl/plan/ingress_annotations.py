"""What the annotations of an Ingress ask for: those of ingress-nginx that its users rely on most.

Meanings and defaults are those of its annotation reference, except that nothing is done unasked: without
``ssl-redirect`` nobody is sent to https.  What is not done is a problem that is told, never ignored; where
that would open what was meant to be shut, the Ingress answers with 503 instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from minikctl.plan import ingress_auth, ingress_clients, ingress_pages, ingress_servers, ingress_users
from minikctl.plan import ingress_values as values
from minikctl.plan.ingress_options import (
    PLAIN,
    Answers,
    Canary,
    Cookie,
    Cors,
    Exchange,
    ExternalAuth,
    Options,
    Retries,
)
from minikctl.plan.ingress_values import NOTHING, PREFIX, Reader

ANYBODY: tuple[str, ...] = ("*",)
PROTOCOLS = ("HTTP", "HTTPS", "GRPC", "GRPCS", "AUTO_HTTP")
ALREADY = {
    "proxy-buffering": "off",
    "proxy-request-buffering": "off",
    "proxy-http-version": "1.1",
    "proxy-next-upstream-timeout": "0",
}
"""What is so anyway: the proxy passes on what comes as it comes."""
ALREADY_FLAGS = {
    "auth-always-set-cookie": True,
    "preserve-trailing-slash": True,
    "enable-modsecurity": False,
    "enable-owasp-core-rules": False,
    "enable-rewrite-log": False,
    "enable-opentelemetry": False,
    "enable-opentracing": False,
    "enable-global-auth": False,
    "http2-push-preload": False,
    "session-cookie-conditional-samesite-none": False,
    "ssl-passthrough": False,
    "upstream-hash-by-subset": False,
    "use-port-in-redirects": False,
    "relative-redirects": False,
}
GUARD_FLAGS = ("enable-modsecurity",)
"""What is not done, and would let in whom it is to keep out, unless it is said to be off."""
SOURCES = ("allowlist-source-range", "whitelist-source-range", "denylist-source-range")
BUFFERS = (
    "client-body-buffer-size",
    "proxy-buffers-number",
    "proxy-busy-buffers-size",
    "proxy-max-temp-file-size",
)
OLDER = {
    "add-base-url": "ingress-nginx itself knows it no more",
    "secure-backends": 'it is backend-protocol: "HTTPS" now',
    "session-cookie-hash": "ingress-nginx itself knows it no more",
    "websocket-services": "it is not needed: WebSockets are passed on to every Service",
    "client-max-body-size": "ingress-nginx does not know it, either: it is proxy-body-size",
    "rate-limit": "ingress-nginx does not know it, either: it is limit-rps or limit-rpm",
    "rate-limit-window": "ingress-nginx does not know it, either: it is limit-rps or limit-rpm",
    "mirror-target": "HAProxy sends a request to one server only; copies are for the application to send on",
    "limit-rate": "this HAProxy slows no answers down; limit-rps and limit-connections count requests",
    "limit-rate-after": "this HAProxy slows no answers down; limit-rps and limit-connections count requests",
    "ssl-passthrough": "TLS ends here; with backend-protocol: HTTPS it is spoken to the endpoint, too,"
    " and a LoadBalancer Service passes on what comes as it is",
    "hsts": "ingress-nginx has it for all Ingresses alone, and this proxy not at all",
    "ssl-protocols": "ingress-nginx has it for all Ingresses alone, and here it is TLS 1.2 and later",
}
"""What is asked for, and why it is not done, where that can be said better."""


FOREIGN = (
    "alb.ingress.kubernetes.io/",
    "appgw.ingress.kubernetes.io/",
    "haproxy-ingress.github.io/",
    "haproxy.org/",
    "ingress.gcp.kubernetes.io/",
    "ingress.kubernetes.io/",
    "konghq.com/",
    "kubernetes.io/ingress.allow-http",
    "kubernetes.io/ingress.global-static-ip-name",
    "networking.gke.io/",
    "nginx.com/",
    "nginx.org/",
    "traefik.ingress.kubernetes.io/",
)
"""How annotations begin that other controllers go by."""


def foreign(annotations: Mapping[str, str]) -> str:
    """Return what to tell of annotations that other controllers go by, "" if there are none."""
    found = sorted(name for name in annotations if name.startswith(FOREIGN))
    if not found:
        return ""
    are = "is an annotation" if len(found) == 1 else "are annotations"
    return f"{', '.join(found)} {are} of another controller, and not done here; those of {PREFIX} are"


def read(annotations: Mapping[str, str], users: Sequence[tuple[str, str]] | None = None) -> Options:
    """Return what the annotations ask for; ``users`` are (name, hash) of the Secret, None without it."""
    if not any(name.startswith(PREFIX) for name in annotations):
        return PLAIN
    found = Reader(annotations)
    shut = _undone(found)
    allow, deny, unreadable = _sources(found)
    realm, listed, no_users = _auth(found, users)
    external, no_server = _external(found)
    location, code = _redirect(found)
    clients, no_clients = ingress_clients.read(found)
    server, no_trust = ingress_servers.read(found)
    options = Options(
        shut=unreadable or shut or no_users or no_server or no_clients or no_trust or _unnamed(found),
        clients=clients,
        server=server,
        https=_https(found),
        location=location,
        code=code,
        app_root=found.read("app-root", values.path, ""),
        rewrite=found.read("rewrite-target", values.path, ""),
        regex=found.flag("use-regex"),
        body_limit=found.read("proxy-body-size", values.size, 0),
        head_bytes=found.read("proxy-buffer-size", values.buffer, 0),
        protocol=found.read("backend-protocol", values.upper(*PROTOCOLS), ""),
        allow=allow,
        deny=deny,
        cors=_cors(found),
        realm=realm,
        users=listed,
        auth=external,
        quiet=not found.flag("enable-access-log", default=True),
        vhost=found.read("upstream-vhost", values.backend_template, ""),
        prefix=found.read("x-forwarded-prefix", values.backend_template, ""),
        answers=_answers(found),
        reserve=found.read("default-backend", values.token, ""),
        errors=_errors(found),
        named=found.read("custom-headers", values.reference, ("", "")),
        aliases=found.read("server-alias", values.hosts, NOTHING),
        www=found.flag("from-to-www-redirect"),
        canary=_canary(found),
    )
    options = _any_guard(found, _limits(found, _endpoints(found, options)))
    return dataclasses.replace(options, problems=(*found.problems, *_unsupported(found)))


def _unnamed(found: Reader) -> str:
    """Return why answers cannot be given: as with ingress-nginx, without the headers that belong to them."""
    given = found.given("custom-headers")
    named = found.read("custom-headers", values.reference, ("", "")) if given else ("", "x")
    return "" if named[1] else f"{PREFIX}custom-headers names no ConfigMap"


def _errors(found: Reader) -> tuple[int, ...]:
    none: tuple[int, ...] = ()
    listed = found.read("custom-http-errors", ingress_pages.statuses, none)
    if listed and not found.given("default-backend"):
        found.wrong("custom-http-errors", "without default-backend there is nobody to ask for pages")
        return ()
    return listed


def _undone(found: Reader) -> str:
    """Return why nobody is let in; take note of what is so anyway."""
    for name, word in ALREADY.items():
        found.read(name, values.only(word), "")
    for name, usual in ALREADY_FLAGS.items():
        if found.flag(name, default=usual) != usual and name not in GUARD_FLAGS:
            found.problems.append(("UnsupportedAnnotation", f"{PREFIX}{name} is not supported: {_why(name)}"))
    shut = [name for name in GUARD_FLAGS if found.flag(name)]
    return f"{PREFIX}{shut[0]} is not done" if shut else ""


def _endpoints(found: Reader, options: Options) -> Options:
    """Add how an endpoint is found and spoken to."""
    hashed = found.read("upstream-hash-by", values.template, "")
    name = found.read("proxy-ssl-name", values.template, "")
    told = found.read("proxy-ssl-server-name", values.one_of("on", "off"), "") == "on"
    tries = found.number("proxy-next-upstream-tries", -1)
    return dataclasses.replace(
        options,
        connect_seconds=found.number("proxy-connect-timeout"),
        server_seconds=max(found.number("proxy-read-timeout"), found.number("proxy-send-timeout")),
        cookie=_cookie(found),
        balance=found.read("load-balance", values.balance, ""),
        hashed=hashed,
        virtual=found.flag("service-upstream"),
        server_name=(name or "$host") if told else "",
        retries=Retries(
            found.read("proxy-next-upstream", values.retries, NOTHING),
            MANY_RETRIES if tries == 0 else max(tries - 1, -1),
        ),
    )


MANY_RETRIES = 10
"""As often another endpoint is tried where there is to be no limit."""


def _limits(found: Reader, options: Options) -> Options:
    rate, seconds = _rate(found)
    return dataclasses.replace(
        options,
        rate=rate,
        rate_seconds=seconds,
        connections=found.number("limit-connections"),
        free=found.read("limit-whitelist", values.ranges, NOTHING),
    )


def _any_guard(found: Reader, options: Options) -> Options:
    wanted = found.read("satisfy", values.one_of("any", "all"), "") == "any"
    if wanted and options.users and options.auth:
        found.wrong("satisfy", "with both auth-type and auth-url, all of them have to let pass")
        return options
    return dataclasses.replace(options, any_guard=wanted and bool(options.users or options.auth))


def _answers(found: Reader) -> Answers:
    path = found.read("proxy-cookie-path", values.exchange, None)
    domain = found.read("proxy-cookie-domain", values.domains, None)
    old, new = (found.read(f"proxy-redirect-{one}", values.place, "off") for one in ("from", "to"))
    if old in ("off", "default"):
        return Answers(path, domain)
    if new == "off":
        found.wrong("proxy-redirect-from", "without proxy-redirect-to nothing is done")
        return Answers(path, domain)
    return Answers(path, domain, Exchange(old, new))


def _sources(found: Reader) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return who may come and who may not, and what is wrong with that."""
    before = len(found.problems)
    allow, older, deny = (found.read(name, values.ranges, NOTHING) for name in SOURCES)
    blank = any(found.has(name) and not found.given(name) for name in SOURCES)
    wrong = blank or len(found.problems) > before
    return (*allow, *older), deny, "a source range cannot be read" if wrong else ""


def _unsupported(found: Reader) -> Iterator[tuple[str, str]]:
    for name in found.unknown():
        yield "UnsupportedAnnotation", f"{PREFIX}{name} is not supported: {_why(name)}"


def _why(name: str) -> str:
    if name.endswith("-snippet"):
        return "raw configuration of nginx means nothing here"
    if name in BUFFERS:
        return "this proxy passes on what comes as it comes, and has no such buffers"
    return OLDER.get(name, "it is not done")


def _https(found: Reader) -> str:
    asked, forced = found.flag("ssl-redirect"), found.flag("force-ssl-redirect")
    return "always" if forced else "tls" if asked else ""


def _redirect(found: Reader) -> tuple[str, int]:
    permanent = found.read("permanent-redirect", values.location, "")
    code = found.read("permanent-redirect-code", values.code, 301)
    temporal = found.read("temporal-redirect", values.location, "")
    soon = found.read("temporal-redirect-code", values.code, 302)
    return (temporal, soon) if temporal else (permanent, code) if permanent else ("", 0)


def _rate(found: Reader) -> tuple[int, int]:
    """Return how many requests in how many seconds: bursts of five times the rate pass, as with nginx."""
    burst = max(found.number("limit-burst-multiplier", 5), 1)
    second, minute = found.number("limit-rps"), found.number("limit-rpm")
    if second and minute:
        found.wrong("limit-rpm", "with limit-rps, only that is done")
    return (second * burst, burst) if second else (minute * burst, 60 * burst) if minute else (0, 0)


def _auth(
    found: Reader, users: Sequence[tuple[str, str]] | None
) -> tuple[str, tuple[tuple[str, str], ...], str]:
    kind, realm = found.given("auth-type"), found.text("auth-realm", "Authentication Required")
    form = found.read("auth-secret-type", values.one_of("auth-file", "auth-map"), "")
    found.has("auth-secret")
    if not kind:
        return "", (), ""
    if kind != "basic":
        return "", (), f"{PREFIX}auth-type {kind} is not done"
    if users is None:
        key = "" if form == "auth-map" else " that has a key auth"
        return "", (), f"auth-secret names no Secret of the Ingress' namespace{key}"
    usable = tuple((name, given) for name, given in users if ingress_users.is_usable(name, given))
    if len(usable) < len(users):
        left = ", ".join(name for name, given in users if not ingress_users.is_usable(name, given))
        found.wrong("auth-secret", f"users {left} are refused: {ingress_users.KNOWN}")
    return realm, usable, "" if usable else "no user of auth-secret can be let in"


def _external(found: Reader) -> tuple[ExternalAuth | None, str]:
    """Return who is asked about requests, and what is wrong with that."""
    texts = (found.text("auth-url"), found.text("auth-method", "GET"), found.text("auth-signin"))
    parameter = found.read("auth-signin-redirect-param", values.token, "rd")
    passed = found.read("auth-response-headers", values.tokens, NOTHING)
    redirect = found.read("auth-request-redirect", values.location, "")
    if not found.has("auth-url"):
        return None, ""
    parsed = ingress_auth.parse(*texts, parameter, passed)
    if isinstance(parsed, str):
        return None, PREFIX + parsed
    return dataclasses.replace(parsed, redirect=redirect), ""


def secret_of(annotations: Mapping[str, str], namespace: str) -> tuple[str, str] | None:
    """Return the Secret with the users, None if there is none to read."""
    text = annotations.get(f"{PREFIX}auth-secret", "") if annotations.get(f"{PREFIX}auth-type") else ""
    space, _, name = text.rpartition("/")
    # Other namespaces are theirs: reading a Secret there for this Ingress would give it away.
    return (namespace, name) if name and space in ("", namespace) else None


def is_map(annotations: Mapping[str, str]) -> bool:
    """Tell whether the keys of the Secret are the users, instead of lines under ``auth``."""
    return annotations.get(f"{PREFIX}auth-secret-type", "").strip() == "auth-map"


def _cors(found: Reader) -> Cors | None:
    wanted, plain = found.flag("enable-cors"), Cors()
    origins = found.read("cors-allow-origin", values.words, ANYBODY)
    cors = Cors(
        origins=() if "*" in origins else origins,
        methods=found.text("cors-allow-methods", plain.methods),
        headers=found.text("cors-allow-headers", plain.headers),
        exposed=found.text("cors-expose-headers"),
        credentials=found.flag("cors-allow-credentials", default=True),
        max_age=found.number("cors-max-age", plain.max_age),
    )
    return cors if wanted else None


def _cookie(found: Reader) -> Cookie | None:
    wanted = found.read("affinity", values.one_of("cookie"), "")
    found.read("affinity-mode", values.one_of("balanced", "persistent"), "")
    found.has("session-cookie-change-on-failure")
    longest, expires = found.number("session-cookie-max-age"), found.number("session-cookie-expires")
    cookie = Cookie(
        name=found.read("session-cookie-name", values.token, Cookie.name),
        max_age=longest or expires,
        path=found.read("session-cookie-path", values.cookie_path, ""),
        domain=found.read("session-cookie-domain", values.domain, ""),
        same_site=found.read("session-cookie-samesite", values.one_of("None", "Lax", "Strict"), ""),
        secure=found.flag("session-cookie-secure"),
    )
    return cookie if wanted else None


def _canary(found: Reader) -> Canary | None:
    wanted = found.flag("canary")
    canary = Canary(
        weight=found.number("canary-weight"),
        total=max(found.number("canary-weight-total", 100), 1),
        header=found.read("canary-by-header", values.token, ""),
        value=found.read("canary-by-header-value", values.operand, ""),
        pattern=found.read("canary-by-header-pattern", values.expression, ""),
        cookie=found.read("canary-by-cookie", values.token, ""),
        keeps=found.read("affinity-canary-behavior", values.one_of("sticky", "legacy"), "") != "legacy",
    )
    return canary if wanted else None
