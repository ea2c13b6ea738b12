"""From words to a tree of what a template does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minikctl.cli.output.gotemplate import functions, lexer
from minikctl.cli.output.gotemplate.lexer import Action, BadTemplate, Token


@dataclass(frozen=True)
class Term:
    """One word of a command: ``kind`` is text, number, bool, nil, dot, variable, function or pipe (parentheses).

    ``fields`` are the ``.a.b`` that follow it; ``source`` is its text and ``at`` its place, for messages.
    """

    kind: str
    value: Any
    fields: tuple[str, ...]
    source: str
    at: int


@dataclass(frozen=True)
class Pipe:
    """Commands joined by ``|``, and the variables that get their value (``declares``: new ones)."""

    commands: tuple[tuple[Term, ...], ...]
    variables: tuple[str, ...]
    declares: bool


@dataclass(frozen=True)
class Print:
    """Write a value."""

    pipe: Pipe


@dataclass(frozen=True)
class Branch:
    """``if``, ``with`` or ``range``: what is done when there is something, and what otherwise."""

    word: str
    pipe: Pipe
    body: list[Any]
    otherwise: list[Any]


@dataclass(frozen=True)
class Call:
    """Carry out another template."""

    name: str
    pipe: Pipe | None
    source: str
    at: int


@dataclass(frozen=True)
class Leave:
    """``break`` or ``continue``."""

    word: str


@dataclass
class Tree:
    """A whole template: its own nodes, and those it defines by name."""

    source: str
    nodes: list[Any] = field(default_factory=list)
    named: dict[str, list[Any]] = field(default_factory=dict)


def parse(template: str) -> Tree:
    """Return the tree; ``BadTemplate`` in Go's words."""
    reader = _Reader(template)
    reader.tree.nodes = reader.block("")[0]
    return reader.tree


class _Reader:
    def __init__(self, template: str) -> None:
        self.tree = Tree(template)
        self._parts = iter(lexer.split(template))
        self._loops = 0
        self._line = 1

    def block(self, until: str) -> tuple[list[Any], Action | None]:
        """Return the nodes up to ``end`` or ``else``, and the action that ended them."""
        nodes: list[Any] = []
        for part in self._parts:
            if isinstance(part, str):
                nodes.append(part)
                continue
            self._line = part.line
            word = part.tokens[0].text if part.tokens and part.tokens[0].kind == "word" else ""
            if word in ("end", "else"):
                if not until:
                    raise BadTemplate(part.line, f"unexpected {{{{{word}}}}}")
                return nodes, part
            nodes += self._node(word, part)
        if until:
            raise BadTemplate(self._line, "unexpected EOF")
        return nodes, None

    def _node(self, word: str, action: Action) -> list[Any]:
        if not action.tokens:
            raise BadTemplate(action.line, "missing value for command")
        if word in ("if", "with", "range"):
            return [self._branch(word, action.tokens[1:])]
        if word in ("break", "continue"):
            if not self._loops:
                raise BadTemplate(action.line, f"{{{{{word}}}}} outside {{{{range}}}}")
            return [Leave(word)]
        if word in ("define", "block", "template"):
            return self._template(word, action)
        return [Print(self._pipe(action.tokens, "command"))]

    def _branch(self, word: str, tokens: list[Token]) -> Branch:
        pipe = self._pipe(tokens, word)
        self._loops += word == "range"
        body, last = self.block(word)
        self._loops -= word == "range"
        assert last is not None
        if last.tokens[0].text == "end":
            return Branch(word, pipe, body, [])
        following = last.tokens[1:]
        if following and following[0].text in ("if", "with"):
            return Branch(word, pipe, body, [self._branch(following[0].text, following[1:])])
        otherwise, last = self.block(word)
        if last is not None and last.tokens[0].text == "else":
            raise BadTemplate(last.line, "expected end; found {{else}}")
        return Branch(word, pipe, body, otherwise)

    def _template(self, word: str, action: Action) -> list[Any]:
        if len(action.tokens) < 2 or action.tokens[1].kind != "string":
            raise BadTemplate(action.line, f"unexpected end of {word} clause")
        name = lexer.unquoted(action.tokens[1].text)
        pipe = self._pipe(action.tokens[2:], word) if len(action.tokens) > 2 else None
        if word != "template":
            self.tree.named[name] = self.block(word)[0]
        return (
            []
            if word == "define"
            else [Call(name, pipe, f"{{{{{word} {action.tokens[1].text}}}}}", action.tokens[1].at)]
        )

    def _pipe(self, tokens: list[Token], context: str) -> Pipe:
        names: list[str] = []
        marks = [n for n, token in enumerate(tokens) if token.kind == "mark" and token.text in (":=", "=")]
        declares = False
        if marks and tokens[0].kind == "variable":
            names = [token.text for token in tokens[: marks[0]] if token.kind == "variable"]
            declares = tokens[marks[0]].text == ":="
            tokens = tokens[marks[0] + 1 :]
        commands: list[tuple[Term, ...]] = []
        rest = tokens
        while True:
            terms, rest = self._command(rest)
            if not terms:
                raise BadTemplate(self._line, f"missing value for {context}")
            commands.append(terms)
            if not rest:
                return Pipe(tuple(commands), tuple(names), declares)
            rest = rest[1:]

    def _command(self, tokens: list[Token]) -> tuple[tuple[Term, ...], list[Token]]:
        """Return the words up to the next ``|``, and what is left."""
        terms: list[Term] = []
        while tokens and tokens[0].text != "|":
            term, tokens = self._term(tokens)
            terms.append(term)
        return tuple(terms), tokens

    def _term(self, tokens: list[Token]) -> tuple[Term, list[Token]]:
        first, rest = tokens[0], tokens[1:]
        if first.text == "(" and first.kind == "mark":
            kind, value, rest = self._parenthesis(rest)
        else:
            kind, value = self._value(first)
        source, fields = first.text, [first.text[1:]] if first.kind == "field" else []
        chained = bool(rest) and rest[0].kind == "field" and not rest[0].spaced
        at = rest[0].at if chained else first.at
        while rest and rest[0].kind == "field" and not rest[0].spaced:
            source += rest[0].text
            fields.append(rest[0].text[1:])
            rest = rest[1:]
        return Term(kind, value, tuple(fields), source, at), rest

    def _parenthesis(self, tokens: list[Token]) -> tuple[str, Any, list[Token]]:
        depth = 1
        for number, token in enumerate(tokens):
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth == 0:
                return "pipe", self._pipe(tokens[:number], "parenthesized pipeline"), tokens[number + 1 :]
        raise BadTemplate(self._line, "unclosed left paren")

    def _value(self, token: Token) -> tuple[str, Any]:
        if token.kind in ("field", "dot"):
            return "dot", None
        if token.kind == "variable":
            return "variable", token.text
        if token.kind == "string":
            return "text", lexer.unquoted(token.text)
        if token.kind == "char":
            return "number", ord(lexer.unquoted(token.text))
        if token.kind == "number":
            return "number", lexer.number(token.text)
        if token.kind == "word":
            return self._word(token.text)
        raise BadTemplate(self._line, f"unexpected {token.text!r} in operand".replace("'", '"'))

    def _word(self, text: str) -> tuple[str, Any]:
        if text in ("true", "false"):
            return "bool", text == "true"
        if text == "nil":
            return "nil", None
        if text not in functions.TABLE and text not in ("and", "or"):
            raise BadTemplate(self._line, f'function "{text}" not defined')
        return "function", text
