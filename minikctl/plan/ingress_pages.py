"""Pages for errors: another Service answers in the place of answers with certain statuses.

``custom-http-errors`` of an Ingress, with its ``default-backend``: that is asked as ingress-nginx asks, for
"/", with the request's headers and X-Code, X-Format, X-Original-URI, and who should have answered.

What the proxy itself says when an endpoint refuses, or is too slow, comes past all rules for answers.  Where
such a status is among them, endpoints are behind a socket of the proxy's own, so that it is an answer.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from minikctl.plan import haproxy
from minikctl.plan.ingress_options import Options
from minikctl.plan.ingress_routes import Backend, Routing
from minikctl.plan.ingress_values import Bad, words

OF_THE_PROXY = {502, 503, 504}
"""The statuses with which the proxy answers for an endpoint."""
SOCKET, INNER = "hop.sock", ":inner"
_HEADER = "X-Minikctl-"
_CARRIED = {"hashed": "txn.hashed", "server-name": "txn.server_name"}
_LONGER_SECONDS = 3600
_OWN_ANSWER = re.compile(r"http-request (?:deny deny_status|return status) (\d+)(?: .*?)??( if .*)?")
SCRIPT_FILE = "error-page.lua"
SCRIPT = """\
-- Asks another server for the page that is shown instead of an answer; if that is silent, it is a 503.
local OWN = {connection = true, upgrade = true, te = true, expect = true, ["keep-alive"] = true,
  ["content-length"] = true, ["transfer-encoding"] = true, ["proxy-connection"] = true}
local METHODS = {HEAD = "head", POST = "post", PUT = "put", DELETE = "delete"}
core.register_action("error-page", {"http-req", "http-res"},
  function(txn, given, address, namespace, ingress, service, port)
    local status, headers = tonumber(given), {}
    if status == 0 then status = txn.sf:status() end
    for name, value in (txn:get_var("txn.headers") or ""):gmatch("([^:\\r\\n]+):[ \\t]*([^\\r\\n]*)") do
      name = name:lower()
      if not OWN[name] then
        headers[name] = headers[name] or {}
        table.insert(headers[name], value)
      end
    end
    headers["x-code"], headers["x-format"] = {tostring(status)}, headers["accept"]
    headers["x-original-uri"] = {txn:get_var("txn.original") or "/"}
    headers["x-namespace"], headers["x-ingress-name"] = {namespace}, {ingress}
    headers["x-service-name"], headers["x-service-port"] = {service}, {port}
    local client, method = core.httpclient(), METHODS[txn:get_var("txn.method") or ""] or "get"
    local answer = client[method](client,
      {url = "http://" .. address .. "/", dst = "ipv4@" .. address, headers = headers, timeout = 10000})
    if not answer or (answer.status or 0) < 200 then return end
    local reply = txn:reply({status = answer.status, reason = answer.reason, body = answer.body or ""})
    for name, values in pairs(answer.headers or {}) do
      for _, value in pairs(values) do
        if not OWN[name:lower()] then reply:add_header(name, value) end
      end
    end
    txn:done(reply)
  end, 6)
"""
"""An action for HAProxy, in Lua."""


def statuses(text: str) -> tuple[int, ...]:
    """Return the statuses in whose place a page is shown."""
    named = words(text)
    if not all(re.fullmatch(r"[345]\d\d", one) for one in named):
        raise Bad("it is a list of statuses from 300 to 599")
    return tuple(sorted({int(one) for one in named}))


def need_hop(one: Backend) -> bool:
    """Tell whether its endpoints have to be behind a socket of the proxy's own."""
    return bool(one.pages and OF_THE_PROXY & set(one.options.errors))


def with_hops(routing: Routing) -> Routing:
    """Return the routes with the endpoints of what needs a hop in backends of their own."""
    found = dict(routing.backends)
    for name, one in routing.backends.items():
        if need_hop(one):
            found[name] = dataclasses.replace(one, targets=(), hop=True)
            found[name + INNER] = _inner(one)
    return dataclasses.replace(routing, backends=found) if len(found) > len(routing.backends) else routing


def _inner(one: Backend) -> Backend:
    """Return a backend with the endpoints, and how they are chosen and spoken to."""
    wanted = one.options
    options = Options(
        balance=wanted.balance,
        hashed=wanted.hashed,
        connect_seconds=wanted.connect_seconds,
        server_seconds=wanted.server_seconds,
        retries=wanted.retries,
        cookie=wanted.cookie,
        protocol=wanted.protocol,
        server=wanted.server,
        server_name=wanted.server_name,
    )
    name, owners = one.name + INNER, one.owners
    return Backend(name, one.targets, owners, options, protocol=one.protocol, files=one.files, inner=True)


def _noted() -> Iterator[str]:
    """Yield what keeps of a request what is to be told with an error."""
    yield "http-request set-var(txn.headers) req.hdrs"
    yield "http-request set-var(txn.original) pathq"
    yield "http-request set-var(txn.method) method"


def shown(one: Backend, lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a backend with what shows pages instead of its answers and the proxy's own.

    Who is to sign in is still asked to.
    """
    yield from _noted()
    for line in lines:
        own = _OWN_ANSWER.fullmatch(line)
        if own and int(own[1]) in one.options.errors and own[1] != "401":
            yield f"{_action(one, int(own[1]), 'http-request')}{own[2] or ''}"
        yield line
    codes = " ".join(str(status) for status in one.options.errors)
    yield f"{_action(one, 0, 'http-response')} if {{ status {codes} }}"


def _action(one: Backend, status: int, when: str) -> str:
    namespace, service, port = one.name.split("_")[:3]
    told = f"{namespace} {one.owners[0][1]} {service} {re.split('[:.]', port)[0]}"
    return f"{when} lua.error-page {status} {one.pages} {told}"


def hop(one: Backend) -> Iterator[str]:
    """Yield what sends requests through the socket to the backend behind it, which keeps the time."""
    yield f"timeout server {one.options.server_seconds + _LONGER_SECONDS}s"
    yield f"http-request del-header {_HEADER} -m beg"  # a client's own
    yield f"http-request set-header {_HEADER}Backend {one.name}{INNER}"
    for name, variable in _CARRIED.items():
        yield f"http-request set-header {_HEADER}{name} %[var({variable})] if {{ var({variable}) -m found }}"


def behind() -> Iterator[str]:
    """Yield what takes requests over in the backend with the endpoints."""
    for name, variable in _CARRIED.items():
        yield f"http-request set-var({variable}) req.hdr({_HEADER}{name})"
    yield f"http-request del-header {_HEADER} -m beg"


def frontend(sockets: str) -> str:
    """Return what listens at the socket."""
    lines = (
        f"bind unix@{sockets}/{SOCKET} mode 600",
        "no log",
        "http-request disable-l7-retry unless METH_GET",
        f"use_backend %[req.hdr({_HEADER}Backend)]",
    )
    return haproxy.section("frontend hop", lines)
