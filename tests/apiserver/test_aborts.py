"""Clients that leave in the middle, at every moment and in every way: nobody's fault, so nothing is logged."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from minikctl.apiserver import portforward
from minikctl.apiserver.registry import Registry
from minikctl.drivers.engine import ExecOptions, LogOptions
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.harness import Served, served
from tests.apiserver.talk import Session, Talk
from tests.apiserver.test_streams import make_pod

POD = "/api/v1/namespaces/default/pods/web"
MAPS = "/api/v1/namespaces/default/configmaps"
EXEC = f"{POD}/exec?stdin=1&stdout=1&stderr=1"

WEBSOCKETS = {
    "exec": (f"{EXEC}&command=cat", "v5.channel.k8s.io"),
    "exec with much to say": (f"{EXEC}&command=flood", "v4.channel.k8s.io"),
    "exec that ends": (f"{EXEC}&command=echo&command=a", "v5.channel.k8s.io"),
    "attach": (f"{POD}/attach?stdin=1&stdout=1", "v4.base64.channel.k8s.io"),
    "ports": (f"{POD}/portforward?ports=80,81", "v4.channel.k8s.io"),
    "ports in a tunnel": (f"{POD}/portforward", portforward.TUNNEL),
    "log": (f"{POD}/log?follow=1", "binary.k8s.io"),
    "watch": (f"{MAPS}?watch=1", ""),
}
REQUESTS = {
    "watch": f"GET {MAPS}?watch=1 HTTP/1.1\r\n",
    "log": f"GET {POD}/log?follow=1 HTTP/1.1\r\n",
    "list": f"GET {MAPS} HTTP/1.1\r\n",
    "half a body": f"POST {MAPS} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n",
    "chunks": f"POST {MAPS} HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
    "spdy exec": f"POST {EXEC}&command=flood HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n",
    "spdy ports": f"POST {POD}/portforward HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    "X-Stream-Protocol-Version: portforward.k8s.io\r\n",
}
FRAMES = {
    "nothing": b"",
    "input": b"\x82\x82\0\0\0\0\x00a",
    "a farewell": b"\x88\x82\0\0\0\0\x03\xe8",
    "what is no frame": b"\xff\xff\xff\xff\xff",
    "text that is no text": b"\x81\x81\0\0\0\0\xff",
    "an unmasked frame": b"\x82\x01a",
    "half a frame": b"\x82\xff\0\0",
}


class SlowTalk(Talk):
    """Starts commands after a moment; its logs may have a defect."""

    faulty = False

    async def exec(self, pod: Any, container: str, argv: Sequence[str], options: ExecOptions) -> Session:
        await asyncio.sleep(0.01)
        return await super().exec(pod, container, argv, options)

    async def logs(
        self, pod: Any, container: str, previous: bool, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        if self.faulty:
            yield b"it began\n"
            raise ValueError("a defect")
        async for line in super().logs(pod, container, previous, options):
            yield line * 1000
            await asyncio.sleep(0)


@pytest.fixture
def talk() -> SlowTalk:
    return SlowTalk()


@pytest.fixture
async def server(registry: Registry, talk: SlowTalk, tmp_path: Path) -> AsyncIterator[Served]:
    await make_pod(registry)
    async with served(registry, tmp_path, talk) as found:
        yield found


class Client:
    """A connection that can be torn down hard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, server: Served, how: str) -> Client:
        context = ssl.create_default_context(cafile=str(server.ca))
        host, port = server.address.removeprefix("https://").split(":")
        made = cls(*await asyncio.open_connection(host, int(port), ssl=context))
        if how == "reset":
            # With no time to linger, closing resets the connection.
            linger = struct.pack("ii", 1, 0)
            made.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return made

    def send(self, head: str, server: Served, more: bytes = b"") -> None:
        head += f"Host: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        self.writer.write(head.encode() + more)

    def leave(self) -> None:
        self.writer.transport.abort()


def upgrade(path: str, protocol: str) -> str:
    named = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return (
        f"GET {path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{named}"
    )


async def settled(server: Served) -> None:
    """Wait until no connection is left, and the loop has run what was due."""
    async with asyncio.timeout(30):
        while server.server.transports() or server.server.tasks():
            await asyncio.sleep(0.01)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{each.name}: {each.getMessage()}" for each in caplog.records if each.levelno > logging.INFO]


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("name", WEBSOCKETS)
async def test_a_websocket_may_end_at_any_moment(
    server: Served, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    for moment in ("asking", "waiting", "begun", *FRAMES):
        client = await Client.to(server, how)
        client.send(upgrade(*WEBSOCKETS[name]), server)
        await client.writer.drain()
        if moment == "waiting":
            await asyncio.sleep(0.005)
        elif moment != "asking":
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head.split(b"\r\n")[0], await client.reader.read()
        if moment in FRAMES:
            client.writer.write(FRAMES[moment])
            await client.writer.drain()
            await asyncio.sleep(0.005)
        client.leave()
        await settled(server)
        assert complaints(caplog) == [], moment


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_may_end_at_any_moment(
    server: Served, registry: Registry, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    for number in range(30):
        await registry.create(
            kinds.CONFIG_MAP, "default", samples.config_map(f"big-{number}", a="x" * 100_000)
        )
    for moment in ("asking", "waiting", "answered", "sending"):
        client = await Client.to(server, how)
        client.send(REQUESTS[name], server, b'{"a":' if "body" in name else b"")
        await client.writer.drain()
        if moment == "waiting":
            await asyncio.sleep(0.005)
        elif moment != "asking" and "Content-Type" not in REQUESTS[name]:
            await client.reader.readuntil(b"\r\n\r\n")
        if moment == "sending" and "Upgrade" in REQUESTS[name]:
            client.writer.write(b"\x80\x03\x00\x01\x00\x00\x00\xff\xff")
            await client.writer.drain()
            await asyncio.sleep(0.005)
        client.leave()
        await settled(server)
        assert complaints(caplog) == [], moment


async def test_an_answer_that_fails_in_the_middle_is_broken_off_and_told_once(
    server: Served, talk: SlowTalk, caplog: pytest.LogCaptureFixture
) -> None:
    talk.faulty = True
    client = await Client.to(server, "close")
    client.send(f"GET {POD}/log HTTP/1.1\r\n", server)
    answer = await client.reader.read()
    assert b"it began" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert complaints(caplog) == [f"minikctl.apiserver.http: GET {POD}/log failed"]
    caplog.clear()
    client = await Client.to(server, "close")
    client.send(upgrade(f"{POD}/log", "binary.k8s.io"), server)
    answer = await client.reader.readuntil(b"its log says why")
    assert b"it began" in answer
    assert complaints(caplog) == [f"minikctl.apiserver.http: the WebSocket of {POD}/log failed"]
    client.leave()
    await settled(server)
