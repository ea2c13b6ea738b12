"""A backend of the Ingress proxy with what its Ingress asks for, in HAProxy's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from minikctl.plan import (
    haproxy,
    ingress_auth,
    ingress_pages,
    ingress_servers,
    ingress_users,
    ingress_variables,
)
from minikctl.plan.ingress_options import Answers, Cookie, Cors, Options, Retries
from minikctl.plan.ingress_routes import Backend, CanaryRoute
from minikctl.plan.proxy_view import Target

REFUSAL = 'http-request return status 503 content-type text/plain string "see the events of the Ingress\\n"'
SERVERS = {
    # Some serve nothing but HTTP/2. Those that have both choose; a WebSocket is opened with HTTP/1.1 anyway.
    "HTTPS": "ssl verify none alpn http/1.1,h2",
    "GRPC": "proto h2",
    "GRPCS": "ssl verify none alpn h2",
}
"""What a server line gets for each protocol."""
TUNNEL_SECONDS = 3600
"""So long a WebSocket may be idle, unless servers may take longer."""
BODY_LIMIT_FILE = "body-limit.lua"
BODY_LIMIT = """\
-- Ends a request whose body grows beyond a limit; what has no Content-Length can be judged by no rule.
local Limit = {id = "body-limit", flags = filter.FLT_CFG_FL_HTX}
Limit.__index = Limit
function Limit:new()
  return setmetatable({left = self.most}, Limit)
end
function Limit:start_analyze(txn, channel)
  if not channel:is_resp() then filter.register_data_filter(self, channel) end
end
function Limit:http_payload(txn, message)
  self.left = self.left - #(message:body() or "")
  if self.left >= 0 then return end
  txn:set_var("txn.too_large", true)
  return filter.ERROR
end
core.register_filter("body-limit", Limit, function(class, words)
  class.most = tonumber(words[1])
  return class
end)
"""
"""A filter for HAProxy, in Lua."""
_CAPTURE = re.compile(r"\$(\d)")
_QUOTED = re.compile(r"'[^']*'")


def quoted(text: str) -> str:
    """Return the text as one word that HAProxy takes as it is; it has no quotation marks in it."""
    return f"'{text}'"


def literal(text: str) -> str:
    """Return the text as one word where HAProxy would look for %[expressions]."""
    return quoted(text.replace("%", "%%"))


def render(
    one: Backend, slots: Sequence[Target | None], own: Mapping[str, int], sockets: str = haproxy.SOCKETS
) -> str:
    """Return the backend, behind its list of users if it has one.

    ``own`` are the proxy's ports by scheme, ``sockets`` is the directory of its sockets.
    """
    settings = list(_lines(one, own))
    if one.pages and one.options.errors and not one.options.shut:
        settings = list(ingress_pages.shown(one, settings))
    server = SERVERS.get(one.options.protocol or one.protocol, "")
    if one.options.server is not None:
        given = {name.partition("-")[0]: name for name in one.files}
        server = server.replace("verify none", ingress_servers.words(one.options.server, given))
    if one.options.server_name and " ssl " in f" {server} ":
        server += " sni var(txn.server_name)"
    users = ""
    if one.options.users:
        users = ingress_users.userlist(one.name, one.options.users) + "\n"
    if one.hop:
        hop = f"server hop unix@{sockets}/{ingress_pages.SOCKET}"
        return users + haproxy.section(f"backend {one.name}", settings, ingress_pages.hop(one), hop)
    return users + haproxy.backend(one.name, slots, *settings, server=server)


def _lines(one: Backend, own: Mapping[str, int]) -> Iterator[str]:
    options = one.options
    if one.inner:
        yield from ingress_pages.behind()
        yield from _transport(options)
        return
    if options.quiet:
        yield "http-request set-log-level silent"
    if options.shut:
        yield REFUSAL
        return
    if options.hashed:
        # As the client asks for it, whatever becomes of it.
        yield f"http-request set-var-fmt(txn.hashed) {_formatted(options.hashed)}"
    yield from _guards(one)
    yield from _redirects(one)
    # A question before the request is answered to everybody, as browsers ask it without credentials.
    yield from _cors(options.cors) if options.cors else ()
    if options.users:
        yield from _asked(options, ingress_users.lines(one.name, options.users, options.realm))
    yield from _asked(options, ingress_auth.lines(options.auth, own)) if options.auth else ()
    yield from _changes(one)
    yield from _changed_answers(options.answers)
    yield from _headers(options.headers)
    yield from () if one.hop else _transport(options)


def _headers(headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Set headers of all answers, the proxy's own too."""
    for name, text in headers:
        whole = literal(text.replace("'", "\0")).replace("\0", "'\\''")
        yield f"http-after-response set-header {name} {whole}"


