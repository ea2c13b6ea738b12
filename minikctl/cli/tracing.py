"""``-v 6`` and above: requests and answers on the error stream, as kubectl's log has them."""

from __future__ import annotations

import http
import os
import shlex
import time
from collections.abc import Sequence
from datetime import datetime

from minikctl.cli.session import Io

HEADERS, BODIES, CURL = 7, 8, 9
TRUNCATED = 1024
_MASKED = ("authorization",)


class Tracer:
    """Writes what is sent and received; secrets of headers are masked."""

    def __init__(self, io: Io, verbosity: int) -> None:
        self._io = io
        self._verbosity = verbosity
        self._begun = time.monotonic()

    def sent(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Tell of a request."""
        self._begun = time.monotonic()
        if self._verbosity >= BODIES:
            self._log(f'"Request Body" body={self._body(body)}')
        if self._verbosity >= CURL:
            shown = " ".join(f'-H "{name}: {_masked(name, value)}"' for name, value in headers)
            self._log(f'"Request" curlCommand=<\n\tcurl -v -X{method} {shown} {shlex.quote(url)}\n >')
        elif self._verbosity >= HEADERS:
            self._log(f'"Request" verb="{method}" url="{url}" headers=<\n{_listed(headers)} >')

    def received(
        self, method: str, url: str, status: int, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        """Tell of an answer."""
        taken = round((time.monotonic() - self._begun) * 1000)
        place = f' verb="{method}" url="{url}"' if self._verbosity not in (HEADERS, BODIES) else ""
        fields = f" headers=<\n{_listed(headers)} >" if self._verbosity >= BODIES else ""
        self._log(f'"Response"{place} status="{status} {_phrase(status)}"{fields} milliseconds={taken}')
        if self._verbosity >= BODIES:
            self._log(f'"Response Body" body={self._body(body)}')

    def _body(self, body: bytes) -> str:
        import json

        text = body.decode(errors="replace")
        if self._verbosity < CURL and len(text) > TRUNCATED:
            text = f"{text[:TRUNCATED]} [truncated {len(text) - TRUNCATED} chars]"
        return json.dumps(text, ensure_ascii=False)

    def _log(self, text: str) -> None:
        now = datetime.now()
        self._io.warn(f"I{now:%m%d %H:%M:%S.%f} {os.getpid():7d} http.py] {text}")


def _masked(name: str, value: str) -> str:
    if name.lower() not in _MASKED:
        return value
    return f"{value.partition(' ')[0]} <masked>"


def _listed(headers: Sequence[tuple[str, str]]) -> str:
    fields = sorted((name.title(), _masked(name, value)) for name, value in headers)
    return "".join(f"\t{name}: {value}\n" for name, value in fields)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
