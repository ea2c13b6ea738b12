"""Objects as expressions of MutatingAdmissionPolicies write them: ``Object{spec: Object.spec{replicas: 1}}``.

The runtime has no types of Kubernetes' kinds, so such literals are rewritten as maps before they are
compiled: ``{"spec": {"replicas": 1}}``.  That an inner literal's type is that of its place is checked
meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from minikctl.model.cel.engine import CompileError

OBJECT, PATCH = "Object", "JSONPatch"
_TOKEN = re.compile(
    r"(?P<text>[rRbB]*(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"))"
    r"|(?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)"
    r"|(?P<sign>[{}\[\](),])"
    r"|(?P<rest>//[^\n]*|.)",
    re.S,
)
_OPENS = re.compile(r"\s*\{")
_ESCAPES = (("__dash__", "-"), ("__dot__", "."), ("__slash__", "/"), ("__underscores__", "__"))


@dataclass
class _Open:
    """A bracket that is not closed yet; ``type`` is that of an object's literal, "" for anything else."""

    sign: str
    type: str = ""
    awaits_name: bool = False
    field: str = ""


def as_maps(source: str) -> str:
    """Return the expression with literals of objects as maps; raises ``CompileError``."""
    return "".join(_rewritten(source))


def _rewritten(source: str) -> Iterator[str]:
    stack: list[_Open] = []
    coming = ""
    for token in _TOKEN.finditer(source):
        name, sign = token["name"], token["sign"]
        if name is not None:
            plain = re.sub(r"\s", "", name)
            if _is_type(plain) and _OPENS.match(source, token.end()):
                coming = plain
            elif stack and stack[-1].awaits_name:
                stack[-1].awaits_name, stack[-1].field = False, _unescaped(plain)
                yield json.dumps(stack[-1].field)
            else:
                yield token[0]
            continue
        if sign == "{" and coming:
            _check(stack, coming)
            stack.append(_Open(sign, coming, awaits_name=True))
            coming = ""
        elif sign is not None and sign in "{[(":
            stack.append(_Open(sign))
        elif sign is not None and sign in "}])":
            if stack:
                stack.pop()
        elif sign == "," and stack and stack[-1].type:
            stack[-1].awaits_name = True
        yield token[0]


def _is_type(name: str) -> bool:
    return name in (OBJECT, PATCH) or name.startswith(f"{OBJECT}.")


def _unescaped(name: str) -> str:
    if name.startswith("__") and name.endswith("__") and name[2:-2].isalpha():
        return name[2:-2]
    for written, meant in _ESCAPES:
        name = name.replace(written, meant)
    return name


def _check(stack: list[_Open], found: str) -> None:
    """Refuse a literal whose type is not that of the field, or of the list's items, in which it stands."""
    above = list(stack)
    while above and above[-1].sign == "[":
        above.pop()
    if not above or not above[-1].type or above[-1].type == PATCH or found == PATCH:
        return
    wanted = f"{above[-1].type}.{above[-1].field}"
    if found != wanted:
        raise CompileError(f"type mismatch: unexpected type name {found!r}, expected {wanted!r}")