def _asked(options: Options, lines: Iterator[str]) -> Iterator[str]:
    """Have nobody sign in who comes from where that is not asked for."""
    for line in lines:
        if options.any_guard and options.allow and line.startswith("http-request "):
            joint = "" if " if " in _QUOTED.sub("", line) else " if"
            yield f"{line}{joint} !{{ var(txn.near) -m bool }}"
        else:
            yield line


def _guards(one: Backend) -> Iterator[str]:
    """Refuse whom the Ingress does not want."""
    options = one.options
    for name, ranges in (("denied", options.deny), ("allowed", options.allow), ("free", options.free)):
        yield from haproxy.sources(name, ranges)
    yield from _near(options) if options.any_guard else _far(options)
    if options.rate or options.connections:
        stored = f"http_req_rate({options.rate_seconds or 1}s),conn_cur"
        kept = f"{max(options.rate_seconds, 10)}s store {stored} peers {haproxy.MEMORY}"
        yield f"stick-table type ip size 100k expire {kept}"
        yield f"http-request track-sc0 src{' if !free' if options.free else ''}"
    if options.rate:
        yield f"http-request deny deny_status 503 if {{ sc_http_req_rate(0) gt {options.rate} }}"
    if options.connections:
        yield f"http-request deny deny_status 503 if {{ sc_conn_cur(0) gt {options.connections} }}"
    if options.body_limit:
        yield f"http-request deny deny_status 413 if {{ req.body_size gt {options.body_limit} }}"
        yield f"filter lua.body-limit {options.body_limit}"
        yield "http-after-response set-status 413 if { var(txn.too_large) -m found }"


def _far(options: Options) -> Iterator[str]:
    if options.deny:
        yield "http-request deny deny_status 403 if denied"
    if options.allow:
        yield "http-request deny deny_status 403 if !allowed"


def _near(options: Options) -> Iterator[str]:
    """Take note of who need not sign in; who does may come from anywhere."""
    if options.allow:
        unless = " !denied" if options.deny else ""
        yield f"http-request set-var(txn.near) bool(true) if allowed{unless}"


def _redirects(one: Backend) -> Iterator[str]:
    options = one.options
    if options.https == "always" or (options.https == "tls" and one.has_tls):
        yield "http-request redirect scheme https code 308 if !{ ssl_fc }"
    if options.location:
        yield f"http-request redirect location {_formatted(options.location)} code {options.code}"
    if options.app_root:
        yield f"http-request redirect location {literal(options.app_root)} code 302 if {{ path / }}"


def _cors(cors: Cors) -> Iterator[str]:
    """Name the origin that asked, if it may; a question before the request is answered here.

    Where all may ask, none is named: so browsers keep a user's credentials out of answers that anybody reads.
    """
    if cors.origins:
        among = f"-m reg -i {quoted('^(' + '|'.join(map(_origin, cors.origins)) + ')$')}"
        yield f"http-request set-var(txn.origin) req.fhdr(origin) if {{ req.fhdr(origin) {among} }}"
        yield "http-after-response add-header Vary Origin"
    else:
        yield "http-request set-var(txn.origin) str(*)"
    asked = "if { var(txn.origin) -m found }"
    yield f"http-request return status 204 {asked} METH_OPTIONS {{ req.hdr(origin) -m found }}"
    yield f"http-after-response set-header Access-Control-Allow-Origin %[var(txn.origin)] {asked}"
    for name, text in (
        ("Allow-Methods", cors.methods),
        ("Allow-Headers", cors.headers),
        ("Expose-Headers", cors.exposed),
        ("Allow-Credentials", "true" if cors.credentials else ""),
        ("Max-Age", str(cors.max_age)),
    ):
        if text:
            yield f"http-after-response set-header Access-Control-{name} {literal(text)} {asked}"


def _formatted(text: str, one: Backend | None = None) -> str:
    """Return the text as one word, with what variables of nginx stand for."""
    own: dict[str, str] = {}
    if one is not None:
        namespace, service = one.name.split("_")[:2]
        own = dict(zip(ingress_variables.OF_BACKENDS, (namespace, service, one.owners[0][1]), strict=True))
    return quoted(ingress_variables.formatted(text, own))


def _origin(given: str) -> str:
    """Return an expression for an origin, whose * stands for one label of a host."""
    return re.escape(given).replace(r"\*", "[A-Za-z0-9-]+", 1)


def _changes(one: Backend) -> Iterator[str]:
    """Change what the application sees."""
    options = one.options
    if one.stands_in:
        yield from _told(one)
    if options.rewrite and one.pattern:
        target = _CAPTURE.sub(r"\\\1", options.rewrite.replace("%", "%%"))
        yield f"http-request replace-path {quoted(f'^(?i){one.pattern}.*$')} {quoted(target)}"
    elif options.rewrite:
        yield f"http-request set-path {literal(options.rewrite)}"
    if options.vhost:
        yield f"http-request set-header Host {_formatted(options.vhost, one)}"
    if options.prefix:
        yield f"http-request set-header X-Forwarded-Prefix {_formatted(options.prefix, one)}"
    if options.server_name:
        yield f"http-request set-var-fmt(txn.server_name) {_formatted(options.server_name)}"


