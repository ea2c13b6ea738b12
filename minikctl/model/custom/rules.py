"""CEL rules (``x-kubernetes-validations``): ``self`` is a value, ``oldSelf`` its former state."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from minikctl.model import causes, godurations, objects
from minikctl.model.cel import engine
from minikctl.model.custom.structural import Structural, correlated
from minikctl.model.kind import Cause

_BLOCKING = frozenset(
    {
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
        "FieldValueNotSupported",
    }
)
"""Causes of these reasons mean that rules could meet values that they are not made for."""

_SKIPPED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
_MESSAGE_BYTES = 5 * 1024
_CEL_TYPES = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}
_USES_OLD = re.compile(r"\boldSelf\b")
_LITERAL = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.S)


def cel_type(node: Structural) -> str:
    """Return the CEL type of a value at that place, as far as it is known before."""
    if node.type == "string":
        return {"date-time": "timestamp", "date": "timestamp", "duration": "duration"}.get(
            str(node.schema.get("format") or ""), "string"
        )
    return _CEL_TYPES.get(node.type, "dyn")


def variables(node: Structural) -> engine.Variables:
    """Return what a rule at that place may refer to."""
    kind = cel_type(node)
    return (("self", kind), ("oldSelf", kind), ("__hasOldSelf", "bool"))


def uses_old(source: str) -> bool:
    """Tell whether a rule looks at the former state."""
    return bool(_USES_OLD.search(_LITERAL.sub("", source)))


class Rule:
    """One rule at one place."""

    def __init__(self, given: Mapping[str, Any], node: Structural) -> None:
        self.given = given
        self.source = str(given.get("rule") or "").strip()
        self.is_transition = uses_old(self.source)
        self.is_optional_old = bool(given.get("optionalOldSelf"))
        self._variables = variables(node)

    @functools.cached_property
    def program(self) -> engine.Program:
        """The compiled rule; raises ``CompileError``."""
        return engine.compile(self._optional(self.source), self._variables)

    @functools.cached_property
    def message_program(self) -> engine.Program | None:
        """The compiled messageExpression; raises ``CompileError``."""
        source = str(self.given.get("messageExpression") or "").strip()
        return engine.compile(self._optional(source), self._variables) if source else None

    def _optional(self, source: str) -> str:
        if not self.is_optional_old:
            return source
        old = "__hasOldSelf ? optional.of(dyn(oldSelf)) : optional.none()"
        return f"cel.bind(oldSelf, {old}, ({source}))"

    @property
    def shown(self) -> str:
        """What messages call the rule."""
        return str(self.given.get("message") or "").strip() or self.source

    def message(self, activation: Any) -> str:
        """Return what to tell the user when the rule is broken."""
        try:
            program = self.message_program
            said = program.run(activation) if program is not None else None
        except (engine.CompileError, engine.EvaluationError):
            said = None
        if isinstance(said, str):
            text = said.strip()
            if text and "\n" not in text and len(text.encode()) <= _MESSAGE_BYTES:
                return text
        return str(self.given.get("message") or "").strip() or f"failed rule: {self.source}"


class Rules:
    """All rules of one schema, compiled when they are first needed."""

    def __init__(self, tree: Structural) -> None:
        self._tree = tree
        self._compiled: dict[Structural, list[Rule]] = {}

    def check(self, obj: Any, old: Any, found: list[Cause]) -> list[Cause]:
        """Return the rules that are broken; none is asked when ``found`` says that types do not fit."""
        if any(cause["reason"] in _BLOCKING for cause in found):
            return [causes.invalid("<nil>", "null", _SKIPPED)]
        return list(self._walk(self._tree, obj, old, "", False))

    def _of(self, node: Structural) -> list[Rule]:
        found = self._compiled.get(node)
        if found is None:
            given = node.schema.get("x-kubernetes-validations") or ()
            found = self._compiled[node] = [Rule(each, node) for each in given]
        return found

    def _walk(self, node: Structural, value: Any, old: Any, path: str, same: bool) -> Iterator[Cause]:
        if value is None or not node.has_rules:
            return
        same = same or (old is not None and value == old)
        yield from self._asked(node, value, old, path, same)
        if isinstance(value, dict):
            before = (
                old if isinstance(old, dict) and node.schema.get("x-kubernetes-map-type") != "atomic" else {}
            )
            for name, inner in value.items():
                below = node.child(name)
                if below is not None:
                    here = causes.child(path, name) if name in node.properties else f"{path}[{name}]"
                    yield from self._walk(below, inner, before.get(name), here, same)
        elif isinstance(value, list) and node.items is not None:
            for index, (item, was) in enumerate(zip(value, correlated(node, value, old), strict=True)):
                yield from self._walk(node.items, item, was, f"{path}[{index}]", same)

    def _asked(self, node: Structural, value: Any, old: Any, path: str, same: bool) -> Iterator[Cause]:
        rules = self._of(node)
        if not rules:
            return
        converted = to_cel(node, value, top=True)
        former = converted if old is None else to_cel(node, old, top=True)
        values = {"self": converted, "oldSelf": former, "__hasOldSelf": old is not None}
        activation = None
        for rule in rules:
            if rule.is_transition and old is None and not rule.is_optional_old:
                continue
            if same and not rule.is_transition:
                continue
            try:
                activation = activation or rule.program.bind(values)
                outcome = rule.program.run(activation)
            except engine.CompileError as error:
                yield causes.invalid(
                    path or "<nil>", node.type, f"rule compile error: compilation failed: {error}"
                )
            except engine.EvaluationError as error:
                yield _failure(rule, node, path, str(error))
            else:
                if outcome is not True:
                    yield _broken(rule, node, value, (path, rule.message(activation)))


def _failure(rule: Rule, node: Structural, path: str, text: str) -> Cause:
    where = path or "<nil>"
    if text.startswith("no such overload"):
        detail = (
            f"'{text}': call arguments did not match a supported operator, function or macro signature "
            f"for rule: {rule.shown}"
        )
    elif text.startswith("operation cancelled"):
        detail = (
            f"'{text}': no further validation rules will be run due to call cost exceeds limit "
            f"for rule: {rule.shown}"
        )
    else:
        detail = f"{text} evaluating rule: {rule.shown}"
    return causes.invalid(where, node.type, detail)


def _broken(rule: Rule, node: Structural, value: Any, told: tuple[str, str]) -> Cause:
    path, message = told
    field = str(rule.given.get("fieldPath") or "")
    if field:
        path = f"{path}{field}" if path else field.removeprefix(".")
    path = path or "<nil>"
    is_shown = node.type not in ("object", "array")
    match rule.given.get("reason"):
        case "FieldValueForbidden":
            return causes.forbidden(path, message)
        case "FieldValueRequired":
            return causes.required(path, message)
        case "FieldValueDuplicate":
            return causes.duplicate(path, value) if is_shown else causes.repeated(path)
        case _:
            return causes.invalid(path, value, message) if is_shown else causes.broken(path, message)


# --- values -----------------------------------------------------------------------------------------------


def to_cel(node: Structural, value: Any, *, top: bool = False) -> Any:
    """Return a value as rules see it: names escaped, numbers of the type that the schema says.

    Only ``top`` values are moments and durations of CEL's own: its runtime takes none inside of others.
    """
    if isinstance(value, dict):
        return _object(node, value) if node.values is None else _map(node.values, value)
    if isinstance(value, list):
        return [to_cel(node.items, each) if node.items else each for each in value]
    if node.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if node.type == "integer" and isinstance(value, float):
        return int(value)
    return _moment(cel_type(node), value) if top and isinstance(value, str) else value


def _map(node: Structural, value: dict[str, Any]) -> dict[str, Any]:
    return {key: to_cel(node, inner) for key, inner in value.items()}


def _object(node: Structural, value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if node.is_resource and name == "metadata":
            meta = inner if isinstance(inner, dict) else {}
            found[name] = {key: meta[key] for key in ("name", "generateName") if key in meta}
            continue
        below = node.properties.get(name)
        key = engine.escaped(name)
        if key is not None and below is not None:
            found[key] = to_cel(below, inner)
        elif key is not None and node.is_resource and name in ("apiVersion", "kind"):
            found[key] = inner
    return found


_DAYS = re.compile(r"(\d+) ?([dw])\w*", re.ASCII)


def _duration(text: str) -> timedelta:
    """Return the duration that a text of that format is: as Go writes it, or so many days or weeks."""
    days = _DAYS.fullmatch(text)
    if days is not None:
        return timedelta(days=int(days[1]) * (7 if days[2] == "w" else 1))
    return timedelta(seconds=godurations.seconds(text))


def _moment(kind: str, text: str) -> Any:
    convert: dict[str, Callable[[str], Any]] = {
        "timestamp": lambda said: objects.parse_time(said if "T" in said else f"{said}T00:00:00Z"),
        "duration": _duration,
    }
    return convert[kind](text) if kind in convert else text
