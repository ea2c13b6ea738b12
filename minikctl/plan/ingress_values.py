"""How values of an Ingress' annotations are written: each reader returns what is meant, or raises ``Bad``.

Nothing that it returns can be taken for a word of its own by the proxy.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from minikctl.plan import ingress_variables
from minikctl.plan.ingress_options import Exchange

Value = TypeVar("Value")

PREFIX = "nginx.ingress.kubernetes.io/"
NOTHING: tuple[str, ...] = ()
MOST_HEAD_BYTES = 256 << 10
"""Each connection takes twice as much."""
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
"""What Go's strconv.ParseBool takes, as ingress-nginx does."""
_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_SECONDS = re.compile(r"(\d+)s?")
_MOST_SECONDS = (1 << 31) // 1000
"""HAProxy counts milliseconds in 31 bits."""
_MOST_BYTES = 1 << 62
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_WORD = re.compile(r"[A-Za-z0-9_.~!$&*+,;=:@%/?#\[\]^{}|<>()\\ -]*")
_BALANCE = {"round_robin": "roundrobin", "ewma": "leastconn", "least_conn": "leastconn"}
_RETRIES = {
    "error": "conn-failure empty-response",
    "timeout": "response-timeout",
    "invalid_header": "junk-response",
    **{f"http_{status}": str(status) for status in (403, 404, 500, 502, 503, 504)},
}


