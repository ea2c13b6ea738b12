"""What the annotations of an Ingress ask for: those of ingress-nginx that its users rely on most.

Meanings and defaults are those of its annotation reference, except that nothing is done unasked: without
``ssl-redirect`` nobody is sent to https.  What is not done is a problem that is told, never ignored; where
that would open what was meant to be shut, the Ingress answers with 503 instead.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from minikctl.plan import ingress_auth, ingress_users
from minikctl.plan.ingress_options import PLAIN, Canary, Cookie, Cors, ExternalAuth, Options

Value = TypeVar("Value")

PREFIX = "nginx.ingress.kubernetes.io/"
NOTHING: tuple[str, ...] = ()
ANYBODY: tuple[str, ...] = ("*",)
PROTOCOLS = ("HTTP", "HTTPS", "GRPC", "GRPCS", "AUTO_HTTP")
STREAMING = ("proxy-buffering", "proxy-request-buffering")
"""The proxy passes on what comes as it comes: what asks for that is done."""
GUARDS = (
    "auth-tls-secret",
    "auth-tls-verify-client",
    "enable-modsecurity",
    "enable-opentelemetry-auth",
)
"""What is not done, and would let in whom it is to keep out."""
_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_SECONDS = re.compile(r"(\d+)s?")
_MOST_SECONDS = (1 << 31) // 1000
"""HAProxy counts milliseconds in 31 bits."""
_MOST_BYTES = 1 << 62
MOST_HEAD_BYTES = 256 << 10
"""Each connection takes twice as much."""
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_WORD = re.compile(r"[A-Za-z0-9_.~!$&*+,;=:@%/?#\[\]^{}|<>()\\ -]*")


class _Bad(ValueError):
    """A value that cannot be meant."""


class Reader:
    """Reads annotations one by one; remembers which were asked for and what was wrong with them."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._given = {
            name.removeprefix(PREFIX): str(text)
            for name, text in annotations.items()
            if name.startswith(PREFIX)
        }
        self._known: set[str] = set()
        self.problems: list[tuple[str, str]] = []

    def has(self, name: str) -> bool:
        """Tell whether it is there; it counts as known then."""
        self._known.add(name)
        return name in self._given

    def read(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        """Return its value; a bad one is told and counts as absent."""
        if not self.has(name):
            return default
        text = self._given[name].strip()
        try:
            if not _WORD.fullmatch(text):
                raise _Bad("a character in it cannot be passed to the proxy")
            return parse(text)
        except _Bad as bad:
            self.problems.append(("InvalidAnnotation", f"{PREFIX}{name}: {text!r}: {bad}; it is not done"))
            return default

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        return self.read(name, str, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value."""
        return self.read(name, _flag, default)

    def number(self, name: str, default: int = 0) -> int:
        """Return a count or seconds."""
        return self.read(name, _seconds, default)

    def unknown(self) -> list[str]:
        """Return the names that nobody asked for."""
        return sorted(set(self._given) - self._known)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise _Bad("it is true or false")
    return text == "true"


def _seconds(text: str) -> int:
    found = _SECONDS.fullmatch(text)
    if not found:
        raise _Bad("it is a number")
    return _bounded(int(found[1]), _MOST_SECONDS)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if not found:
        raise _Bad("it is a size such as 8m")
    return _bounded(int(found[1]) * _UNITS[found[2].lower()], _MOST_BYTES)


def _buffer(text: str) -> int:
    return _bounded(_size(text), MOST_HEAD_BYTES)


def _bounded(number: int, most: int) -> int:
    if number > most:
        raise _Bad(f"it is at most {most}")
    return number


def _ranges(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(one.strip(), strict=False)) for one in text.split(","))
    except ValueError as error:
        raise _Bad(str(error)) from error


def _path(text: str) -> str:
    if not text.startswith("/") or " " in text:
        raise _Bad("it is a path that begins with /")
    return text


def _cookie_path(text: str) -> str:
    if ";" in text:
        raise _Bad("a cookie's path has no semicolon in it")
    return _path(text)


def _location(text: str) -> str:
    if " " in text or not text:
        raise _Bad("it is a URL")
    foreign = set(re.findall(r"\$\w*", text)) - set(ingress_auth.VARIABLES)
    if foreign:
        raise _Bad(f"{', '.join(sorted(foreign))} means nothing here")
    return text


def _constant(text: str) -> str:
    if "$" in text:
        raise _Bad("variables of nginx mean nothing here")
    return text


def _operand(text: str) -> str:
    if text == "}":
        raise _Bad("it cannot be passed to the proxy")
    return text


def _expression(text: str) -> str:
    _operand(text)
    try:
        re.compile(text)
    except re.error as error:
        raise _Bad(f"it is no regular expression: {error}") from error
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[\w-]+", text):
        raise _Bad("it is one word of letters, digits, - and _")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise _Bad(f"it is one of {', '.join(words)}")
        return text

    return parse


def _code(text: str) -> int:
    if text not in ("301", "302", "303", "307", "308"):
        raise _Bad("it is 301, 302, 303, 307 or 308")
    return int(text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _hosts(text: str) -> tuple[str, ...]:
    for name in _words(text):
        if not _HOST.fullmatch(name):
            raise _Bad(f"{name} is not the name of a host")
    return _words(text)


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_token(one) for one in _words(text))


def _balance(text: str) -> str:
    known = {
        "round_robin": "roundrobin", "ewma": "leastconn", "least_conn": "leastconn",
        "$remote_addr": "source", "$binary_remote_addr": "source", "$request_uri": "uri whole", "$uri": "uri",
    }  # fmt: skip
    if text not in known:
        raise _Bad(f"it is one of {', '.join(known)}")
    return known[text]


def read(annotations: Mapping[str, str], users: Sequence[tuple[str, str]] | None = None) -> Options:
    """Return what the annotations ask for; ``users`` are (name, hash) of the Secret, None without it."""
    if not any(name.startswith(PREFIX) for name in annotations):
        return PLAIN
    found = Reader(annotations)
    shut = next((f"{PREFIX}{name} is not done" for name in GUARDS if found.has(name)), "")
    allow, deny, unreadable = _sources(found)
    realm, listed, no_users = _auth(found, users)
    external, no_server = _external(found)
    rate, seconds = _rate(found)
    location, code = _redirect(found)
    for name in STREAMING:
        found.read(name, _one_of("off"), "")
    return Options(
        shut=unreadable or shut or no_users or no_server,
        https=_https(found),
        location=location,
        code=code,
        app_root=found.read("app-root", _path, ""),
        rewrite=found.read("rewrite-target", _path, ""),
        regex=found.flag("use-regex"),
        body_limit=found.read("proxy-body-size", _size, 0),
        head_bytes=found.read("proxy-buffer-size", _buffer, 0),
        connect_seconds=found.number("proxy-connect-timeout"),
        server_seconds=max(found.number("proxy-read-timeout"), found.number("proxy-send-timeout")),
        protocol=found.read("backend-protocol", _one_of(*PROTOCOLS), ""),
        allow=allow,
        deny=deny,
        cors=_cors(found),
        realm=realm,
        users=listed,
        auth=external,
        cookie=_cookie(found),
        rate=rate,
        rate_seconds=seconds,
        connections=found.number("limit-connections"),
        vhost=found.read("upstream-vhost", _constant, ""),
        prefix=found.read("x-forwarded-prefix", _constant, ""),
        balance=found.read("upstream-hash-by", _balance, "") or found.read("load-balance", _balance, ""),
        aliases=found.read("server-alias", _hosts, NOTHING),
        www=found.flag("from-to-www-redirect"),
        canary=_canary(found),
        problems=(*found.problems, *map(_unsupported, found.unknown())),
    )


def _sources(found: Reader) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return who may come and who may not, and what is wrong with that."""
    before = len(found.problems)
    allow = (
        *found.read("whitelist-source-range", _ranges, NOTHING),
        *found.read("allowlist-source-range", _ranges, NOTHING),
    )
    deny = found.read("denylist-source-range", _ranges, NOTHING)
    return allow, deny, "a source range cannot be read" if len(found.problems) > before else ""


def _unsupported(name: str) -> tuple[str, str]:
    why = "raw configuration of nginx means nothing here" if name.endswith("-snippet") else "it is not done"
    return "UnsupportedAnnotation", f"{PREFIX}{name} is not supported: {why}"


def _https(found: Reader) -> str:
    asked, forced = found.flag("ssl-redirect"), found.flag("force-ssl-redirect")
    return "always" if forced else "tls" if asked else ""


def _redirect(found: Reader) -> tuple[str, int]:
    permanent = found.read("permanent-redirect", _location, "")
    code = found.read("permanent-redirect-code", _code, 301)
    temporal = found.read("temporal-redirect", _location, "")
    soon = found.read("temporal-redirect-code", _code, 302)
    return (temporal, soon) if temporal else (permanent, code) if permanent else ("", 0)


def _rate(found: Reader) -> tuple[int, int]:
    """Return how many requests in how many seconds: bursts of five times the rate pass, as with nginx."""
    burst = max(found.number("limit-burst-multiplier", 5), 1)
    second, minute = found.number("limit-rps"), found.number("limit-rpm")
    if second and minute:
        found.problems.append(("InvalidAnnotation", f"{PREFIX}limit-rpm: with limit-rps, only that is done"))
    return (second * burst, burst) if second else (minute * burst, 60 * burst) if minute else (0, 0)


def _auth(
    found: Reader, users: Sequence[tuple[str, str]] | None
) -> tuple[str, tuple[tuple[str, str], ...], str]:
    kind, realm = found.text("auth-type"), found.text("auth-realm", "Authentication Required")
    found.has("auth-secret"), found.has("auth-secret-type")
    if not kind:
        return "", (), ""
    if kind != "basic":
        return "", (), f"{PREFIX}auth-type {kind} is not done"
    if users is None:
        return "", (), "auth-secret names no Secret of the Ingress' namespace that has a key auth"
    usable = tuple((name, given) for name, given in users if ingress_users.is_usable(name, given))
    if len(usable) < len(users):
        left = ", ".join(name for name, given in users if not ingress_users.is_usable(name, given))
        words = f"{PREFIX}auth-secret: users {left} are refused: {ingress_users.KNOWN}"
        found.problems.append(("InvalidAnnotation", words))
    return realm, usable, "" if usable else "no user of auth-secret can be let in"


def _external(found: Reader) -> tuple[ExternalAuth | None, str]:
    """Return who is asked about requests, and what is wrong with that."""
    texts = (found.text("auth-url"), found.text("auth-method", "GET"), found.text("auth-signin"))
    parameter = found.read("auth-signin-redirect-param", _token, "rd")
    passed = found.read("auth-response-headers", _tokens, NOTHING)
    if not found.has("auth-url"):
        return None, ""
    parsed = ingress_auth.parse(*texts, parameter, passed)
    return (None, PREFIX + parsed) if isinstance(parsed, str) else (parsed, "")


def secret_of(annotations: Mapping[str, str], namespace: str) -> tuple[str, str] | None:
    """Return the Secret with the users, None if there is none to read."""
    text = annotations.get(f"{PREFIX}auth-secret", "") if annotations.get(f"{PREFIX}auth-type") else ""
    space, _, name = text.rpartition("/")
    # Other namespaces are theirs: reading a Secret there for this Ingress would give it away.
    return (namespace, name) if name and space in ("", namespace) else None


def _cors(found: Reader) -> Cors | None:
    wanted, plain = found.flag("enable-cors"), Cors()
    origins = found.read("cors-allow-origin", _words, ANYBODY)
    cors = Cors(
        origins=() if "*" in origins else origins,
        methods=found.text("cors-allow-methods", plain.methods),
        headers=found.text("cors-allow-headers", plain.headers),
        exposed=found.text("cors-expose-headers"),
        credentials=found.flag("cors-allow-credentials", default=True),
        max_age=found.number("cors-max-age", plain.max_age),
    )
    return cors if wanted else None


def _cookie(found: Reader) -> Cookie | None:
    wanted = found.read("affinity", _one_of("cookie"), "")
    found.read("affinity-mode", _one_of("balanced", "persistent"), "")
    found.has("session-cookie-change-on-failure")
    longest, expires = found.number("session-cookie-max-age"), found.number("session-cookie-expires")
    cookie = Cookie(
        name=found.read("session-cookie-name", _token, Cookie.name),
        max_age=longest or expires,
        path=found.read("session-cookie-path", _cookie_path, ""),
        same_site=found.read("session-cookie-samesite", _one_of("None", "Lax", "Strict"), ""),
        secure=found.flag("session-cookie-secure"),
    )
    return cookie if wanted else None


def _canary(found: Reader) -> Canary | None:
    wanted = found.flag("canary")
    canary = Canary(
        weight=found.number("canary-weight"),
        total=max(found.number("canary-weight-total", 100), 1),
        header=found.read("canary-by-header", _token, ""),
        value=found.read("canary-by-header-value", _operand, ""),
        pattern=found.read("canary-by-header-pattern", _expression, ""),
        cookie=found.read("canary-by-cookie", _token, ""),
    )
    return canary if wanted else None
