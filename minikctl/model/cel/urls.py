"""``url("https://…")`` and what can be read from it, as Go's net/url reads it."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

TAG = "kubernetes.URL"
_OPAQUE = "map(string, dyn)"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_USER = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")
_HOST = re.compile(r"""(?:[A-Za-z0-9._~!$&'()*+,;=:\[\]<>"-]|[^\x00-\x7f]|%25|%[89A-Fa-f][0-9A-Fa-f])*""")
_PORT = re.compile(r":[0-9]*|")
_ESCAPED_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@\[\]/%-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.S)


class _Parts(NamedTuple):
    """A URL's parts as they are written; ``authority`` is None where there is none."""

    scheme: str
    authority: str | None
    path: str
    query: str


def _divided(text: str, is_request: bool) -> _Parts:
    """Return the parts; a request's target has no fragment, and without a scheme it is all path."""
    found = _SCHEME.match(text)
    scheme, rest = (found[1].lower(), text[found.end() :]) if found else ("", text)
    if not is_request:
        rest = rest.partition("#")[0]
    rest, _, query = rest.partition("?")
    if not rest.startswith("/") and scheme:
        return _Parts(scheme, None, "", query)
    if rest.startswith("//") and (scheme or not (is_request or rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        return _Parts(scheme, authority, slash + path, query)
    return _Parts(scheme, None, rest, query)


def _fault(text: str) -> str | None:
    """Return why this is no target of a request: neither an absolute URL nor an absolute path."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        return "net/url: invalid control character in URL"
    if not text:
        return "empty url"
    parts = _divided(text, True)
    if not parts.scheme and not parts.path.startswith("/"):
        return "missing protocol scheme" if text.startswith(":") else "invalid URI for request"
    if fault := _fault_of_authority(parts.authority or ""):
        return fault
    bad = _BAD_ESCAPE.search(parts.path)
    return f'invalid URL escape "{bad[0]}"' if bad else None


def _fault_of_authority(authority: str) -> str | None:
    user, at, host = authority.rpartition("@")
    bracket = host.rfind("]")
    if host.startswith("[") and bracket < 0:
        return "missing ']' in host"
    colon = bracket + 1 if host.startswith("[") else host.rfind(":")
    if colon >= 0 and not _PORT.fullmatch(host[colon:]):
        return f'invalid port "{host[colon:]}" after host'
    if wrong := _HOST.sub("", host, count=1):
        escape = f'invalid URL escape "{wrong[:3]}"'
        return escape if wrong.startswith("%") else f'invalid character "{wrong[0]}" in host name'
    return "net/url: invalid userinfo" if at and not _USER.fullmatch(user) else None


def _parse(text: str) -> dict[str, Any]:
    if fault := _fault(text):
        shown = orjson.dumps(text).decode()
        raise ValueError(f"URL parse error during conversion from string: parse {shown}: {fault}")
    return {TAG: text}


def _split(value: dict[str, Any]) -> _Parts:
    if TAG not in value:
        raise ValueError("no such overload")
    return _divided(str(value[TAG]), False)


def _host(value: dict[str, Any]) -> str:
    return urllib.parse.unquote((_split(value).authority or "").rpartition("@")[2])


def _host_and_port(value: dict[str, Any]) -> tuple[str, str]:
    """Return the host without the brackets of an IPv6 address, and the port, "" where there is none."""
    host, colon, port = (whole := _host(value)).rpartition(":")
    if not colon or not _PORT.fullmatch(colon + port):
        host, port = whole, ""
    return (host[1:-1] if host.startswith("[") and host.endswith("]") else host), port


def _escaped_path(value: dict[str, Any]) -> str:
    path = _split(value).path
    if _ESCAPED_PATH.fullmatch(path):
        return path
    return urllib.parse.quote(urllib.parse.unquote(path), safe="/:@&=+$,;-._~")


def _query(value: dict[str, Any]) -> dict[str, list[str]]:
    """Return the parameters; those that cannot be read are left out."""
    found: dict[str, list[str]] = {}
    for part in _split(value).query.split("&"):
        if part and ";" not in part and not _BAD_ESCAPE.search(part):
            name, _, text = map(urllib.parse.unquote_plus, part.partition("="))
            found.setdefault(name, []).append(text)
    return found


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    ("url", ("string",), _OPAQUE, _parse),
    ("isURL", ("string",), "bool", lambda text: _fault(text) is None),
    (".getScheme", (_OPAQUE,), "string", lambda value: _split(value).scheme),
    (".getHost", (_OPAQUE,), "string", _host),
    (".getHostname", (_OPAQUE,), "string", lambda value: _host_and_port(value)[0]),
    (".getPort", (_OPAQUE,), "string", lambda value: _host_and_port(value)[1]),
    (".getEscapedPath", (_OPAQUE,), "string", _escaped_path),
    (".getQuery", (_OPAQUE,), _OPAQUE, _query),
]
