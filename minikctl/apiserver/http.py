"""The API server as an ASGI application: routing, authentication, and errors as ``metav1.Status``.

Paths are taken apart by hand: resource paths are regular, and a table of hundreds of routes would be slower.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import platform
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import (
    attributes,
    connecting,
    discovery,
    http_aggregation,
    http_bodies,
    http_forms,
    http_managers,
    http_metrics,
    http_past,
    http_paths,
    http_sockets,
    http_streams,
    http_verbs,
    impersonation,
    metrics,
    openapi,
    openapi_protobuf,
    openapi_types,
    reviews,
)
from minikctl.apiserver.aggregation import Aggregation
from minikctl.apiserver.auth import ANONYMOUS, MASTERS, Authenticate, Credentials
from minikctl.apiserver.http_exchange import Disconnected, Exchange, Receive, Scope, Send, is_leaving
from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.options import WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams
from minikctl.model.kindtable import KindTable

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = "v1.36.2+minikctl"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Health:
    """The outcome of one named check; ``problem`` is "" when all is well."""

    name: str
    problem: str = ""


def build_app(
    registry: Registry,
    *,
    authenticate: Authenticate,
    streams: NodeStreams | None = None,
    meter: http_metrics.Meter | None = None,
    issuer: Issuer | None = None,
    aggregation: Aggregation | None = None,
) -> Application:
    """Return the API as an ASGI application.

    Without ``streams``, logs and exec are refused with a reason, without ``meter`` metrics are, and without
    ``issuer`` tokens.
    """
    return _Application(registry, authenticate, (streams, meter, issuer), aggregation)


class _Application:
    def __init__(
        self,
        registry: Registry,
        authenticate: Authenticate,
        parts: tuple[NodeStreams | None, http_metrics.Meter | None, Issuer | None],
        aggregation: Aggregation | None,
    ) -> None:
        self._registry = registry
        self._authenticate = authenticate
        self._streams, self._meter, self._issuer = parts
        self._authorize = registry.roles.authorize
        self._reviewer = reviews.Reviewer(registry.roles, self._issuer)
        self._aggregation = aggregation
        self._documents = http_aggregation.Documents(aggregation)
        self._metrics = metrics.Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(Exchange(scope, receive, send))
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await _lifespan(receive, send)

    async def _http(self, exchange: Exchange) -> None:
        begun, waited = time.perf_counter(), metrics.begin()
        try:
            await self._answer(exchange)
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.count(exchange.asked, exchange.status, seconds, sum(waited))

    async def _answer(self, exchange: Exchange) -> None:
        try:
            try:
                await self._route(exchange)
            except errors.StatusError as error:
                await _refuse(exchange, error)
            except errors.MinikctlError as error:
                await _refuse(exchange, _internal(str(error)))
        except Disconnected:
            if exchange.started:
                exchange.break_off()
        except RecursionError:
            await _refuse(exchange, errors.bad_request("the request is nested too deeply"))
        except Exception as error:
            if not is_leaving(error):
                _log.exception("%s %s failed", exchange.method, exchange.path)
            if not exchange.started:
                await _refuse(exchange, _internal("the server failed; its log says why"))
            elif not exchange.break_off():
                raise

    async def _route(self, exchange: Exchange) -> None:
        path = exchange.path.rstrip("/") or "/"
        first = path.split("/", 2)[1]
        self._identify(exchange)
        self._check(exchange)
        if first == "apis" and self._aggregation is not None:
            remote = self._aggregation.find(path)
            if remote is not None:
                await http_aggregation.serve(self._aggregation, exchange, remote)
                return
        found = reviews.find(path) if first == "apis" else None
        if found is not None:
            await self._review(exchange, *found)
            return
        if first in ("api", "apis") and path.count("/") > 2:
            target = http_paths.parse(path, self._registry.served.table)
            if target is not None:
                await self._resource(exchange, target)
                return
        if first == http_past.ROOT:
            await http_past.serve(self._registry, exchange)
            return
        if exchange.method not in ("GET", "HEAD"):
            raise _no_method("GET") if self._document(path, exchange) else no_resource()
        await self._describe(path, exchange)

    def _identify(self, exchange: Exchange) -> None:
        """Find out who asks; wrong credentials are refused, none at all are nobody in particular."""
        credentials = Credentials(exchange.headers, exchange.certificate)
        user = self._authenticate(credentials)
        if user is None:
            if credentials.bearer():
                raise errors.unauthorized()
            user = ANONYMOUS
        exchange.user = user
        if any(name.startswith("impersonate-") for name in exchange.headers):
            exchange.user = impersonation.assumed(user, exchange.all_headers, self._authorize)

    def _check(self, exchange: Exchange) -> None:
        """Refuse what the user may not do; the administrators' requests are not even looked at."""
        if MASTERS in exchange.user.groups:
            return
        asked = attributes.of(exchange.method, exchange.path, exchange.query)
        decision = self._authorize(exchange.user, asked)
        if not decision.allowed:
            raise attributes.refusal(exchange.user, asked, decision.reason)

    async def _review(self, exchange: Exchange, review: reviews.Review, namespace: str) -> None:
        if exchange.method != "POST":
            raise _no_method("POST")
        form = http_forms.choose(exchange.headers.get("accept", ""), tabular=False)
        body = await http_bodies.read(exchange)
        answer = self._reviewer.answer(review, body, exchange.user, namespace)
        shown = http_forms.partial(answer) if form.shape == "partial" else answer
        await exchange.answer(http_forms.dump(form, shown), form.media, 201)

    async def _resource(self, exchange: Exchange, target: http_paths.Target) -> None:
        if target.subresource == "proxy":
            from minikctl.apiserver import http_proxy  # rarely asked for, and brings an HTTP client

            await connecting.admit(self._registry, exchange, target)
            await http_proxy.serve(self._registry, exchange, target)
            return
        if target.subresource in http_streams.SUBRESOURCES:
            await http_streams.serve_http(self._registry, self._streams, exchange, target)
            return
        if target.subresource == "token":
            await self._token(exchange, target)
            return
        handler = http_verbs.handler(exchange, target)
        if handler is None:
            raise _no_method(*http_verbs.methods(target))
        exchange.asked = http_verbs.asked(exchange, target)
        if http_metrics.is_metrics(target):
            await http_metrics.serve(self._registry, self._meter, exchange, target)
            return
        exchange.warnings.extend(http_verbs.warnings(exchange, target))
        with self._metrics.open(exchange.asked):
            await handler(self._registry, exchange, target)

    async def _token(self, exchange: Exchange, target: http_paths.Target) -> None:
        if exchange.method != "POST" or self._issuer is None:
            raise _no_method("POST")
        body = await http_bodies.read(exchange)
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", **body}
        key = (target.namespace, target.name)
        write = WriteOptions(manager=http_managers.manager(exchange), caller=exchange.caller)
        await self._registry.admission.admit_part(target.kind, key, "token", body, write)
        await exchange.answer_json(self._issuer.request(*key, body), 201)

    async def _describe(self, path: str, exchange: Exchange) -> None:
        parts = path.strip("/").split("/")
        if parts[0] in ("healthz", "livez", "readyz"):
            await self._health(exchange, parts)
            return
        if parts == ["metrics"]:
            told = self._metrics.render(self._registry.counts()) + self._registry.admission.measured.render()
            await exchange.answer(told.encode(), metrics.MEDIA)
            return
        if parts[0] == "openapi":
            await self._openapi(exchange, parts[1:], self._registry.served.table)
            return
        document = self._document(path, exchange)
        if document is None:
            raise no_resource()
        wants_all = discovery.AGGREGATED.split(";", 1)[1]
        if path in ("/api", "/apis") and _same_parameters(exchange.headers.get("accept", ""), wants_all):
            digest, body = self._documents.aggregated(self._registry.served.table, core=path == "/api")
            await exchange.answer_known(digest, lambda: body, discovery.AGGREGATED)
            return
        await exchange.answer_json(document)

    def _document(self, path: str, exchange: Exchange) -> dict[str, Any] | None:
        """Return what a path below which nothing can be written answers, None if there is nothing."""
        table = self._registry.served.table
        groups = self._documents.groups(table)
        match path.strip("/").split("/"):
            case [""]:
                return {"paths": _known_paths(groups)}
            case ["version"]:
                return _version(VERSION)
            case [".well-known", "openid-configuration"] if self._issuer is not None:
                return self._issuer.configuration()
            case ["openid", "v1", "jwks"] if self._issuer is not None:
                return self._issuer.keys()
            case ["api"]:
                return discovery.api_versions(table, exchange.headers.get("host", ""))
            case ["apis"]:
                return self._documents.api_group_list(table)
            case ["api", version] if version in groups[""]:
                return discovery.resource_list(table, "", version)
            case ["apis", group] if group in groups:
                return self._documents.api_group(table, group)
            case ["apis", group, version] if version in groups.get(group, ()):
                return discovery.resource_list(table, group, version)
        return None

    async def _openapi(self, exchange: Exchange, parts: list[str], table: KindTable) -> None:
        documents = self._documents
        match parts:
            case ["v2"]:
                accept = exchange.headers.get("accept", "") or "*/*"
                digest = documents.openapi_hash(table)
                if "json" in accept or "*/*" in accept:
                    await exchange.answer_known(digest, lambda: documents.openapi_2(table))
                elif "proto-openapi.spec.v2" in accept:
                    make = functools.partial(documents.openapi_2, table, protobuf=True)
                    await exchange.answer_known(digest, make, openapi_protobuf.MEDIA)
                else:
                    known = f"application/json, {openapi_protobuf.MEDIA}"
                    text = f"only the following media types are accepted: {known}"
                    raise errors.StatusError(406, "NotAcceptable", text)
            case ["v3"]:
                await exchange.answer(documents.openapi_index(table))
            case ["v3", "apis", group, version] if self._aggregation and documents.openapi_3(group, version):
                remote = documents.openapi_3(group, version)
                assert remote is not None
                await http_aggregation.serve(self._aggregation, exchange, remote)
            case ["v3", "api", version] if version in discovery.groups(table)[""]:
                await _openapi_3(exchange, table, "", version)
            case ["v3", "apis", group, version] if version in discovery.groups(table).get(group, ()):
                await _openapi_3(exchange, table, group, version)
            case _:
                raise no_resource()

    async def _health(self, exchange: Exchange, parts: list[str]) -> None:
        failure = self._registry.feed.failure
        checks = [Health("ping"), Health("store", str(failure) or "closed" if failure else "")]
        if len(parts) == 2:
            checks = [check for check in checks if check.name == parts[1]]
            if not checks:
                raise no_resource()
        left_out = exchange.queries.get("exclude", [])
        checks = [check for check in checks if check.name not in left_out or len(parts) == 2]
        failed = any(check.problem for check in checks)
        lines = [f"[-]{c.name} failed: {c.problem}" if c.problem else f"[+]{c.name} ok" for c in checks]
        text = "ok"
        if failed or exchange.flag("verbose"):
            lines.append(f"{parts[0]} check {'failed' if failed else 'passed'}")
            text = "\n".join(lines) + "\n"
        await exchange.answer(text.encode(), "text/plain; charset=utf-8", 500 if failed else 200)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = http_sockets.Socket(receive, send)
        exchange = Exchange(scope, socket.receive, socket.send)
        try:
            try:
                await self._stream(scope, socket, exchange)
            except errors.StatusError as error:
                await socket.refuse(scope, error)
            except Exception as error:
                if is_leaving(error):
                    raise
                _log.exception("the WebSocket of %s failed", exchange.path)
                await socket.refuse(scope, _internal("the server failed; its log says why"))
        except Exception as error:
            if not is_leaving(error):
                raise
            await socket.leave()

    async def _stream(self, scope: Scope, socket: http_sockets.Socket, exchange: Exchange) -> None:
        target = http_paths.parse(exchange.path, self._registry.served.table)
        http_sockets.take_token(scope, exchange)
        self._identify(exchange)
        self._check(exchange)
        if target is None:
            raise no_resource()
        exchange.asked = http_verbs.asked(exchange, target)
        connection = (scope, socket.receive, socket.send)
        with self._metrics.open(exchange.asked):
            await http_sockets.serve(self._registry, self._streams, connection, exchange, target)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _refuse(exchange: Exchange, error: errors.StatusError) -> None:
    if exchange.started:
        raise error
    wait = error.details.get("retryAfterSeconds")
    more = [("retry-after", str(wait))] if wait else []
    if error.code == 405:
        more.append(("allow", ", ".join(error.allowed)))
    await exchange.answer(orjson.dumps(error.status()), status=error.code, more=more)


