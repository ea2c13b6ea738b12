"""Another server that says whether a request may pass: ``auth-url`` of an Ingress and what belongs to it.

It is asked as ingress-nginx asks: with the request's headers, without its body, and with X-Original-URL,
X-Original-Method and X-Auth-Request-Redirect.  2xx lets pass, 401 and 403 are passed on, all else is a 500.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from minikctl.model import objects
from minikctl.model.objects import Key, Object
from minikctl.plan import ingress_routes, ingress_variables
from minikctl.plan.ingress_options import ExternalAuth

URL = re.compile(r"(https?)://(\$host|\$http_host|[A-Za-z0-9.-]+)(?::(\d{1,5}))?(/[\w./?&=,%:~+-]*)?")
METHODS = ("GET", "HEAD", "POST")
SIGNIN = re.compile(r"https?://[\w.${}-]+(?::\d{1,5})?(?:[/?][\w./?&=,%:~+${}-]*)?|/[\w./?&=,%:~+${}-]*")
COOKIES = 4
"""So many cookies of an answer are passed on: who signs users in shares a large one out among several."""
SETTINGS = ("httpclient.ssl.verify none",)
"""Servers that are asked may have certificates of their own making, as with nginx."""
SCRIPT_FILE = "external-auth.lua"
SCRIPT = """\
-- Asks another server whether a request may pass.  txn.auth_status is what it says, 0 if it says nothing.
local OWN = {host = true, connection = true, upgrade = true, te = true, expect = true, ["keep-alive"] = true,
  ["content-length"] = true, ["transfer-encoding"] = true}
core.register_action("external-auth", {"http-req"}, function(txn, method, scheme, address, host, path, passed)
  local given, headers = txn.http:req_get_headers(), {["x-auth-asked"] = {"1"}}
  txn:set_var("txn.auth_status", 0)
  -- Who is asked must not have to ask in turn.
  if given["x-auth-asked"] then return end
  for name, values in pairs(given) do
    if not OWN[name] then
      headers[name] = {}
      for number = 0, #values do table.insert(headers[name], values[number]) end
    end
  end
  local uri, own = txn.sf:pathq(), txn:get_var("txn.host") or ""
  local spoken = txn.f:ssl_fc() == 1 and "https" or "http"
  host = host:gsub("%$host", function() return own end)
  headers["host"] = {host}
  headers["x-original-url"] = {spoken .. "://" .. txn.sf:req_hdr("host") .. uri}
  headers["x-original-method"] = {txn.sf:method()}
  headers["x-auth-request-redirect"] = {txn:get_var("txn.auth_redirect") or uri}
  headers["x-real-ip"] = {txn.sf:src()}
  headers["x-forwarded-for"] = {txn.sf:src()}
  local client = core.httpclient()
  local answer = client[method](client,
    {url = scheme .. "://" .. host .. path, dst = "ipv4@" .. address, headers = headers, timeout = 10000})
  local said = answer and answer.headers or {}
  for name in passed:gmatch("[^,]+") do
    -- Also spelt with _, which many programs read as -.
    local forged = name:lower():gsub("_", "-")
    for other in pairs(given) do
      if other:gsub("_", "-") == forged then txn.http:req_del_header(other) end
    end
    for _, value in pairs(said[name:lower()] or {}) do txn.http:req_add_header(name, value) end
  end
  for number, value in pairs(said["set-cookie"] or {}) do txn:set_var("txn.auth_cookie_" .. number, value) end
  for _, value in pairs(said["www-authenticate"] or {}) do txn:set_var("txn.auth_challenge", value) end
  txn:set_var("txn.auth_status", answer and answer.status or 0)
end, 6)
"""
"""An action for HAProxy, in Lua."""


def parse(url: str, method: str, signin: str, parameter: str, passed: tuple[str, ...]) -> ExternalAuth | str:
    """Return what the texts of the annotations ask for, or what is wrong with one of them."""
    found = URL.fullmatch(url)
    if found is None:
        return f"auth-url: {url!r} is no URL that can be asked"
    if method not in METHODS:
        return f"auth-method: it is one of {', '.join(METHODS)}"
    if signin and (not SIGNIN.fullmatch(signin) or ingress_variables.foreign(signin)):
        return f"auth-signin: {signin!r} is no URL, or has variables of nginx that mean nothing here"
    scheme, host, port, path = found.groups()
    return ExternalAuth(
        scheme=scheme,
        host="" if host.startswith("$") else host.lower(),
        port=int(port or (443 if scheme == "https" else 80)),
        path=path or "/",
        method=method,
        signin=_with_return(signin, parameter),
        passed=passed,
    )


def _with_return(signin: str, parameter: str) -> str:
    """Return the sign-in URL with the parameter that says where to go afterwards, unless it has it."""
    if not signin or f"{parameter}=" in signin:
        return signin
    joint = "&" if "?" in signin else "?"
    return f"{signin}{joint}{parameter}=$pass_access_scheme://$http_host$escaped_request_uri"


def address(auth: ExternalAuth, services: Mapping[Key, Object], hosts: Collection[str]) -> tuple[str, str]:
    """Return where the server answers, "" if that is the Ingress itself, and a problem, "" without one."""
    wildcard = "*." + auth.host.partition(".")[2]
    if not auth.host or auth.host in hosts or wildcard in hosts:
        return "", ""
    key = ingress_routes.service_named(auth.host)
    service = services.get(key) if key else None
    if key is None or service is None:
        return "", f"{auth.host} is neither a Service of this cluster nor a host of an Ingress"
    ports = [port.get("port") for port in objects.spec(service).get("ports") or ()]
    virtual = str(objects.spec(service).get("clusterIP") or "")
    if auth.port not in ports or not re.fullmatch(r"[\d.]+", virtual):
        return "", f'Service "{key[1]}" of namespace {key[0]} has no address, or no port {auth.port}'
    return f"{virtual}:{auth.port}", ""


def lines(auth: ExternalAuth, own: Mapping[str, int]) -> Iterator[str]:
    """Return the rules; ``own`` are the ports by scheme at which the proxy itself is asked."""
    standard = auth.port == (443 if auth.scheme == "https" else 80)
    host = (auth.host or "$host") + ("" if standard else f":{auth.port}")
    where = auth.address or f"127.0.0.1:{own[auth.scheme]}"
    words = [
        auth.method.lower(),
        auth.scheme,
        where,
        f"'{host}'",
        f"'{auth.path}'",
        ",".join(auth.passed) or ",",
    ]
    if auth.redirect:
        yield f"http-request set-var-fmt(txn.auth_redirect) '{ingress_variables.formatted(auth.redirect)}'"
    yield f"http-request lua.external-auth {' '.join(words)}"
    for number in range(COOKIES):
        cookie = f"var(txn.auth_cookie_{number})"
        yield f"http-after-response add-header Set-Cookie %[{cookie}] if {{ {cookie} -m found }}"
    unauthorized = "{ var(txn.auth_status) -m int 401 }"
    if auth.signin:
        where = ingress_variables.formatted(auth.signin)
        yield f"http-request redirect location '{where}' code 302 if {unauthorized}"
    yield f"http-request return status 401 hdr WWW-Authenticate %[var(txn.auth_challenge)] if {unauthorized}"
    yield "http-request deny deny_status 403 if { var(txn.auth_status) -m int 403 }"
    yield "http-request deny deny_status 500 if !{ var(txn.auth_status) -m int 200:299 }"
