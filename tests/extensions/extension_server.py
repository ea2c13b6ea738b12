"""A server that other servers aggregate: one group and version, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h11

from tests.extensions.webhook import certificate

Json = dict[str, Any]
GROUP, VERSION = "wardle.example.com", "v1alpha1"
PREFIX = f"/apis/{GROUP}/{VERSION}"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/{VERSION}",
    "resources": [
        {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": ["get", "list"], "shortNames": ["fl"]},
        {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
    ],
}  # fmt: skip
FLUNDER = {
    "apiVersion": f"{GROUP}/{VERSION}",
    "kind": "Flunder",
    "metadata": {"name": "one", "namespace": "default"},
}
DEFINITION = {
    "type": "object",
    "properties": {"metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}},
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": VERSION, "kind": "Flunder"}],
}
OPENAPI_2 = {
    "swagger": "2.0",
    "paths": {
        f"{PREFIX}/flunders": {
            "get": {"responses": {"200": {"schema": {"$ref": "#/definitions/example.Flunder"}}}}
        },
        "/healthz": {"get": {}},
    },
    "definitions": {
        "example.Flunder": DEFINITION,
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "description": "other"},
        "example.Unused": {"type": "object"},
    },
}
OPENAPI_3 = {"paths": {PREFIX.lstrip("/"): {"serverRelativeURL": f"/openapi/v3{PREFIX}?hash=1"}}}
LIST = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "FlunderList", "metadata": {}, "items": [FLUNDER]}


class Extension:
    """Answers what it is told to; ``seen`` are the requests: method, path with query, headers, body."""

    def __init__(self, bundle: str) -> None:
        self.bundle = bundle
        self.port = 0
        self.seen: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.peers: list[Any] = []
        self.answers: dict[str, Any] = {
            PREFIX: RESOURCES,
            f"{PREFIX}/namespaces/default/flunders": LIST,
            f"{PREFIX}/namespaces/default/flunders/one": FLUNDER,
            "/openapi/v2": OPENAPI_2,
            "/openapi/v3": OPENAPI_3,
            f"/openapi/v3{PREFIX}": {"openapi": "3.0.0", "paths": {}},
        }

    def requests(self, path: str) -> list[tuple[str, str, dict[str, list[str]], bytes]]:
        """Return the requests for that path."""
        return [each for each in self.seen if each[1].partition("?")[0] == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        self.peers.append(writer.get_extra_info("peercert"))
        body, request = b"", None
        with contextlib.suppress(OSError, h11.ProtocolError):
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                else:
                    break
            if request is not None:
                await self._answer(http, writer, request, body)
        writer.close()

    async def _answer(
        self, http: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
    ) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            headers.setdefault(name.decode(), []).append(value.decode())
        target = request.target.decode()
        self.seen.append((request.method.decode(), target, headers, body))
        found = self.answers.get(target.partition("?")[0])
        if request.method == b"POST":
            found = json.loads(body)
        data = json.dumps(found if found is not None else {"kind": "Status", "code": 404}).encode()
        given = [("content-type", "application/json"), ("content-length", str(len(data))), ("x-own", "yes")]
        sent = http.send(h11.Response(status_code=404 if found is None else 200, headers=given)) or b""
        writer.write(sent + (http.send(h11.Data(data=data)) or b"") + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()


@contextlib.asynccontextmanager
async def extending(folder: Path, *names: str, clients: str = "") -> AsyncIterator[Extension]:
    """Have a server during the block; ``clients`` is the file of the authority that client certificates need."""
    path, bundle = certificate(folder, *(names or ("wardle.default.svc",)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    extension = Extension(bundle)
    server = await asyncio.start_server(extension.serve, "127.0.0.1", 0, ssl=context)
    extension.port = server.sockets[0].getsockname()[1]
    try:
        yield extension
    finally:
        server.close()
