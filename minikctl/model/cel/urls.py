"""``url("https://…")`` and what can be read from it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

TAG = "kubernetes.URL"
_OPAQUE = "map(string, dyn)"


def _parse(text: str) -> dict[str, Any]:
    try:
        found = urllib.parse.urlsplit(text)
        _ = found.port
    except ValueError as error:
        raise ValueError(f"URL parse error during conversion from string: {error}") from None
    if not found.scheme and not text.startswith("/"):
        raise ValueError(
            f'URL parse error during conversion from string: parse "{text}": invalid URI for request'
        )
    return {TAG: text}


def _is_url(text: str) -> bool:
    try:
        _parse(text)
    except ValueError:
        return False
    return True


def _split(value: dict[str, Any]) -> urllib.parse.SplitResult:
    if TAG not in value:
        raise ValueError("no such overload")
    return urllib.parse.urlsplit(str(value[TAG]))


def _host(value: dict[str, Any]) -> str:
    return _split(value).netloc.rpartition("@")[2]


def _query(value: dict[str, Any]) -> dict[str, list[str]]:
    return urllib.parse.parse_qs(_split(value).query, keep_blank_values=True)


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    ("url", ("string",), _OPAQUE, _parse),
    ("isURL", ("string",), "bool", _is_url),
    (".getScheme", (_OPAQUE,), "string", lambda value: _split(value).scheme),
    (".getHost", (_OPAQUE,), "string", _host),
    (".getHostname", (_OPAQUE,), "string", lambda value: _split(value).hostname or ""),
    (".getPort", (_OPAQUE,), "string", lambda value: str(_split(value).port or "")),
    (
        ".getEscapedPath",
        (_OPAQUE,),
        "string",
        lambda value: urllib.parse.quote(_split(value).path, safe="/%:@!$&'()*+,;=-._~"),
    ),
    (".getQuery", (_OPAQUE,), _OPAQUE, _query),
]
