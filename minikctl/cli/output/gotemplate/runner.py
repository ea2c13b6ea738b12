"""Carrying a template out over data."""

from __future__ import annotations

import inspect
from typing import Any

from minikctl.cli.output.gotemplate import functions
from minikctl.cli.output.gotemplate.functions import MISSING
from minikctl.cli.output.gotemplate.parser import Branch, Call, Leave, Pipe, Print, Term, Tree
from minikctl.model import govalues

DEPTH = 200


class Failed(Exception):
    """The template cannot be carried out; the message is Go's."""


class _Left(Exception):
    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class _Variables:
    """The variables of a block and of those around it."""

    def __init__(self, around: _Variables | None = None) -> None:
        self._own: dict[str, Any] = {}
        self._around = around

    def get(self, name: str) -> Any:
        """Return a variable's value."""
        scope: _Variables | None = self
        while scope is not None:
            if name in scope._own:
                return scope._own[name]
            scope = scope._around
        raise KeyError(name)

    def declare(self, name: str, value: Any) -> None:
        """Make a variable of this block."""
        self._own[name] = value

    def assign(self, name: str, value: Any) -> None:
        """Change a variable where it was made."""
        scope: _Variables | None = self
        while scope is not None and name not in scope._own:
            scope = scope._around
        (scope or self)._own[name] = value


class Run:
    """One carrying out of a template."""

    def __init__(self, tree: Tree, *, strict: bool = False) -> None:
        self._tree = tree
        self._strict = strict
        self._written: list[str] = []
        self._depth = 0

    def text(self, data: Any) -> str:
        """Return the whole text."""
        variables = _Variables()
        variables.declare("$", data)
        self._nodes(self._tree.nodes, data, variables)
        return "".join(self._written)

    def _nodes(self, nodes: list[Any], dot: Any, variables: _Variables) -> None:
        for node in nodes:
            if isinstance(node, str):
                self._written.append(node)
            elif isinstance(node, Print):
                value = self._pipe(node.pipe, dot, variables)
                if not node.pipe.variables:
                    self._written.append("<no value>" if value in (None, MISSING) else govalues.shown(value))
            elif isinstance(node, Branch):
                self._branch(node, dot, variables)
            elif isinstance(node, Call):
                self._call(node, dot, variables)
            elif isinstance(node, Leave):
                raise _Left(node.word)

    def _branch(self, node: Branch, dot: Any, around: _Variables) -> None:
        variables = _Variables(around)
        if node.word == "range":
            self._range(node, dot, variables)
            return
        value = self._pipe(node.pipe, dot, variables)
        if functions.is_true(value):
            self._nodes(node.body, value if node.word == "with" else dot, variables)
        else:
            self._nodes(node.otherwise, dot, variables)

    def _range(self, node: Branch, dot: Any, variables: _Variables) -> None:
        names, pipe = node.pipe.variables, Pipe(node.pipe.commands, (), declares=False)
        value = self._pipe(pipe, dot, variables)
        pairs: list[tuple[Any, Any]]
        if isinstance(value, dict):
            pairs = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            pairs = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs = [(number, number) for number in range(value)]
        elif value is None or value is MISSING:
            pairs = []
        else:
            raise self._failed(pipe.commands[-1][0], f"range can't iterate over {govalues.shown(value)}")
        for key, item in pairs:
            inner = _Variables(variables)
            for name, given in zip(names, (key, item) if len(names) > 1 else (item,), strict=False):
                inner.declare(name, given)
            try:
                self._nodes(node.body, item, inner)
            except _Left as left:
                if left.word == "break":
                    break
        if not pairs:
            self._nodes(node.otherwise, dot, variables)

    def _call(self, node: Call, dot: Any, variables: _Variables) -> None:
        if node.name not in self._tree.named:
            raise self._failed(node, f'template "{node.name}" not defined')
        self._depth += 1
        if self._depth > DEPTH:
            raise Failed(f"template: output: exceeded maximum template depth ({DEPTH})")
        value = self._pipe(node.pipe, dot, variables) if node.pipe else None
        inner = _Variables()
        inner.declare("$", value)
        self._nodes(self._tree.named[node.name], value, inner)
        self._depth -= 1

    def _pipe(self, pipe: Pipe, dot: Any, variables: _Variables) -> Any:
        final: tuple[Any, ...] = ()
        for command in pipe.commands:
            final = (self._command(command, dot, variables, final),)
        for name in pipe.variables:
            (variables.declare if pipe.declares else variables.assign)(name, final[0])
        return final[0]

    def _command(
        self, terms: tuple[Term, ...], dot: Any, variables: _Variables, final: tuple[Any, ...]
    ) -> Any:
        first = terms[0]
        if first.kind == "function":
            return self._function(first, terms, dot, variables, final)
        if first.kind == "nil":
            raise self._failed(first, "nil is not a command")
        if len(terms) > 1 or final:
            if first.fields:
                raise self._failed(first, f"{first.fields[-1]} is not a method but has arguments")
            raise self._failed(first, f"can't give argument to non-function {first.source}")
        return self._value(first, dot, variables)

    def _function(
        self, first: Term, terms: tuple[Term, ...], dot: Any, variables: _Variables, final: tuple[Any, ...]
    ) -> Any:
        if first.value in ("and", "or"):
            value: Any = None
            for term in terms[1:]:
                value = self._value(term, dot, variables)
                if functions.is_true(value) == (first.value == "or"):
                    return value
            return final[0] if final else value
        given = [*(self._value(term, dot, variables) for term in terms[1:]), *final]
        function = functions.TABLE[first.value]
        try:
            inspect.signature(function).bind(*given)
        except TypeError:
            wanted = len(
                [p for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_POSITIONAL]
            )
            raise self._failed(
                first, f"wrong number of args for {first.value}: want {wanted} got {len(given)}"
            ) from None
        try:
            value = function(*given)
        except functions.Refused as error:
            source = " ".join(term.source for term in terms)
            raise self._failed(
                first, f"error calling {first.value}: {error}", source=source, at=first.at
            ) from None
        return self._fields(value, first)

    def _value(self, term: Term, dot: Any, variables: _Variables) -> Any:
        if term.kind == "dot":
            return self._fields(dot, term)
        if term.kind == "variable":
            return self._fields(variables.get(term.value), term)
        if term.kind == "pipe":
            return self._fields(self._pipe(term.value, dot, variables), term)
        if term.kind == "function":
            return self._function(term, (term,), dot, variables, ())
        return term.value

    def _fields(self, value: Any, term: Term) -> Any:
        for name in term.fields:
            if value is None or value is MISSING:
                if self._strict:
                    raise self._failed(term, f'nil data; no entry for key "{name}"')
                return MISSING
            if not isinstance(value, dict):
                raise self._failed(term, f"can't evaluate field {name} in type interface {{}}")
            if name not in value and self._strict:
                raise self._failed(term, f'map has no entry for key "{name}"')
            value = value.get(name, MISSING)
        return value

    def _failed(self, term: Term | Call, message: str, *, source: str = "", at: int | None = None) -> Failed:
        place = term.at if at is None else at
        before = self._tree.source[:place]
        line, column = before.count("\n") + 1, place - (before.rfind("\n") + 1)
        return Failed(
            f'template: output:{line}:{column}: executing "output" at <{source or term.source}>: {message}'
        )