def _told(one: Backend) -> Iterator[str]:
    """Tell who answers in the place of a Service what for, by the headers that ingress-nginx sends."""
    namespace, service, port = one.name.split("_")[:3]
    yield "http-request set-header X-Code 503"
    yield "http-request set-header X-Format %[req.hdr(accept)]"
    yield f"http-request set-header X-Namespace {literal(namespace)}"
    yield f"http-request set-header X-Ingress-Name {literal(one.owners[0][1])}"
    yield f"http-request set-header X-Service-Name {literal(service)}"
    yield f"http-request set-header X-Service-Port {literal(re.split('[:.]', port)[0])}"


def _changed_answers(answers: Answers) -> Iterator[str]:
    """Change cookies and redirects, as nginx does: what begins so, or is of that domain."""
    for header, before, one, after in (
        ("Set-Cookie", r"(.*;\s*path=)", answers.cookie_path, "(.*)"),
        ("Set-Cookie", r"(.*;\s*domain=)\.?", answers.cookie_domain, r"(\s*(?:;.*)?)"),
        ("Location", "()", answers.location, "(.*)"),
        ("Refresh", "(.*url=)", answers.location, "(.*)"),
    ):
        if one:
            old = quoted(f"^(?i:{before})(?{'i' if 'domain' in before else ''}:{re.escape(one.old)}){after}$")
            new = quoted(rf"\1{ingress_variables.formatted(one.new)}\2")
            yield f"http-response replace-header {header} {old} {new}"


def _retries(retries: Retries) -> Iterator[str]:
    if retries.after:
        yield f"retry-on {' '.join(retries.after)}"
    if retries.after == ("none",):
        yield "retries 0"
    elif retries.count >= 0:
        yield f"retries {retries.count}"


def _transport(options: Options) -> Iterator[str]:
    if options.hashed:
        yield "balance hash var(txn.hashed)"
        yield "hash-type consistent"
    elif options.balance:
        yield f"balance {options.balance}"
    yield from _retries(options.retries)
    if options.connect_seconds:
        yield f"timeout connect {options.connect_seconds}s"
    if options.server_seconds:
        yield f"timeout server {options.server_seconds}s"
    if options.server_seconds > TUNNEL_SECONDS:
        yield f"timeout tunnel {options.server_seconds}s"
    if options.cookie:
        yield f"dynamic-cookie-key {quoted('minikctl')}"
        yield _cookie(options.cookie)


def _cookie(cookie: Cookie) -> str:
    """Return the cookie's line; its value is made of the endpoint's address and so outlives reloads."""
    words = ["cookie", quoted(cookie.name), "insert", "indirect", "nocache", "httponly", "dynamic"]
    words += ["secure"] if cookie.secure else []
    attributes = [f"Max-Age={cookie.max_age}"] if cookie.max_age else []
    attributes += [f"Path={cookie.path}"] if cookie.path else []
    attributes += [f"Domain={cookie.domain}"] if cookie.domain else []
    attributes += [f"SameSite={cookie.same_site}"] if cookie.same_site else []
    return " ".join([*words, *(f"attr {quoted(one)}" for one in attributes)])


def reserve(primary: Backend, backend: str) -> str:
    """Return the rule that has another backend answer while there is no endpoint."""
    endpoints = primary.name + (ingress_pages.INNER if primary.hop else "")
    here = f"{{ var(txn.backend) -m str {primary.name} }} {{ nbsrv({endpoints}) eq 0 }}"
    return f"http-request set-var(txn.backend) str({backend}) if {here}"


def canary(route: CanaryRoute) -> Iterator[str]:
    """Return the rules that send some requests elsewhere: a header decides, else a cookie, else chance.

    Without a value of its own to look for, header and cookie say ``always`` or ``never``.
    """
    wanted, here = route.canary, f"{{ var(txn.backend) -m str {route.primary} }}"
    go = f"http-request set-var(txn.backend) str({route.backend}) if {here}"
    undecided = ""
    if wanted.header and wanted.value:
        yield f"{go} {{ req.hdr({wanted.header}) -m str -- {quoted(wanted.value)} }}"
    elif wanted.header and wanted.pattern:
        yield f"{go} {{ req.fhdr({wanted.header}) -m reg -- {quoted(wanted.pattern)} }}"
    elif wanted.header:
        yield f"{go} {{ req.hdr({wanted.header}) -m str always }}"
        undecided += f" !{{ req.hdr({wanted.header}) -m str never }}"
    if wanted.cookie:
        yield f"{go} {{ req.cook({wanted.cookie}) -m str always }}{undecided}"
        undecided += f" !{{ req.cook({wanted.cookie}) -m str never }}"
    if wanted.weight:
        yield f"{go} {{ rand({wanted.total}) lt {wanted.weight} }}{undecided}"
