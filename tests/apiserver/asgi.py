"""A client that calls an ASGI application directly."""

from __future__ import annotations

import asyncio
import gzip
import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from minikctl.apiserver.http import Application

TOKEN = "secret"


@dataclass
class Answer:
    """What the application sent."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name)

    def json(self) -> Any:
        data = gzip.decompress(self.body) if self.header("content-encoding") == "gzip" else self.body
        return json.loads(data)


class Client:
    """Asks an application; ``headers`` go with each request."""

    def __init__(self, app: Application, token: str = TOKEN) -> None:
        self.app = app
        self.headers = {"authorization": f"Bearer {token}"}

    def scope(self, method: str, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        path, _, query = url.partition("?")
        raw = {**self.headers, **headers}
        return {
            "type": "http",
            "method": method,
            "path": urllib.parse.unquote(path),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in raw.items()],
        }

    async def __call__(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        messages = [{"type": "http.request", "body": data, "more_body": False}]
        answer = Answer()

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [
                    (name.decode(), value.decode("latin-1")) for name, value in message["headers"]
                ]
            else:
                answer.body += message.get("body", b"")

        async with asyncio.timeout(20):
            await self.app(self.scope(method, url, headers or {}), receive, send)
        return answer

    async def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Stream:
        """Begin a GET whose answer goes on."""
        return Stream(self.app, self.scope("GET", url, headers or {}))


class Stream:
    """A GET whose answer is read line by line."""

    def __init__(self, app: Application, scope: dict[str, Any]) -> None:
        self.sent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.status = 0
        self._gone = asyncio.Event()
        self._first = True
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Application, scope: dict[str, Any]) -> None:
        await app(scope, self._receive, self._send)
        self.sent.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        if self._first:
            self._first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body"):
            self.sent.put_nowait(message["body"])

    async def lines(self) -> AsyncIterator[Any]:
        while (chunk := await self.sent.get()) is not None:
            for line in chunk.splitlines():
                yield json.loads(line)

    async def take(self, count: int) -> list[Any]:
        found = []
        async with asyncio.timeout(20):
            async for line in self.lines():
                found.append(line)
                if len(found) == count:
                    break
        return found

    async def leave(self) -> None:
        """Disconnect, and wait for the application to notice."""
        self._gone.set()
        async with asyncio.timeout(20):
            await self.task
