"""Calling webhooks: from a clientConfig to the server that it means, and to that server's answer."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

import orjson

from minikctl.apiserver import feed, outbound, resolving
from minikctl.apiserver.outbound import CallFailed
from minikctl.drivers import dialing
from minikctl.model.objects import Object

DEFAULT_PORT = 443

_SERVER_SAID = {
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    410: "the server has asked for the client to provide credentials",
    413: "the request is too large",
    415: "the body of the request was in an unknown format - accepted media types include: ",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the "
    "request",
}
"""What client-go makes of codes without a Status."""


class WebhookClient:
    """Calls what clientConfigs of webhooks name: Services of the cluster, or URLs."""

    def __init__(self, source: feed.Feed, dialer: dialing.Dialer = dialing.DIRECT) -> None:
        """``dialer`` connects to Services; a URL is asked from this machine."""
        self._feed = source
        self._dialer = dialer
        self._lines = outbound.Lines()

    def close(self) -> None:
        """End the connections that are kept for the next call."""
        self._lines.close()

    async def call(self, config: Mapping[str, Any], review: Object, seconds: float) -> Any:
        """Return the decoded answer to a review, within that time; raises ``CallFailed``."""
        server, path = self._server(config, f"?timeout={seconds:g}s")
        reply = await self._lines.post(server, path, orjson.dumps(review), seconds)
        if not 200 <= reply.status <= 206:
            raise CallFailed(_complaint(reply))
        try:
            return orjson.loads(reply.body)
        except orjson.JSONDecodeError as error:
            raise CallFailed(f"couldn't get version/kind; json parse error: {error}") from None

    def _server(self, config: Mapping[str, Any], query: str) -> tuple[outbound.Server, str]:
        bundle = str(config.get("caBundle") or "")
        service = config.get("service")
        if service is None:
            return _by_url(str(config.get("url") or ""), bundle, query)
        namespace, name = str(service.get("namespace")), str(service.get("name"))
        port = int(service.get("port") or DEFAULT_PORT)
        host = f"{name}.{namespace}.svc"
        path = f"/{str(service.get('path') or '').lstrip('/')}{query}"
        try:
            address, number = resolving.endpoint(self._feed, namespace, name, port)
        except resolving.Unresolved as error:
            raise CallFailed(f'Post "https://{host}:{port}{path}": {error}') from None
        return outbound.Server(address, number, f"{host}:{port}", host, bundle, dialer=self._dialer), path


def _by_url(url: str, bundle: str, query: str) -> tuple[outbound.Server, str]:
    found = urllib.parse.urlsplit(url)
    host = found.hostname or ""
    authority = found.netloc.rpartition("@")[2]
    return outbound.Server(host, found.port or 443, authority, host, bundle), (found.path or "/") + query


def _complaint(reply: outbound.Reply) -> str:
    try:
        found = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status" and found.get("message"):
        return str(found["message"])
    text = reply.body[:2048].decode("utf-8", "replace").strip()
    if reply.status in _SERVER_SAID:
        return _SERVER_SAID[reply.status]
    if reply.status == 403:
        return f"forbidden: {text or 'unknown'}"
    if reply.status >= 500:
        quoted = orjson.dumps(text or "unknown").decode()
        return f"an error on the server ({quoted}) has prevented the request from succeeding"
    return f"the server rejected our request for an unknown reason ({reply.status})"
