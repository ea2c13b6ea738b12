"""Names: Kubernetes' rules for them with their sentences, and the suffixes that make new ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Rule = Callable[[str], list[str]]
"""Returns what is wrong with a value, nothing if it is sound."""

SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""Letters that form no word and are not taken for one another."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

_ENDS = "must start and end with an alphanumeric character"
_QUALIFIED_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', and {_ENDS}"


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _rule(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def _check(value: str, limit: int, pattern: str, sentence: str) -> list[str]:
    faults = [_too_long(limit)] if len(value.encode()) > limit else []
    return faults if re.fullmatch(pattern, value, re.ASCII) else [*faults, sentence]


def dns_label(value: str) -> list[str]:
    """Return what makes the value no RFC 1123 label."""
    rule = (
        f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and {_ENDS}"
    )
    return _check(value, 63, _LABEL, _rule(rule, _LABEL, "my-name", "123-abc"))


def dns_subdomain(value: str) -> list[str]:
    """Return what makes the value no RFC 1123 subdomain."""
    subject = "a lowercase RFC 1123 subdomain"
    rule = f"{subject} must consist of lower case alphanumeric characters, '-' or '.', and {_ENDS}"
    return _check(value, 253, _SUBDOMAIN, _rule(rule, _SUBDOMAIN, "example.com"))


def dns_1035_label(value: str) -> list[str]:
    """Return what makes the value no RFC 1035 label."""
    rule = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character"
    )
    return _check(value, 63, _NAME_1035, _rule(rule, _NAME_1035, "my-name", "abc-123"))


def wildcard_subdomain(value: str) -> list[str]:
    """Return what makes the value no subdomain behind ``*.``."""
    rule = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
        "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    )
    pattern = rf"\*\.{_SUBDOMAIN}"
    return _check(value, 253, pattern, _rule(rule, pattern, "*.example.com"))


def qualified_name(value: str) -> list[str]:
    """Return what makes the value no label or annotation key: ``name`` or ``prefix/name``."""
    prefix, slash, name = value.rpartition("/")
    sentence = _rule(_QUALIFIED_RULE, _QUALIFIED, "MyName", "my.name", "123-abc")
    if "/" in prefix:
        prefixed = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {sentence} {prefixed}"]
    faults = []
    if slash and not prefix:
        faults.append("prefix part must be non-empty")
    elif slash:
        faults += [f"prefix part {fault}" for fault in dns_subdomain(prefix)]
    if not name:
        faults.append("name part must be non-empty")
    elif len(name) > 63:
        faults.append(f"name part {_too_long(63)}")
    return faults if re.fullmatch(_QUALIFIED, name, re.ASCII) else [*faults, f"name part {sentence}"]


def label_value(value: str) -> list[str]:
    """Return what makes the value no label value."""
    rule = f"a valid label must be an empty string or {_QUALIFIED_RULE.removeprefix('must ')}"
    pattern = f"({_QUALIFIED})?"
    return _check(value, 63, pattern, _rule(rule, pattern, "MyValue", "my_value", "12345"))


def path_segment(value: str) -> list[str]:
    """Return what makes the value no part of a URL's path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def config_key(value: str) -> list[str]:
    """Return what makes the value no key of a ConfigMap or Secret."""
    rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    pattern = "[-._a-zA-Z0-9]+"
    faults = _check(value, 253, pattern, _rule(rule, pattern, "key.name", "KEY_NAME", "key-name"))
    if value == ".":
        faults.append("must not be '.'")
    elif value.startswith(".."):
        faults.append("must not be '..'" if value == ".." else "must not start with '..'")
    return faults


def environment_name(value: str) -> list[str]:
    """Return what makes the value no name of an environment variable: printable ASCII without ``=``."""
    if value and all(" " <= char <= "~" and char != "=" for char in value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]


def port_name(value: str) -> list[str]:
    """Return what makes the value no IANA service name."""
    faults = []
    if len(value) > 15:
        faults.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", value, re.ASCII):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        faults.append("must contain at least one letter (a-z)")
    if "--" in value:
        faults.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        faults.append("must not begin or end with a hyphen")
    return faults


def generated(prefix: str, random: Sequence[int]) -> str:
    """Return generateName's outcome: the prefix, cut if need be, and a letter for each random number."""
    return prefix[: 63 - len(random)] + "".join(SAFE[number % len(SAFE)] for number in random)


def template_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """Return the pod-template-hash: 32-bit FNV-1a of the template's canonical JSON and the count."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    data = text.encode() + (b"" if collisions is None else collisions.to_bytes(8, "little"))
    return encoded(fnv1a(data))


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def encoded(number: int) -> str:
    """Return the number's decimal digits as letters that form no word."""
    return "".join(SAFE[ord(digit) % len(SAFE)] for digit in str(number))


_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY = {None: 0, "beta": 1, "alpha": 2}


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Return the sort key of an API version: v2, v1, v1beta1, v1alpha1, then other names as text."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    return (_STABILITY[found[2]], -int(found[1]), -int(found[3] or 0), "")
