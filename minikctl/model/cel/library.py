"""The functions that Kubernetes adds to CEL: on lists, sets, texts, URLs, addresses, quantities, versions.

Values that CEL has no type for (a quantity, a URL …) are maps with one key that names the type; two of them
are equal when what they stand for is.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from minikctl.model.cel import addresses, authorizer, engine, patterns, quantities, urls, versions

if TYPE_CHECKING:
    from cel_expr_python import cel

Value = dict[str, Any]
OPAQUE = "map(string, dyn)"
ANY_LIST = "list(dyn)"

Overload = tuple[str, tuple[str, ...], str, Callable[..., Any]]
"""Name (with a dot before it: called on its first argument), arguments, outcome, what it does."""


def _sum(items: Sequence[Any]) -> Any:
    return sum(items[1:], items[0]) if items else 0


def _least(items: Sequence[Any]) -> Any:
    if not items:
        raise ValueError("min called on empty list")
    return min(items)


def _greatest(items: Sequence[Any]) -> Any:
    if not items:
        raise ValueError("max called on empty list")
    return max(items)


def _is_sorted(items: Sequence[Any]) -> bool:
    return all(one <= other for one, other in itertools.pairwise(items))


def _contains(items: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(each in items for each in wanted)


def _find(text: str, pattern: str) -> str:
    found = patterns.pattern(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [each[0] for each in patterns.pattern(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


_LISTS: list[Overload] = [
    (".sum", (ANY_LIST,), "dyn", _sum),
    (".min", (ANY_LIST,), "dyn", _least),
    (".max", (ANY_LIST,), "dyn", _greatest),
    (".isSorted", (ANY_LIST,), "bool", _is_sorted),
    ("sets.contains", (ANY_LIST, ANY_LIST), "bool", _contains),
    (
        "sets.equivalent",
        (ANY_LIST, ANY_LIST),
        "bool",
        lambda one, other: _contains(one, other) and _contains(other, one),
    ),
    ("sets.intersects", (ANY_LIST, ANY_LIST), "bool", lambda one, other: any(each in other for each in one)),
    ("jsonpatch.escapeKey", ("string",), "string", lambda text: text.replace("~", "~0").replace("/", "~1")),
    (".find", ("string", "string"), "string", _find),
    (".findAll", ("string", "string"), "list(string)", _find_all),
    (".findAll", ("string", "string", "int"), "list(string)", _find_all),
]


def _comparisons() -> list[Overload]:
    """Return what quantities and versions have in common."""

    def compared(one: Value, other: Value) -> int:
        module = quantities if quantities.TAG in one else versions
        return int(module.compare(one, other))

    pair = (OPAQUE, OPAQUE)
    return [
        (".isGreaterThan", pair, "bool", lambda one, other: compared(one, other) > 0),
        (".isLessThan", pair, "bool", lambda one, other: compared(one, other) < 0),
        (".compareTo", pair, "int", compared),
    ]


ALL: list[Overload] = [
    *_LISTS,
    *_comparisons(),
    *quantities.FUNCTIONS,
    *versions.FUNCTIONS,
    *urls.FUNCTIONS,
    *addresses.FUNCTIONS,
    *authorizer.FUNCTIONS,
]


@functools.cache
def declarations() -> tuple[cel.FunctionDecl, ...]:
    """Return the functions as the runtime takes them."""
    from cel_expr_python import cel

    named: dict[str, list[Any]] = {}
    for name, parameters, outcome, work in ALL:
        identity = re.sub(r"\W+", "_", f"k8s{name}_{'_'.join(parameters)}")
        types = [engine.type_of(each) for each in parameters]
        overload = cel.Overload(identity, engine.type_of(outcome), types, name.startswith("."), work)
        named.setdefault(name.removeprefix("."), []).append(overload)
    return tuple(cel.FunctionDecl(name, overloads) for name, overloads in named.items())