class Bad(ValueError):
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

    def given(self, name: str) -> str:
        """Return what is written, "" if nothing is; it counts as known then."""
        return self._given[name].strip() if self.has(name) else ""

    def read(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        """Return its value; an empty one counts as absent, as with ingress-nginx, a bad one also is told."""
        text = self.given(name)
        if not text:
            return default
        try:
            if not _WORD.fullmatch(text):
                raise Bad("a character in it cannot be passed to the proxy")
            return parse(text)
        except Bad as bad:
            self.wrong(name, f"{text!r}: {bad}; it is not done")
            return default

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        return self.read(name, str, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value."""
        return self.read(name, flag, default)

    def number(self, name: str, default: int = 0) -> int:
        """Return a count or seconds."""
        return self.read(name, seconds, default)

    def wrong(self, name: str, why: str) -> None:
        """Tell what is wrong with an annotation."""
        self.problems.append(("InvalidAnnotation", f"{PREFIX}{name}: {why}"))

    def unknown(self) -> list[str]:
        """Return the names that nobody asked for."""
        return sorted(set(self._given) - self._known)


def flag(text: str) -> bool:
    """Return a truth value."""
    if text not in _TRUE + _FALSE:
        raise Bad("it is true or false")
    return text in _TRUE


def seconds(text: str) -> int:
    """Return a count, or seconds."""
    found = _SECONDS.fullmatch(text)
    if not found:
        raise Bad("it is a number")
    return _bounded(int(found[1]), _MOST_SECONDS)


def size(text: str) -> int:
    """Return bytes."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise Bad("it is a size such as 8m")
    return _bounded(int(found[1]) * _UNITS[found[2].lower()], _MOST_BYTES)


def buffer(text: str) -> int:
    """Return the bytes of a buffer for heads."""
    return _bounded(size(text), MOST_HEAD_BYTES)


def _bounded(number: int, most: int) -> int:
    if number > most:
        raise Bad(f"it is at most {most}")
    return number


def ranges(text: str) -> tuple[str, ...]:
    """Return ranges of addresses, of which a single one is one."""
    try:
        return tuple(str(ipaddress.ip_network(one.strip(), strict=False)) for one in text.split(","))
    except ValueError as error:
        raise Bad(str(error)) from error


def path(text: str) -> str:
    """Return a path."""
    if not text.startswith("/") or " " in text:
        raise Bad("it is a path that begins with /")
    return text


def cookie_path(text: str) -> str:
    """Return a path that a cookie may have."""
    if ";" in text:
        raise Bad("a cookie's path has no semicolon in it")
    return path(text)


def location(text: str) -> str:
    """Return a URL with variables of requests."""
    if " " in text:
        raise Bad("it is a URL")
    return template(text)


def web_page(text: str) -> str:
    """Return the URL of a page, with variables of requests."""
    if not re.match("https?://", text):
        raise Bad("it is a URL that begins with https:// or http://")
    return location(text)


def common_name(text: str) -> str:
    """Return a regular expression for the subject of a certificate."""
    if "CN=" not in text:
        raise Bad("it is a regular expression that has CN= in it")
    return expression(text)


def reference(text: str) -> tuple[str, str]:
    """Return the namespace, "" if none is named, and the name of an object."""
    space, _, name = text.rpartition("/")
    if not re.fullmatch(r"[a-z0-9.-]+", name) or not re.fullmatch(r"[a-z0-9-]*", space):
        raise Bad("it is a name, or namespace/name")
    return space, name


def template(text: str) -> str:
    """Return a text with variables of requests."""
    return _known(text, ingress_variables.foreign(text))


def backend_template(text: str) -> str:
    """Return a text with variables of requests and of the path's backend."""
    return _known(text, ingress_variables.foreign(text, *ingress_variables.OF_BACKENDS))


def _known(text: str, foreign: list[str]) -> str:
    if foreign:
        raise Bad(f"{', '.join(foreign)} means nothing here")
    return text


def operand(text: str) -> str:
    """Return what something is compared with."""
    if text == "}":
        raise Bad("it cannot be passed to the proxy")
    return text


def expression(text: str) -> str:
    """Return a regular expression."""
    operand(text)
    try:
        re.compile(text)
    except re.error as error:
        raise Bad(f"it is no regular expression: {error}") from error
    return text


def token(text: str) -> str:
    """Return one word."""
    if not re.fullmatch(r"[\w-]+", text):
        raise Bad("it is one word of letters, digits, - and _")
    return text


def one_of(*known: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""

    def parse(text: str) -> str:
        if text not in known:
            raise Bad(f"it is one of {', '.join(known)}")
        return text

    return parse


def only(word: str) -> Callable[[str], str]:
    """Return a reader of the one value that there is here."""

    def parse(text: str) -> str:
        if text != word:
            raise Bad(f"it is {word} here")
        return text

    return parse


def upper(*known: str) -> Callable[[str], str]:
    """Return a reader of one of these words, which may be written in small letters."""
    parse = one_of(*known)
    return lambda text: parse(text.upper())


def code(text: str) -> int:
    """Return the status of a redirect."""
    if text not in ("301", "302", "303", "307", "308"):
        raise Bad("it is 301, 302, 303, 307 or 308")
    return int(text)


def words(text: str) -> tuple[str, ...]:
    """Return what commas separate."""
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def hosts(text: str) -> tuple[str, ...]:
    """Return names of hosts."""
    for name in words(text):
        if not _HOST.fullmatch(name):
            raise Bad(f"{name} is not the name of a host")
    return words(text)


def domain(text: str) -> str:
    """Return a domain, without the dot before it, which means nothing."""
    found = hosts(text.removeprefix("."))
    if len(found) != 1:
        raise Bad("it is one domain")
    return found[0]


def tokens(text: str) -> tuple[str, ...]:
    """Return words."""
    return tuple(token(one) for one in words(text))


def balance(text: str) -> str:
    """Return how an endpoint is chosen."""
    if text not in _BALANCE:
        raise Bad(f"it is one of {', '.join(_BALANCE)}")
    return _BALANCE[text]


def retries(text: str) -> tuple[str, ...]:
    """Return the failures that another endpoint is tried after, as words of the proxy; "none" for ``off``."""
    named = text.replace(",", " ").split()
    if named == ["off"]:
        return ("none",)
    if "non_idempotent" in named:
        raise Bad("only GET and HEAD are tried elsewhere once an endpoint has got them")
    foreign = sorted(set(named) - set(_RETRIES))
    if foreign:
        raise Bad(f"{', '.join(foreign)} is not known; it is some of {', '.join(_RETRIES)}, or off")
    return tuple(dict.fromkeys(_RETRIES[one] for one in named))


def exchange(text: str) -> Exchange | None:
    """Return what is to be exchanged for what in cookies, None for ``off``."""
    named = text.rstrip("; ").split()
    if named == ["off"]:
        return None
    if len(named) != 2 or named[0].startswith("~"):
        raise Bad("it is two words, of which the first is no expression")
    if any(sign in one for one in named for sign in "$;\\"):
        raise Bad("neither variables nor further attributes can be in it")
    return Exchange(*named)


def domains(text: str) -> Exchange | None:
    """Return the domain that is to be exchanged for another, None for ``off``; a dot before means nothing."""
    found = exchange(text)
    return found and Exchange(domain(found.old), domain(found.new))


def place(text: str) -> str:
    """Return where redirects lead: with variables that are still known when they are passed on."""
    if " " in text or "\\" in text or text.startswith("~"):
        raise Bad("it is one word, and no expression")
    names = ingress_variables.names(text)
    return _known(text, [f"${one}" for one in names if one not in ingress_variables.OF_ANSWERS])
