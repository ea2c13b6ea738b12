"""Label and field selectors: parsed once, matched often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minikctl.model import names, objects
from minikctl.model.kind import Kind
from minikctl.model.objects import Object


class SelectorError(ValueError):
    """A selector that cannot be read; the text is Kubernetes'."""


@dataclass(frozen=True)
class Requirement:
    """One condition on one label; ``operator`` is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels fulfil the condition."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
            case "Gt" | "Lt":
                return self._compares(labels.get(self.key, ""))
            case _:
                return False

    def _compares(self, label: str) -> bool:
        if not re.fullmatch(r"[+-]?\d+", label, re.ASCII):
            return False
        bound = int(self.values[0])
        return int(label) > bound if self.operator == "Gt" else int(label) < bound

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        match self.operator:
            case "In" | "NotIn" if len(self.values) == 1:
                return f"{self.key}{'=' if self.operator == 'In' else '!='}{values}"
            case "In" | "NotIn":
                return f"{self.key} {self.operator.lower()} ({values})"
            case "Exists" | "DoesNotExist":
                return self.key if self.operator == "Exists" else f"!{self.key}"
            case _:
                return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{values}"


@dataclass(frozen=True)
class Selector:
    """Conditions of which all must hold; none at all holds always."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    """True for the selector that matches no object: an absent LabelSelector."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil every condition."""
        if self.nothing:
            return False
        for each in self.requirements:  # noqa: SIM110 - half of what all() costs: thousands of pods are asked
            if not each.matches(labels):
                return False
        return True

    def __str__(self) -> str:
        return ",".join(str(each) for each in sorted(self.requirements, key=lambda each: each.key))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

# --- label selectors in text -----------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+|$)")
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}
_EXPECTED = "in, notin, =, ==, !=, gt, lt"


class _Reader:
    """Reads requirements off the tokens of a selector."""

    def __init__(self, text: str) -> None:
        # Blanks and the end are tokens of no length; "" marks the end.
        self.tokens = [token for token in _TOKEN.findall(text) if token]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirement(self) -> Requirement:
        negated = self.peek() == "!"
        if negated:
            self.take()
        key = self.take()
        if not _is_word(key):
            raise SelectorError(f"unable to parse requirement: found '{key}', expected: identifier")
        _check_key(key)
        if negated or self.peek() in ("", ","):
            return Requirement(key, "DoesNotExist" if negated else "Exists")
        sign = self.take()
        if sign not in _OPERATORS:
            raise SelectorError(f"unable to parse requirement: found '{sign}', expected: {_EXPECTED}")
        found = Requirement(key, _OPERATORS[sign], self.set() if sign in ("in", "notin") else (self.exact(),))
        _check_values(found)
        return found

    def exact(self) -> str:
        if self.peek() in ("", ","):
            return ""
        token = self.take()
        if not _is_word(token):
            raise SelectorError(f"unable to parse requirement: found '{token}', expected: identifier")
        return token

    def set(self) -> tuple[str, ...]:
        token = self.take()
        if token != "(":
            raise SelectorError(f"unable to parse requirement: found '{token}' expected: '('")
        values = [""]
        while (token := self.take()) != ")":
            if token == ",":
                values.append("")
            elif _is_word(token) and not values[-1]:
                values[-1] = token
            else:
                raise SelectorError(
                    f"unable to parse requirement: found '{token}', expected: ',', ')' or identifier"
                )
        return tuple(dict.fromkeys(values))


def _is_word(token: str) -> bool:
    return bool(token) and token not in ("=", "==", "!=", "!", ",", "(", ")", "<", ">")


def _check_key(key: str) -> None:
    for fault in names.qualified_name(key):
        raise SelectorError(f'unable to parse requirement: <nil>: Invalid value: "{key}": {fault}')


def _check_values(requirement: Requirement) -> None:
    for index, value in enumerate(requirement.values):
        where = f'values[{index}][{requirement.key}]: Invalid value: "{value}"'
        if requirement.operator in ("Gt", "Lt") and not re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            detail = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise SelectorError(f"unable to parse requirement: {where}: {detail}")
        for fault in names.label_value(value):
            raise SelectorError(f"unable to parse requirement: {where}: {fault}")


def parse(text: str) -> Selector:
    """Return the label selector that the text describes: ``app=web,tier in (a, b),!old``."""
    reader = _Reader(text)
    found = []
    while reader.peek():
        found.append(reader.requirement())
        separator = reader.take()
        if separator not in ("", ","):
            raise SelectorError(f"found '{separator}', expected: ',' or 'end of string'")
        if separator == "," and not reader.peek():
            raise SelectorError("found '', expected: identifier after ','")
    return Selector(tuple(found))


# --- label selectors in objects --------------------------------------------------------------------------


def of(selector: Mapping[str, Any] | None) -> Selector:
    """Return the selector that a metav1.LabelSelector describes: none matches nothing, an empty one all."""
    if selector is None:
        return NOTHING
    exact = [Requirement(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    sets = [
        Requirement(each.get("key", ""), each.get("operator", ""), tuple(each.get("values") or ()))
        for each in selector.get("matchExpressions") or ()
    ]
    return Selector((*exact, *sets))


def of_map(labels: Mapping[str, str] | None) -> Selector:
    """Return the selector that a plain label map describes, as Services have it: empty matches nothing."""
    return of({"matchLabels": labels}) if labels else NOTHING


# --- field selectors -------------------------------------------------------------------------------------

FIELDS: dict[str, Callable[[Object], str]] = {
    "metadata.name": objects.name,
    "metadata.namespace": objects.namespace,
}


@dataclass(frozen=True)
class FieldRequirement:
    """``field`` equals ``value``, or does not."""

    field: str
    value: str
    equal: bool
    read: Callable[[Object], str]


@dataclass(frozen=True)
class FieldSelector:
    """Conditions on fields of which all must hold."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, obj: Object) -> bool:
        """Tell whether the object fulfils every condition."""
        return all((each.read(obj) == each.value) == each.equal for each in self.requirements)

    def name(self) -> str:
        """Return the one name that metadata.name must equal, or ""."""
        for each in self.requirements:
            if each.field == "metadata.name" and each.equal:
                return each.value
        return ""


def parse_fields(kind: Kind, text: str) -> FieldSelector:
    """Return the field selector that the text describes for objects of that kind."""
    readers = {**FIELDS, **kind.selectable}
    terms = sorted(filter(None, re.findall(r"(?:\\.|[^,\\]|\\$)*", text, re.DOTALL)))
    found = [_field_term(term, text) for term in terms]
    for field, _, _ in found:
        if field not in readers:
            raise SelectorError(f"field label not supported: {field}")
    return FieldSelector(
        tuple(FieldRequirement(field, value, sign != "!=", readers[field]) for field, sign, value in found)
    )


def _field_term(term: str, text: str) -> tuple[str, str, str]:
    """Return field, operator and value; in a value a backslash stands before ``,``, ``=`` and itself."""
    match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
    if not match:
        raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
    field, sign, escaped = match.groups()
    value, parts = "", iter(escaped)
    for part in parts:
        if part == "=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(part)}")
        if part == "\\":
            part = next(parts, "")
            if part not in ("\\", ",", "="):
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{part}")
        value += part
    return field, sign, value
