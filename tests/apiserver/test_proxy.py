"""The ``proxy`` subresources on sockets: a real server behind, a real client before."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
import websockets

from minikctl import errors
from minikctl.apiserver import http_paths, http_proxy, proxied
from minikctl.apiserver.http_exchange import Disconnected, Exchange
from minikctl.apiserver.registry import Registry
from minikctl.daemon.upgrades import UpgradingProtocol
from minikctl.model import kinds
from tests.apiserver import samples

PATH = "/api/v1/namespaces/default/pods/web:80/proxy"
SERVICE = "/api/v1/namespaces/default/services/web/proxy"


class World:
    """A server in the cluster, and the API's proxy to it; ``left`` is set when its client has gone."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.backend = 0
        self.port = 0

    async def behind(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer by the path: echo, page, forever, elsewhere, websocket, nonsense."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1].partition("?")[0]
            match path:
                case "/" | "/some/path":
                    self._answer(writer, 200, b"" if head.startswith("HEAD") else head.encode(), "")
                case "/echo":
                    length = int(
                        next(line for line in head.lower().split("\r\n") if "content-length" in line)[16:]
                    )
                    body = await reader.readexactly(length)
                    self._answer(writer, 201, head.encode() + body, "x-own: 1\r\n")
                case "/page":
                    self._answer(
                        writer, 200, b"<a href=/b><a href='/c'>", "Content-Type: text/html; charset=utf-8\r\n"
                    )
                case "/packed":
                    packed = gzip.compress(b"<a href='/c'>")
                    self._answer(writer, 200, packed, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n")
                case "/bomb":
                    packed = gzip.compress(b"<a href='/c'>" + bytes(http_proxy.PAGE_LIMIT))
                    self._answer(writer, 200, packed, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n")
                case "/torn":
                    packed = gzip.compress(b"<a href='/c'>")[:-9]
                    self._answer(writer, 200, packed, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n")
                case "/elsewhere":
                    self._answer(writer, 302, b"", "Location: /new?x=y\r\n")
                case "/forever":
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntick\r\n")
                    await reader.read(1)
                    self.left.set()
                case "/half":
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
                case "/nonsense":
                    writer.write(b"220 smtp ready\r\n\r\n")
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: str) -> None:
        head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)

    async def connect(self, location: proxied.Location) -> http_proxy.Backend:
        """Connect to the server, wherever the pod is."""
        del location
        return await http_proxy.Backend.connect(proxied.Location("http", "127.0.0.1", self.backend))


@contextlib.asynccontextmanager
async def serving(app: Any, **more: Any) -> AsyncIterator[int]:
    """Serve an ASGI application on loopback during the block; yields the port."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", log_config=None, http=UpgradingProtocol, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


@pytest.fixture
async def world(registry: Registry) -> AsyncIterator[World]:
    found = World()
    pod = await registry.create(kinds.POD, "default", samples.pod(nodeName="one"))
    status = {"phase": "Running", "podIP": "10.9.9.9"}
    await registry.update(kinds.POD, "default", "web", {**pod, "status": status}, subresource="status")

    ports = [{"port": 80}]
    await registry.create(kinds.SERVICE, "default", {"metadata": {"name": "web"}, "spec": {"ports": ports}})
    subset = {"addresses": [{"ip": "10.9.9.9"}], "ports": ports}
    await registry.create(kinds.ENDPOINTS, "default", {"metadata": {"name": "web"}, "subsets": [subset]})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = Exchange(scope, receive, send)
        target = http_paths.parse(exchange.path, registry.served.table)
        assert target is not None
        try:
            await http_proxy.serve(registry, exchange, target, found.connect)
        except errors.StatusError as error:
            await exchange.answer_json(error.status(), error.code)
        except Disconnected:
            return

    server = await asyncio.start_server(found.behind, "127.0.0.1", 0)
    found.backend = server.sockets[0].getsockname()[1]
    async with serving(app) as found.port:
        yield found
    server.close()


async def ask(world: World, request: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Return the answer to a request whose head is given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(f"{request}\r\nHost: front\r\nConnection: close\r\n\r\n".encode() + body)
    async with asyncio.timeout(30):
        answer = await reader.read(-1)
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines), content


async def test_a_request_goes_through_with_its_body_but_without_its_credentials(world: World) -> None:
    body = b"x" * 5_000_000
    request = f"PUT {PATH}/echo?a=%20b HTTP/1.1\r\nAuthorization: Bearer secret\r\nX-Mine: 1\r\nContent-Length: {len(body)}"
    status, headers, content = await ask(world, request, body)
    head, _, back = content.partition(b"\r\n\r\n")
    assert (status, headers["x-own"], back) == (201, "1", body)
    assert head.startswith(b"PUT /echo?a=%20b HTTP/1.1")
    lines = head.decode().lower().split("\r\n")
    assert {"host: front", "x-mine: 1", f"x-forwarded-uri: {PATH}/echo", "x-forwarded-for: 127.0.0.1"} <= set(
        lines
    )
    assert "secret" not in head.decode()


async def test_pages_and_redirections_lead_through_the_proxy(world: World) -> None:
    assert (await ask(world, f"GET {PATH}/elsewhere HTTP/1.1"))[1]["location"] == f"{PATH}/new?x=y"
    assert (await ask(world, f"GET {PATH}/page HTTP/1.1"))[2] == f"<a href=/b><a href='{PATH}/c'>".encode()
    packed = (await ask(world, f"GET {PATH}/packed HTTP/1.1"))[2]
    assert gzip.decompress(packed) == f"<a href='{PATH}/c'>".encode()


@pytest.mark.parametrize("path", ["bomb", "torn"])
async def test_a_packed_page_that_is_huge_or_broken_goes_through_as_it_is(world: World, path: str) -> None:
    status, headers, content = await ask(world, f"GET {PATH}/{path} HTTP/1.1")
    assert (status, len(content)) == (200, int(headers["content-length"]))
    assert len(content) < 100_000, "it was not unpacked"
    assert zlib.decompressobj(31).decompress(content, 13) == b"<a href='/c'>"


@pytest.mark.parametrize("path", [PATH, SERVICE])
@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_all_methods_reach_pods_and_services(world: World, method: str, path: str) -> None:
    """As in the conformance tests of the proxies, with a path and without (test/e2e/network/proxy.go)."""
    status, _, content = await ask(world, f"{method} {path}/some/path HTTP/1.1")
    assert status == 200
    assert content.startswith(b"" if method == "HEAD" else f"{method} /some/path HTTP/1.1".encode())
    status, headers, content = await ask(world, f"{method} {path}?method={method} HTTP/1.1")
    if method in ("GET", "HEAD"):
        assert (status, headers["location"]) == (301, f"{path}/?method={method.lower()}"), (
            "ask() gives headers in lower case"
        )
    else:
        assert (status, content.split(b"\r\n")[0]) == (200, f"{method} /?method={method} HTTP/1.1".encode())


async def test_a_client_that_leaves_ends_the_request_behind(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(f"GET {PATH}/forever HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(20):
        await reader.readuntil(b"tick")
        writer.close()
        await world.left.wait()


async def test_what_does_not_answer_is_told(world: World) -> None:
    status, _, content = await ask(world, f"GET {PATH}/nonsense HTTP/1.1")
    assert (status, b"error trying to reach service: " in content) == (503, True)
    world.backend = 1
    status, _, content = await ask(world, f"GET {PATH}/echo HTTP/1.1")
    assert (status, b"dial tcp 127.0.0.1:1: connect: connection refused" in content) == (503, True)


async def test_an_answer_that_breaks_off_is_not_made_whole(world: World) -> None:
    _, _, content = await ask(world, f"GET {PATH}/half HTTP/1.1")
    assert len(content) < 100


async def test_nodes_are_not_proxied_to(world: World) -> None:
    status, _, content = await ask(world, "GET /api/v1/nodes/one/proxy/metrics HTTP/1.1")
    assert (status, b"no kubelet" in content) == (501, True)


async def test_websockets_go_through(world: World) -> None:
    async def echo(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(f"{socket.request.path if socket.request else ''} {message!r}")

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        world.backend = next(iter(server.sockets)).getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{world.port}{PATH}/ws?a=b", proxy=None) as socket:
            await socket.send("hello")
            assert await asyncio.wait_for(socket.recv(), 20) == "/ws?a=b 'hello'"
