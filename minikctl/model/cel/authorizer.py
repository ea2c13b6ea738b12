"""``authorizer``: what an expression may ask about what users may do.

Questions are built as maps, step by step; the last step asks whom ``answering`` has set for the evaluation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

TAG = "kubernetes.Authorizer"
_STEP, _DECISION = "kubernetes.Check", "kubernetes.Decision"
_OPAQUE = "map(string, dyn)"
Value = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """May somebody do this?  ``account`` is the ServiceAccount that is meant, "" whose request it is."""

    verb: str
    group: str = ""
    resource: str = ""
    part: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    account: str = ""


Answer = Callable[[Asked], tuple[bool, str]]
"""Returns whether it is allowed, and why."""

_answer: ContextVar[Answer] = ContextVar("answer")


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[None]:
    """Have questions answered so during the block."""
    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


def value(request: Value | None = None) -> Value:
    """Return what ``authorizer`` is; ``request`` is what ``authorizer.requestResource`` asks about."""
    return {TAG: "", "requestResource": {_STEP: "", **(request or {})}}


def _began(given: Value, **asked: str) -> Value:
    if TAG not in given:
        raise ValueError("no such overload")
    return {_STEP: "", "account": str(given.get("account") or ""), **asked}


def _account(given: Value, namespace: str, name: str) -> Value:
    if TAG not in given:
        raise ValueError("no such overload")
    return {TAG: "", "account": f"system:serviceaccount:{namespace}:{name}"}


def _stepped(field: str) -> Callable[[Value, str], Value]:
    def step(given: Value, text: str) -> Value:
        if _STEP not in given:
            raise ValueError("no such overload")
        return {**given, field: text}

    return step


def _check(given: Value, verb: str) -> Value:
    if _STEP not in given:
        raise ValueError("no such overload")
    asked = Asked(verb, **{name: str(text) for name, text in given.items() if name != _STEP})
    allowed, reason = _answer.get()(asked)
    return {_DECISION: reason, "allowed": allowed}


def _decided(given: Value) -> Value:
    if _DECISION not in given:
        raise ValueError("no such overload")
    return given


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    (".group", (_OPAQUE, "string"), _OPAQUE, lambda given, text: _began(given, group=text)),
    (".path", (_OPAQUE, "string"), _OPAQUE, lambda given, text: _began(given, path=text)),
    (".serviceAccount", (_OPAQUE, "string", "string"), _OPAQUE, _account),
    (".resource", (_OPAQUE, "string"), _OPAQUE, _stepped("resource")),
    (".subresource", (_OPAQUE, "string"), _OPAQUE, _stepped("part")),
    (".namespace", (_OPAQUE, "string"), _OPAQUE, _stepped("namespace")),
    (".name", (_OPAQUE, "string"), _OPAQUE, _stepped("name")),
    (".check", (_OPAQUE, "string"), _OPAQUE, _check),
    (".allowed", (_OPAQUE,), "bool", lambda given: bool(_decided(given)["allowed"])),
    (".reason", (_OPAQUE,), "string", lambda given: str(_decided(given)[_DECISION])),
    (".errored", (_OPAQUE,), "bool", lambda given: not _decided(given)),
    (".error", (_OPAQUE,), "string", lambda given: _decided(given) and ""),
]
