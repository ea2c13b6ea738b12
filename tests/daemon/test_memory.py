from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from minikctl.apiserver.registry import Registry
from minikctl.daemon import memory, server
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.conftest import registry, store
from tests.apiserver.harness import Served, served

__all__ = ["registry", "store"]

WATCHES = 20
EVENT_BYTES = 50_000


@pytest.fixture
async def api(registry: Registry, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(registry, tmp_path) as running:
        yield running


async def unread_watch(api: Served) -> asyncio.StreamWriter:
    trust = ssl.create_default_context(cafile=api.ca)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # the kernel shall not take it all
    sock.setblocking(False)
    port = int(api.address.rpartition(":")[2])
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=trust, server_hostname="127.0.0.1", limit=1024
    )
    head = f"GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    return writer


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_watches_that_nobody_reads_hold_little_and_stop_nobody(api: Served, registry: Registry) -> None:
    clients = [await unread_watch(api) for _ in range(WATCHES)]
    for number in range(200):
        made = samples.config_map(f"big-{number}", a="x" * EVENT_BYTES)
        await registry.create(kinds.CONFIG_MAP, "default", made)
    assert len(api.server.transports()) == WATCHES
    # What is over the limit is the part that was being written, and the event that ended it.
    most = server.UNREAD_BYTES + 2 * EVENT_BYTES
    assert max(each.get_write_buffer_size() for each in api.server.transports()) <= most
    for writer in clients:
        writer.transport.abort()
    await until(lambda: not api.server.transports())


async def test_free_memory_is_looked_for_once_after_each_crowd() -> None:
    trimmed = list[int]()
    trimmer = memory.Trimmer(lambda: trimmed.append(1), quiet_seconds=0)
    for _ in range(memory.CROWD - 1):
        trimmer.ended()
    await asyncio.sleep(0.01)
    assert trimmed == []
    for _ in range(memory.CROWD):
        trimmer.ended()
    await asyncio.sleep(0.01)
    assert trimmed == [1]
    memory.trim()