async def _openapi_3(exchange: Exchange, table: KindTable, group: str, version: str) -> None:
    """Answer a document for ever under its hash; under an old one the way to the present one."""
    digest = openapi.hash_3(table, group, version)
    asked = exchange.query.get("hash")
    if asked and asked != digest:
        await exchange.redirect(f"{exchange.path}?hash={digest}")
        return
    await exchange.answer_known(
        digest, lambda: openapi.version_3(table, group, version), for_ever=asked is not None
    )


def _known_paths(groups: Mapping[str, Sequence[str]]) -> list[str]:
    found = [
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ]
    for group, versions in groups.items():
        base = f"/apis/{group}" if group else "/api"
        found += [base, *(f"{base}/{version}" for version in versions)]
    return sorted(set(found))


def _same_parameters(accept: str, wanted: str) -> bool:
    """Tell whether one clause of an Accept header has all those parameters, in any order."""
    needed = set(wanted.split(";"))
    return any(needed <= {part.strip() for part in clause.split(";")} for clause in accept.split(","))


def _version(text: str) -> dict[str, str]:
    major, minor, _ = text.removeprefix("v").split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "gitVersion": text,
        "gitCommit": _source_digest(text),
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{_MACHINES.get(platform.machine(), platform.machine())}",
    }


@functools.cache
def _source_digest(text: str) -> str:
    """Return what tells servers apart where no commit is known: a digest of the version and of its types."""
    return hashlib.sha1(text.encode() + openapi_types.source(), usedforsecurity=False).hexdigest()


_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def no_resource() -> errors.StatusError:
    """404: the path names nothing that is served."""
    return errors.StatusError(404, "NotFound", "the server could not find the requested resource")


def _no_method(*allowed: str) -> errors.StatusError:
    text = "the server does not allow this method on the requested resource"
    error = errors.StatusError(405, "MethodNotAllowed", text)
    error.allowed = allowed
    return error


def _internal(text: str) -> errors.StatusError:
    return errors.StatusError(500, "InternalError", f"Internal error occurred: {text}")
