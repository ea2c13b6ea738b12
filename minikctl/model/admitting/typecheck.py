"""What a policy's expressions get wrong about the kinds that its rules name.

Chains of fields that begin at ``object`` or ``oldObject`` are looked up in the kinds' schemas; what is
reached by other ways (variables of comprehensions, bindings) is not known before it is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import kinds, objects, schema
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.model.structure import Node

_LITERAL = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.S)
_CHAIN = re.compile(r"(?<![\w.])(?:object|oldObject)((?:\s*\.\??\w+(?!\w|\s*\()|\[[^\[\]]*\])+)")
_STEP = re.compile(r"\.\??(\w+)|\[[^\[\]]*\]")


def warnings(policy: Object) -> list[dict[str, str]]:
    """Return the policy's status.typeChecking.expressionWarnings."""
    meant = list(_meant(policy))
    found = []
    for where, source in _sources(objects.spec(policy)):
        said = [f"{_gvk(kind)}: {text}" for kind in meant if (text := _wrong(source, kind))]
        if said:
            found.append({"fieldRef": where, "warning": "\n".join(said)})
    return found


def _meant(policy: Object) -> Iterator[Kind]:
    """Yield the kinds that rules name one by one; "*" could be anything."""
    for rule in (objects.spec(policy).get("matchConstraints") or {}).get("resourceRules") or ():
        for group in rule.get("apiGroups") or ():
            for version in rule.get("apiVersions") or ():
                for plural in rule.get("resources") or ():
                    found = kinds.find(group, version, plural)
                    if found is not None:
                        yield found


def _sources(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    places = (
        ("variables", "expression"),
        ("validations", "expression"),
        ("validations", "messageExpression"),
        ("auditAnnotations", "valueExpression"),
    )
    for part, name in places:
        for index, each in enumerate(spec.get(part) or ()):
            if each.get(name):
                yield f"spec.{part}[{index}].{name}", str(each[name])


def _wrong(source: str, kind: Kind) -> str:
    """Return what is wrong first with an expression as the compiler would say it, "" if nothing is."""
    blank = _LITERAL.sub(lambda found: "'" + "_" * (len(found[0]) - 2) + "'", source)
    for chain in _CHAIN.finditer(blank):
        place: Node | None = schema.root(kind)
        for step in _STEP.finditer(blank, chain.start(1), chain.end(1)):
            name = step[1]
            if place is None or (name is not None and not place.properties):
                place = place.values if place is not None else None
            elif name is None:
                place = place.items or place.values
            elif name in place.properties:
                place = place.properties[name]
            else:
                return _complaint(source, step.start(), name)
    return ""


def _complaint(source: str, position: int, name: str) -> str:
    before = source[:position]
    line = before.count("\n")
    column = position - (before.rfind("\n") + 1)
    shown = source.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: undefined field '{name}'\n | {shown}\n | {'.' * column}^"


def _gvk(kind: Kind) -> str:
    return f"{kind.api_version}, Kind={kind.kind}"
