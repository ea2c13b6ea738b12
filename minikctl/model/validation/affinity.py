"""Where a pod wants to be: affinity to nodes and pods, and spreading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.validation import selection

Term = dict[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT = "must be in the range 1-100"
_OPERATOR = "not a valid selector operator"


def validate(affinity: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the affinity."""
    if "nodeAffinity" in affinity:
        yield from _nodes(affinity["nodeAffinity"], f"{path}.nodeAffinity")
    for field in ("podAffinity", "podAntiAffinity"):
        if field in affinity:
            yield from _pods(affinity[field], f"{path}.{field}")


def _nodes(affinity: dict[str, Any], path: str) -> Iterator[Cause]:
    if _REQUIRED in affinity:
        yield from node_selector(affinity[_REQUIRED], f"{path}.{_REQUIRED}")
    for index, term in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(term, where)
        yield from _node_term(term.get("preference") or {}, f"{where}.preference")


def node_selector(selector: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with a core/v1 NodeSelector."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        yield causes.required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        yield from _node_term(term, f"{path}.nodeSelectorTerms[{index}]")


def _weight(term: Term, path: str) -> Iterator[Cause]:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        yield causes.invalid(f"{path}.weight", weight, _WEIGHT)


def _node_term(term: Term, path: str) -> Iterator[Cause]:
    for index, each in enumerate(term.get("matchExpressions") or ()):
        yield from _expression(each, f"{path}.matchExpressions[{index}]")
    for index, each in enumerate(term.get("matchFields") or ()):
        yield from _field(each, f"{path}.matchFields[{index}]")


def _expression(each: Term, path: str) -> Iterator[Cause]:
    operator, values = each.get("operator", ""), each.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            yield causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield causes.forbidden(f"{path}.values", detail)
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield causes.required(f"{path}.values", detail)
    else:
        yield causes.invalid(f"{path}.operator", operator, _OPERATOR)
    yield from _label_name(each.get("key", ""), f"{path}.key")


def _field(each: Term, path: str) -> Iterator[Cause]:
    operator, values, key = each.get("operator", ""), each.get("values") or (), each.get("key", "")
    if operator not in ("In", "NotIn"):
        yield causes.invalid(f"{path}.operator", operator, _OPERATOR)
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield causes.required(f"{path}.values", detail)
    if key != "metadata.name":
        yield causes.invalid(f"{path}.key", key, "not a valid field selector key")
        return
    for index, value in enumerate(values):
        for fault in names.dns_subdomain(value):
            yield causes.invalid(f"{path}.values[{index}]", value, fault)


def _label_name(key: str, path: str) -> Iterator[Cause]:
    for fault in names.qualified_name(key):
        yield causes.invalid(path, key, fault)


def _pods(affinity: dict[str, Any], path: str) -> Iterator[Cause]:
    for index, term in enumerate(affinity.get(_REQUIRED) or ()):
        yield from _pod_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(_PREFERRED) or ()):
        where = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(weighted, where)
        yield from _pod_term(weighted.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm")


def _pod_term(term: Term, path: str) -> Iterator[Cause]:
    for field in ("labelSelector", "namespaceSelector"):
        if term.get(field) is not None:
            yield from selection.validate(term[field], f"{path}.{field}")
    for name in term.get("namespaces") or ():
        for fault in names.dns_label(name):
            yield causes.invalid(f"{path}.namespace", name, fault)
    yield from _matched_keys(term, path)
    topology = term.get("topologyKey") or ""
    if not topology:
        yield causes.required(f"{path}.topologyKey", "can not be empty")
    yield from _label_name(topology, f"{path}.topologyKey")


def _matched_keys(term: Term, path: str) -> Iterator[Cause]:
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(field) or ()
        if keys and term.get("labelSelector") is None:
            detail = "must not be specified when labelSelector is not set"
            yield causes.forbidden(f"{path}.{field}", detail)
            continue
        for index, key in enumerate(keys):
            yield from _label_name(key, f"{path}.{field}[{index}]")
    mismatched = term.get("mismatchLabelKeys") or ()
    for index, key in enumerate(term.get("matchLabelKeys") or ()):
        if key in mismatched:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield causes.invalid(f"{path}.matchLabelKeys[{index}]", key, detail)


# --- spreading ------------------------------------------------------------------------------------


def spread(constraints: Iterable[Term], path: str) -> Iterator[Cause]:
    """Yield what is wrong with topology spread constraints."""
    seen: set[tuple[str, str]] = set()
    for index, each in enumerate(constraints):
        where = f"{path}[{index}]"
        topology, action = each.get("topologyKey") or "", each.get("whenUnsatisfiable") or ""
        if (each.get("maxSkew") or 0) <= 0:
            yield causes.invalid(f"{where}.maxSkew", each.get("maxSkew") or 0, "must be greater than zero")
        if not topology:
            yield causes.required(f"{where}.topologyKey", "can not be empty")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            supported = ["DoNotSchedule", "ScheduleAnyway"]
            yield causes.unsupported(f"{where}.whenUnsatisfiable", action, supported)
        if (topology, action) in seen:
            yield causes.duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {action}}}")
        seen.add((topology, action))
        yield from _minimum(each, action, where)
        yield from _spread_keys(each, where)
        if each.get("labelSelector") is not None:
            yield from selection.validate(each["labelSelector"], f"{where}.labelSelector")


def _minimum(each: Term, action: str, path: str) -> Iterator[Cause]:
    domains = each.get("minDomains")
    if domains is not None and domains <= 0:
        yield causes.invalid(f"{path}.minDomains", domains, "must be greater than zero")
    if domains is not None and action != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        yield causes.invalid(f"{path}.minDomains", domains, detail)


def _spread_keys(each: Term, path: str) -> Iterator[Cause]:
    keys, selector = each.get("matchLabelKeys") or (), each.get("labelSelector")
    if keys and selector is None:
        detail = "must not be specified when labelSelector is not set"
        yield causes.forbidden(f"{path}.matchLabelKeys", detail)
    named = {*((selector or {}).get("matchLabels") or {})}
    named |= {each.get("key") for each in (selector or {}).get("matchExpressions") or ()}
    for index, key in enumerate(keys):
        yield from _label_name(key, f"{path}.matchLabelKeys[{index}]")
        if key in named:
            detail = "exists in both matchLabelKeys and labelSelector"
            yield causes.invalid(f"{path}.matchLabelKeys[{index}]", key, detail)
