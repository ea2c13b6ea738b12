"""Patterns of custom kinds: RE2, as in Kubernetes, whose time grows with the text and no faster.

Python's own engine may take for ever with a pattern like ``(a+)+$``.
"""

from __future__ import annotations

import json

from minikctl.model.cel import engine

_SELF: engine.Variables = (("self", "string"),)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a part of the text matches; a pattern that is none matches nothing."""
    try:
        return bool(_search(pattern, text))
    except engine.EvaluationError:
        return False


def fault(pattern: str) -> str:
    """Return what makes the pattern none, "" for a good one."""
    try:
        _search(pattern, "")
    except engine.EvaluationError as error:
        return str(error).removeprefix("invalid regular expression: ")
    return ""


def _search(pattern: str, text: str) -> object:
    program = engine.compile(f"self.matches({json.dumps(pattern, ensure_ascii=False)})", _SELF)
    return program.run(program.bind({"self": text}))
