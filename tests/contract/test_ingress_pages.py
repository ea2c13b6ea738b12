"""Pages for errors and headers of answers, with a real HAProxy: who is asked for them, and with which words."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl.network import certificates
from minikctl.plan import ingress, ingress_haproxy
from minikctl.plan.ingress_values import PREFIX
from minikctl.plan.proxy_view import Target
from minikctl.runtime.clock import SystemClock
from tests.fakes.ports import free_port
from tests.plan.ingress.cases import make, path, rule, view

pytestmark = [
    pytest.mark.timeout(40),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed"),
]


class Web:
    """An application that answers with the status in the path, slowly or not at all; and one with pages."""

    async def app(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().strip("/").partition("?")[0]
        if word == "silent":
            await reader.read(-1)
        elif word.isdigit():
            writer.write(
                f"HTTP/1.1 {word} Said\r\nContent-Length: 3\r\nConnection: close\r\n\r\napp".encode()
            )
            await writer.drain()
        writer.close()

    async def pages(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        code = next(line.split()[1] for line in head.splitlines() if line.lower().startswith("x-code:"))
        body = "" if head.startswith("HEAD") else head
        size = f"Content-Length: {len(head)}\r\nX-Page: yes\r\nConnection: close"
        writer.write(f"HTTP/1.1 {code} Page\r\n{size}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


@dataclasses.dataclass
class Bench:
    directory: Path
    app: int
    pages: int
    running: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)
    port: int = 0

    async def start(self, maps: Any = None, port: int = 0, **notes: str) -> None:
        given = {PREFIX + key.replace("_", "-"): text for key, text in notes.items()}
        one = make("shop", rule("h", path("/", "a")), annotations=given)
        routes = ingress.routing(view(one, maps=maps or {}))
        target = (Target("127.0.0.1", port or self.app),)
        backends = {
            name: dataclasses.replace(
                each, targets=() if each.hop else target, pages=each.pages and f"127.0.0.1:{self.pages}"
            )
            for name, each in routes.backends.items()
        }
        ports = [free_port() for _ in range(4)]
        place = ingress_haproxy.Place(ports[0], ports[1], ports[2], ports[3], str(self.directory))
        routes = dataclasses.replace(routes, backends=backends)
        default = certificates.self_signed(SystemClock())
        for name, text in ingress_haproxy.render(routes, {}, default, {}, place).files.items():
            (self.directory / name).write_text(text)
        self.running.append(subprocess.Popen(["haproxy", "-f", str(self.directory / "haproxy.cfg")]))
        self.port = ports[0]
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self.running[-1].poll() is None
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def ask(self, path: str, head: str = "", method: str = "GET", body: str = "") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head += f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: h\r\n{head}Connection: close\r\n\r\n{body}".encode())
        text = (await reader.read(-1)).decode()
        writer.close()
        return int(text.split()[1]), text


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    web = Web()
    servers = [await asyncio.start_server(one, "127.0.0.1", 0) for one in (web.app, web.pages)]
    made = Bench(tmp_path, *(one.sockets[0].getsockname()[1] for one in servers))
    try:
        yield made
    finally:
        for process in made.running:
            process.kill()
            process.wait()
        for one in servers:
            one.close()


ALL = {"default_backend": "b", "custom_http_errors": "404,403,502,503,504"}


async def test_another_service_gives_the_page_of_an_error(bench: Bench) -> None:
    await bench.start(None, 0, **ALL, proxy_read_timeout="1", denylist_source_range="10.0.0.0/8")
    assert await bench.ask("/200") == (200, (await bench.ask("/200"))[1])
    status, said = await bench.ask("/404?x=%41", "Accept: text/html\r\nX-Mine: 1\r\nTransfer: x\r\n")
    assert (status, "x-page: yes" in said) == (404, True)
    for line in (
        "GET / HTTP/1.1", "x-code: 404", "x-format: text/html", "x-original-uri: /404?x=%41", "x-namespace: default",
        "x-ingress-name: shop", "x-service-name: a", "x-service-port: 80", "host: h", "x-mine: 1",
    ):  # fmt: skip
        assert f"{line}\r\n" in said
    assert "x-minikctl" not in said.lower()
    assert await bench.ask("/500") == (500, (await bench.ask("/500"))[1])
    assert (await bench.ask("/404", method="POST", body="x" * 9))[1].count("POST / HTTP/1.1") == 1
    status, said = await bench.ask("/404", method="HEAD")
    assert (status, said.partition("\r\n\r\n")[2]) == (404, "")
    # What the proxy says itself: nothing came, or not in time.
    assert "x-code: 502" in (await bench.ask("/silence"))[1]
    assert "x-code: 504" in (await bench.ask("/silent"))[1]


async def test_a_refusal_of_the_proxy_has_a_page_too(bench: Bench) -> None:
    await bench.start(None, 0, **ALL, whitelist_source_range="10.0.0.0/8")
    assert "x-code: 403" in (await bench.ask("/200"))[1]


async def test_an_endpoint_that_refuses_is_an_error_and_so_are_pages_that_do_not_come(bench: Bench) -> None:
    await bench.start(None, free_port(), **ALL)
    status, said = await bench.ask("/200")
    assert (status, "x-code: 503" in said) == (503, True)
    bench.pages = free_port()
    await bench.start(None, 0, **ALL)
    assert (await bench.ask("/404"))[0] == 503


async def test_answers_get_the_headers_of_a_configmap(bench: Bench) -> None:
    data = {"X-Frame-Options": 'it\'s 100% "so" %[src] #1 \\', "Server": "none"}
    await bench.start({("default", "m"): {"data": data}}, custom_headers="default/m", app_root="/in")
    for where in ("/200", "/"):
        said = (await bench.ask(where))[1]
        assert 'x-frame-options: it\'s 100% "so" %[src] #1 \\\r\n' in said
        assert "server: none\r\n" in said
