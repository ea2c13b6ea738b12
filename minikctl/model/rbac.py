"""Rules of roles: what they allow, and whether some rules cover another.

By the semantics of Kubernetes' pkg/apis/rbac/v1/evaluation_helpers.go and its rule comparison.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]
ALL = "*"
FULL_AUTHORITY: tuple[Rule, ...] = (
    {"apiGroups": [ALL], "resources": [ALL], "verbs": [ALL]},
    {"nonResourceURLs": [ALL], "verbs": [ALL]},
)


def allows(rule: Rule, verb: str, group: str, resource: str, name: str = "") -> bool:
    """Tell whether the rule allows the verb on a resource; that of a part is ``pods/log``."""
    return (
        _has(rule.get("verbs"), verb)
        and _has(rule.get("apiGroups"), group)
        and _has_resource(rule.get("resources") or (), resource)
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
    )


def allows_path(rule: Rule, verb: str, path: str) -> bool:
    """Tell whether the rule allows the verb on a path that is no resource's."""
    return _has(rule.get("verbs"), verb) and any(
        _matches(each, path) for each in rule.get("nonResourceURLs") or ()
    )


def _has(listed: Sequence[str] | None, wanted: str) -> bool:
    return bool(listed) and (ALL in (listed or ()) or wanted in (listed or ()))


def _has_resource(listed: Sequence[str], wanted: str) -> bool:
    if ALL in listed or wanted in listed:
        return True
    _, slash, part = wanted.partition("/")
    return bool(slash) and f"*/{part}" in listed


def _matches(pattern: str, path: str) -> bool:
    if pattern in (ALL, path):
        return True
    return pattern.endswith(ALL) and path.startswith(pattern.removesuffix(ALL))


def missing(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return what of the wanted rules is not covered by those held: each with one verb on one thing."""
    parts = (part for rule in wanted for part in _parts(rule))
    return [part for part in parts if not any(_covers(rule, part) for rule in held)]


def _parts(rule: Rule) -> Iterator[Rule]:
    """Yield the rule as rules about one verb on one thing each."""
    verbs: Sequence[str] = rule.get("verbs") or ()
    names: Sequence[str] = rule.get("resourceNames") or ()
    things = itertools.product(rule.get("apiGroups") or (), rule.get("resources") or (), verbs)
    for group, resource, verb in things:
        part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        if names:
            yield from ({**part, "resourceNames": [name]} for name in names)
        else:
            yield part
    for path, verb in itertools.product(rule.get("nonResourceURLs") or (), verbs):
        yield {"nonResourceURLs": [path], "verbs": [verb]}


def _covers(rule: Rule, part: Rule) -> bool:
    if not _has(rule.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        return any(_matches(each, part["nonResourceURLs"][0]) for each in rule.get("nonResourceURLs") or ())
    names, wanted = rule.get("resourceNames"), part.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), part["apiGroups"][0])
        and _has_resource(rule.get("resources") or (), part["resources"][0])
        and (not names or (bool(wanted) and (wanted or [""])[0] in names))
    )


def compact(parts: Iterable[Rule]) -> list[Rule]:
    """Return rules about one thing each, with all their verbs together."""
    merged: dict[str, dict[str, Any]] = {}
    for part in parts:
        key = json.dumps({name: value for name, value in part.items() if name != "verbs"}, sort_keys=True)
        known = merged.setdefault(key, {**part, "verbs": []})
        known["verbs"] += [verb for verb in part["verbs"] if verb not in known["verbs"]]
    return list(merged.values())


_SHOWN = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def shown(rule: Rule) -> str:
    """Return the rule as Kubernetes' messages show it."""
    parts = [f"{word}:{quoted(rule[field])}" for word, field in _SHOWN if rule.get(field)]
    return "{" + ", ".join(parts) + "}"


def quoted(texts: Iterable[str]) -> str:
    """Return texts as Go's %q prints a list of them."""
    return "[" + " ".join(json.dumps(text, ensure_ascii=False) for text in texts) + "]"
