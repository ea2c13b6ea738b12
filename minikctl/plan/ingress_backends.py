"""A backend of the Ingress proxy with what its Ingress asks for, in HAProxy's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from minikctl.plan import haproxy, ingress_auth, ingress_users
from minikctl.plan.ingress_auth import VARIABLE, VARIABLES
from minikctl.plan.ingress_options import Cookie, Cors, Options
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


def quoted(text: str) -> str:
    """Return the text as one word that HAProxy takes as it is; it has no quotation marks in it."""
    return f"'{text}'"


def literal(text: str) -> str:
    """Return the text as one word where HAProxy would look for %[expressions]."""
    return quoted(text.replace("%", "%%"))


def render(one: Backend, slots: Sequence[Target | None], own: Mapping[str, int]) -> str:
    """Return the backend, behind its list of users if it has one; ``own`` are the proxy's ports by scheme."""
    settings = list(_lines(one, own))
    server = SERVERS.get(one.options.protocol or one.protocol, "")
    users = ""
    if one.options.users:
        users = ingress_users.userlist(one.name, one.options.users) + "\n"
    return users + haproxy.backend(one.name, slots, *settings, server=server)


def _lines(one: Backend, own: Mapping[str, int]) -> Iterator[str]:
    options = one.options
    if options.shut:
        yield REFUSAL
        return
    yield from _guards(one)
    yield from _redirects(one)
    # A question before the request is answered to everybody, as browsers ask it without credentials.
    yield from _cors(options.cors) if options.cors else ()
    if options.users:
        yield from ingress_users.lines(one.name, options.users, options.realm)
    yield from ingress_auth.lines(options.auth, own) if options.auth else ()
    yield from _changes(one)
    yield from _transport(options)


def _guards(one: Backend) -> Iterator[str]:
    """Refuse whom the Ingress does not want."""
    options = one.options
    if options.deny:
        yield from haproxy.sources("denied", options.deny)
        yield "http-request deny deny_status 403 if denied"
    if options.allow:
        yield from haproxy.sources("allowed", options.allow)
        yield "http-request deny deny_status 403 if !allowed"
    if options.rate or options.connections:
        stored = f"http_req_rate({options.rate_seconds or 1}s),conn_cur"
        yield f"stick-table type ip size 100k expire {max(options.rate_seconds, 10)}s store {stored}"
        yield "http-request track-sc0 src"
    if options.rate:
        yield f"http-request deny deny_status 503 if {{ sc_http_req_rate(0) gt {options.rate} }}"
    if options.connections:
        yield f"http-request deny deny_status 503 if {{ sc_conn_cur(0) gt {options.connections} }}"
    if options.body_limit:
        yield f"http-request deny deny_status 413 if {{ req.body_size gt {options.body_limit} }}"
        yield f"filter lua.body-limit {options.body_limit}"
        yield "http-after-response set-status 413 if { var(txn.too_large) -m found }"


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


def _formatted(text: str) -> str:
    """Return the text as one word, with what variables of nginx stand for."""
    return quoted(VARIABLE.sub(lambda found: VARIABLES[found[0]], text.replace("%", "%%")))


def _origin(given: str) -> str:
    """Return an expression for an origin, whose * stands for one label of a host."""
    return re.escape(given).replace(r"\*", "[A-Za-z0-9-]+", 1)


def _changes(one: Backend) -> Iterator[str]:
    """Change what the application sees."""
    options = one.options
    if options.rewrite and one.pattern:
        target = _CAPTURE.sub(r"\\\1", options.rewrite.replace("%", "%%"))
        yield f"http-request replace-path {quoted(f'^(?i){one.pattern}.*$')} {quoted(target)}"
    elif options.rewrite:
        yield f"http-request set-path {literal(options.rewrite)}"
    if options.vhost:
        yield f"http-request set-header Host {literal(options.vhost)}"
    if options.prefix:
        yield f"http-request set-header X-Forwarded-Prefix {literal(options.prefix)}"


def _transport(options: Options) -> Iterator[str]:
    if options.balance:
        yield f"balance {options.balance}"
        if options.balance != "roundrobin" and options.balance != "leastconn":
            yield "hash-type consistent"
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
    attributes += [f"SameSite={cookie.same_site}"] if cookie.same_site else []
    return " ".join([*words, *(f"attr {quoted(one)}" for one in attributes)])


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
