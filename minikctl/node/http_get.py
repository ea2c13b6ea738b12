"""One HTTP GET as probes and hooks need it: no certificate checks, redirects on the same host."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from minikctl.drivers import dialing
from minikctl.model.actions.node import HttpCheck

MAX_REDIRECTS = 10
MAX_HEAD = 65536
MAX_BODY = 10 * 1024
USER_AGENT = "kube-probe/1.36"


class BadAnswer(Exception):
    """What came back is not HTTP."""


@dataclass(frozen=True)
class Answer:
    """The status, the address that gave it, and the beginning of what came with it.

    A status from 300 to 399: it leads away from the host, or nowhere.
    """

    status: int
    url: str
    body: str = ""


def url_of(check: HttpCheck) -> str:
    """Return the address that the check asks."""
    host = f"[{check.host}]" if ":" in check.host else check.host
    path = check.path if check.path.startswith("/") else f"/{check.path}"
    return f"{check.scheme.lower()}://{host}:{check.port}{path}"


async def get(check: HttpCheck, dialer: dialing.Dialer = dialing.DIRECT) -> Answer:
    """Return the answer after redirects; ``OSError`` or ``BadAnswer`` when there is none."""
    url = url_of(check)
    for _ in range(MAX_REDIRECTS + 1):
        status, headers, body = await _ask(url, check.headers, dialer)
        target = headers.get("location", "")
        if status not in (301, 302, 303, 307, 308) or not target:
            return Answer(status, url, body)
        target = urljoin(url, target)
        if urlsplit(target).hostname != urlsplit(url).hostname:
            return Answer(status, url, body)
        url = target
    raise BadAnswer(f"stopped after {MAX_REDIRECTS} redirects")


async def _ask(
    url: str, headers: tuple[tuple[str, str], ...], dialer: dialing.Dialer
) -> tuple[int, Mapping[str, str], str]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    reader, writer = await dialer.open(
        parts.hostname or "", port, ssl=_unchecked() if secure else None, limit=MAX_HEAD
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        writer.write(_request(path, parts.netloc, headers))
        return await _head(reader)
    finally:
        writer.close()


def _request(path: str, host: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    own = {"host": host, "user-agent": USER_AGENT, "accept": "*/*", "connection": "close"}
    given = {name.lower() for name, _ in headers}
    lines = [f"GET {path} HTTP/1.1"]
    lines += [f"{name.title()}: {value}" for name, value in own.items() if name not in given]
    lines += [f"{name}: {value}" for name, value in headers if value or name.lower() not in own]
    return "\r\n".join((*lines, "", "")).encode("latin-1", errors="replace")


async def _head(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], str]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise BadAnswer("EOF") from error
        raise BadAnswer("malformed HTTP response") from error
    except asyncio.LimitOverrunError as error:
        raise BadAnswer("the header of the answer is too long") from error
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    if not first.startswith("HTTP/") or len(words) < 2 or not words[1].isdigit():
        raise BadAnswer(f'malformed HTTP response "{first[:80]}"')
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length, body = headers.get("content-length", ""), b""
    if length.isdigit() and int(length) <= MAX_BODY:
        # Small answers are taken whole, so that they do not end in a reset for the server.
        with contextlib.suppress(asyncio.IncompleteReadError):
            body = await reader.readexactly(int(length))
    return int(words[1]), headers, body.decode(errors="replace")


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
