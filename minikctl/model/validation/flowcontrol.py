"""FlowSchema and PriorityLevelConfiguration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from minikctl.model import causes, flowcontrol, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

HIGHEST_PRECEDENCE = 10000
MOST_QUEUES = 10_000_000
HASH_BITS = 60
"""How many bits of a flow's hash there are to deal a hand of queues with."""
VERBS = ("get", "list", "create", "update", "delete", "deletecollection", "patch", "watch", "proxy")
_KINDS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_NAMESPACES = "each member of this list must be '*' or a DNS-1123 label; "
_METHODS = ("ByNamespace", "ByUser")


def default_level(obj: Object) -> None:
    """Complete a PriorityLevelConfiguration: an exempt one has no shares of its own."""
    spec = objects.spec(obj)
    if spec.get("type") == "Exempt":
        exempt = spec.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)


def schema(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a FlowSchema."""
    spec, name = objects.spec(obj), objects.name(obj)
    found = list(_precedence(spec, name))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        found.append(causes.unsupported("spec.distinguisherMethod.type", method.get("type") or "", _METHODS))
    found += _level_name((spec.get("priorityLevelConfiguration") or {}).get("name") or "")
    for index, rule in enumerate(spec.get("rules") or ()):
        found += _rule(rule, f"spec.rules[{index}]")
    if name in flowcontrol.MANDATORY and spec != flowcontrol.SCHEMAS[name]["spec"]:
        found.append(causes.invalid("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return found


def _precedence(spec: dict[str, Any], name: str) -> Iterator[Cause]:
    value, path = spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence"
    if value <= 0:
        yield causes.invalid(path, value, "must be a positive value")
    if value > HIGHEST_PRECEDENCE:
        yield causes.invalid(path, value, f"must not be greater than {HIGHEST_PRECEDENCE}")
    if value == 1 and name != flowcontrol.EXEMPT:
        yield causes.invalid(path, value, "only the schema named 'exempt' may have matchingPrecedence 1")


def _level_name(name: str) -> Iterator[Cause]:
    path = "spec.priorityLevelConfiguration.name"
    if not name:
        yield causes.required(path, "must reference a priority level")
        return
    for fault in names.dns_subdomain(name):
        yield causes.invalid(path, name, fault)


def _rule(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    if not rule.get("subjects"):
        yield causes.required(f"{path}.subjects", "subjects must contain at least one value")
    for index, subject in enumerate(rule.get("subjects") or ()):
        yield from _subject(subject, f"{path}.subjects[{index}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        yield causes.required(path, detail)
    for index, each in enumerate(rule.get("resourceRules") or ()):
        yield from _resources(each, f"{path}.resourceRules[{index}]")
    for index, each in enumerate(rule.get("nonResourceRules") or ()):
        yield from _paths(each, f"{path}.nonResourceRules[{index}]")


def _subject(subject: dict[str, Any], path: str) -> Iterator[Cause]:
    kind = subject.get("kind") or ""
    if kind not in _KINDS:
        yield causes.unsupported(f"{path}.kind", kind, _KINDS)
        return
    own = _KINDS[kind]
    where, named = f"{path}.{own}", subject.get(own)
    if named is None:
        yield causes.required(where, f"{own} is required when subject kind is '{kind}'")
    else:
        yield from _account(named, where) if own == "serviceAccount" else _name(named, where)
    for other, field in _KINDS.items():
        if field != own and subject.get(field) is not None:
            yield causes.forbidden(
                f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'"
            )


def _name(named: dict[str, Any], path: str) -> Iterator[Cause]:
    if not named.get("name"):
        yield causes.required(f"{path}.name")


def _account(named: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from _name(named, path)
    name, namespace = named.get("name") or "*", named.get("namespace") or ""
    for fault in names.dns_subdomain(name) if name != "*" else ():
        yield causes.invalid(f"{path}.name", name, fault)
    if not namespace:
        yield causes.required(f"{path}.namespace", "must specify namespace for service account")
        return
    for fault in names.dns_label(namespace):
        yield causes.invalid(f"{path}.namespace", namespace, fault)


def _verbs(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    verbs = rule.get("verbs") or []
    if not verbs:
        yield causes.required(f"{path}.verbs", "verbs must contain at least one value")
    elif "*" not in verbs:
        if not set(verbs) <= set(VERBS):
            yield causes.unsupported(f"{path}.verbs", verbs, VERBS)
    elif len(verbs) > 1:
        yield causes.invalid(f"{path}.verbs", verbs, "if '*' is present, must not specify other verbs")


def _resources(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from _verbs(rule, path)
    for field, one, all in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        listed = rule.get(field) or []
        if not listed:
            yield causes.required(f"{path}.{field}", f"resource rules must supply at least one {one}")
        elif len(listed) > 1 and "*" in listed:
            detail = f"if '*' is present, must not specify other {all}"
            yield causes.invalid(f"{path}.{field}", listed, detail)
    spaces, path = rule.get("namespaces") or [], f"{path}.namespaces"
    if not spaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        yield causes.required(path, detail)
    elif "*" in spaces:
        if len(spaces) > 1:
            yield causes.invalid(path, spaces, "if '*' is present, must not specify other namespaces")
    else:
        for index, name in enumerate(spaces):
            for fault in names.dns_label(name):
                yield causes.invalid(f"{path}[{index}]", name, _NAMESPACES + fault)


def _paths(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from _verbs(rule, path)
    urls, path = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    if not urls:
        yield causes.required(path, "nonResourceURLs must contain at least one value")
    elif "*" not in urls:
        for index, url in enumerate(urls):
            fault = next((text for broken, text in _PATH_RULES if broken(url)), "") if url != "/" else ""
            if fault:
                yield causes.invalid(f"{path}[{index}]", url, fault)
    elif len(urls) > 1:
        yield causes.invalid(path, urls, "if '*' is present, must not specify other non-resource URLs")


_PATH_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda url: not url, "must not be empty"),
    (lambda url: not url.startswith("/"), "must start with slash"),
    (lambda url: " " in url, "must not contain white-space"),
    (lambda url: "//" in url, "must not contain double slash"),
    (lambda url: "*" in url.removesuffix("/*"), "wildcard can only do suffix matching"),
)


def level(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a PriorityLevelConfiguration."""
    spec, name = objects.spec(obj), objects.name(obj)
    found = list(_level(spec, name))
    if name in flowcontrol.MANDATORY and spec != flowcontrol.fixed(flowcontrol.LEVELS[name], spec):
        but = " except the 'spec.exempt' field" if name == flowcontrol.EXEMPT else ""
        found.append(causes.invalid("spec", spec, f"spec of '{name}'{but} must equal the fixed value"))
    return found


def _level(spec: dict[str, Any], name: str) -> Iterator[Cause]:
    kind = spec.get("type") or ""
    if (name == flowcontrol.EXEMPT) != (kind == "Exempt"):
        yield causes.invalid("spec.type", kind, "type must be 'Exempt' if and only if name is 'exempt'")
    if kind == "Exempt":
        if spec.get("limited") is not None:
            yield causes.forbidden("spec.limited", "must be nil if the type is not Limited")
        exempt = spec.get("exempt") or {}
        yield from _shares(exempt, "spec.exempt")
        yield from _lendable(exempt, "spec.exempt")
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            yield causes.forbidden("spec.exempt", "must be nil if the type is Limited")
        if spec.get("limited") is None:
            yield causes.required("spec.limited", "must not be empty when type is Limited")
        else:
            yield from _limited(spec["limited"])
    else:
        yield causes.unsupported("spec.type", kind, ["Exempt", "Limited"])


def _shares(holder: dict[str, Any], path: str) -> Iterator[Cause]:
    shares = holder.get("nominalConcurrencyShares") or 0
    if shares < 0:
        yield causes.invalid(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")


def _lendable(holder: dict[str, Any], path: str) -> Iterator[Cause]:
    lendable = holder.get("lendablePercent") or 0
    if not 0 <= lendable <= 100:
        yield causes.invalid(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive")


def _limited(limited: dict[str, Any]) -> Iterator[Cause]:
    path = "spec.limited"
    yield from _shares(limited, path)
    yield from _lendable(limited, path)
    borrowing = limited.get("borrowingLimitPercent") or 0
    if borrowing < 0:
        detail = "if specified, must be a non-negative integer"
        yield causes.invalid(f"{path}.borrowingLimitPercent", borrowing, detail)
    response, path = limited.get("limitResponse") or {}, f"{path}.limitResponse"
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            yield causes.forbidden(f"{path}.queuing", detail)
    elif kind == "Queue":
        if queuing is None:
            detail = "must not be empty if limited.limitResponse.type is Limited"
            yield causes.required(f"{path}.queuing", detail)
        else:
            yield from _queues(queuing, f"{path}.queuing")
    else:
        yield causes.unsupported(f"{path}.type", kind, ["Queue", "Reject"])


def _queues(queuing: dict[str, Any], path: str) -> Iterator[Cause]:
    hand, queues = queuing.get("handSize") or 0, queuing.get("queues") or 0
    for field in ("queueLengthLimit", "queues", "handSize"):
        if (queuing.get(field) or 0) <= 0:
            yield causes.invalid(f"{path}.{field}", queuing.get(field) or 0, "must be positive")
    if queues > MOST_QUEUES:
        yield causes.invalid(f"{path}.queues", queues, f"must not be greater than {MOST_QUEUES}")
    if hand > max(queues, 0):
        yield causes.invalid(f"{path}.handSize", hand, f"should not be greater than queues ({queues})")
    elif hand > 0 and math.ceil(math.log2(queues) * hand) > HASH_BITS:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than "
            f"{HASH_BITS}"
        )
        yield causes.invalid(f"{path}.handSize", hand, detail)
