"""Compiling and running CEL expressions; what goes wrong is said in the words of Kubernetes' own runtime."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cel_expr_python import cel

Variables = tuple[tuple[str, str], ...]
"""Names and types of what an expression may refer to: ``dyn``, ``bool``, ``int``, ``double``, ``string`` …"""

_CODE = re.compile(r"^[A-Z_]+: ")
_COMPLAINT = re.compile(r"^INVALID_ARGUMENT: (.*?)\s*(\[INVALID_ARGUMENT\])?$", re.S)
_NO_KEY = re.compile(r'^Key not found in map : "?(.*?)"?$')
_NO_INDEX = re.compile(r"^Index error: index=(-?\d+) ")


class CompileError(Exception):
    """The expression is no CEL, or its types do not fit; the text says where."""


class EvaluationError(Exception):
    """The expression has no value for this input: ``no such key: x``, ``division by zero`` …"""


class Program:
    """One compiled expression."""

    def __init__(self, expression: cel.Expression, environment: cel.Env) -> None:
        self._expression = expression
        self._environment = environment

    @property
    def type(self) -> str:
        """The type of the outcome, ``dyn`` if it is not known before."""
        return str(self._expression.return_type().name()).lower()

    def bind(self, values: Mapping[str, Any]) -> cel.Activation:
        """Return the variables' values, converted once for several programs of the same variables."""
        return self._environment.Activation(values)

    def run(self, activation: cel.Activation) -> Any:
        """Return the outcome as Python has it; raises ``EvaluationError``."""
        try:
            found = self._expression.eval(activation)
            if found.type().name() == "ERROR":
                raise EvaluationError(_reason(str(found.value())))
            return found.plain_value()
        except (RuntimeError, TypeError) as error:
            raise EvaluationError(_reason(str(error))) from None


@functools.cache
def type_of(name: str) -> cel.Type:
    """Return the runtime's type of that name."""
    from cel_expr_python import cel

    match name:
        case "map(string, dyn)":
            return cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
        case "list(dyn)":
            return cel.Type.List(cel.Type.DYN)
        case "list(string)":
            return cel.Type.List(cel.Type.STRING)
        case _:
            found: cel.Type = getattr(cel.Type, name.upper())
            return found


@functools.cache
def _environment(variables: Variables) -> cel.Env:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings

    from minikctl.model.cel import library

    return cel.NewEnv(
        variables={name: type_of(type) for name, type in variables},
        extensions=[
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_bindings.ExtBindings(),
        ],
        functions=library.declarations(),
    )


@functools.lru_cache(maxsize=4096)
def compile(source: str, variables: Variables) -> Program:
    """Return the program for a source; raises ``CompileError``."""
    environment = _environment(variables)
    try:
        return Program(environment.compile(source), environment)
    except RuntimeError as error:
        found = _COMPLAINT.match(str(error))
        raise CompileError(found[1] if found else str(error)) from None


def _reason(text: str) -> str:
    """Return an evaluation's failure as Kubernetes words it."""
    text = _CODE.sub("", re.sub(r"\s*\[[A-Z_]+\]$", "", text))
    if key := _NO_KEY.match(text):
        return f"no such key: {key[1]}"
    if index := _NO_INDEX.match(text):
        return f"index out of bounds: {index[1]}"
    if text.startswith("No matching overloads found"):
        return "no such overload"
    return {
        "divide by zero": "division by zero",
        "modulus by zero": "modulus by zero",
        "Iteration budget exceeded": "operation cancelled: actual cost limit exceeded",
    }.get(text, text)


_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_FORBIDDEN = re.compile(r"^[0-9]|[^\w./-]", re.ASCII)


def escaped(name: str) -> str | None:
    """Return how a rule writes a field's name (``__dash__`` for -), None if it cannot be written."""
    if name in _RESERVED:
        return f"__{name}__"
    if not name or _FORBIDDEN.search(name):
        return None
    found = name.replace("__", "__underscores__").replace(".", "__dot__")
    return found.replace("-", "__dash__").replace("/", "__slash__")
