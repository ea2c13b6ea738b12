"""ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import selection, webhooks

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_ACTIONS = ("Audit", "Deny", "Warn")
_MOST_AUDITED = 20
_LONGEST_AUDITED = 5 * 1024
_NEEDS_SOMETHING = "validations or auditAnnotations must contain at least one item"

Given = Mapping[str, Any]


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a policy that judges; expressions are only compiled when they are new."""
    spec = objects.spec(obj)
    found = list(_common(spec))
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        found.append(causes.required("spec.validations", _NEEDS_SOMETHING))
        found.append(causes.required("spec.auditAnnotations", _NEEDS_SOMETHING))
    if old is None or objects.spec(old) != spec:
        found += _expressions(obj)
    return found


def validate_mutating(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a policy that changes; expressions are only compiled when they are new."""
    spec = objects.spec(obj)
    found = list(_common(spec))
    if not spec.get("mutations"):
        found.append(causes.required("spec.mutations", "mutations must contain at least one item"))
    again = spec.get("reinvocationPolicy")
    if again not in (None, "", "IfNeeded", "Never"):
        found.append(causes.unsupported("spec.reinvocationPolicy", again, ("IfNeeded", "Never")))
    if old is None or objects.spec(old) != spec:
        found += _mutations(obj)
    return found


def _common(spec: Given) -> Iterator[Cause]:
    yield from _choices(spec)
    yield from _param_kind(spec)
    constraints = spec.get("matchConstraints")
    if constraints is None:
        yield causes.required("spec.matchConstraints")
        return
    yield from match_resources(constraints, "spec.matchConstraints")
    if not constraints.get("resourceRules"):
        yield causes.required("spec.matchConstraints.resourceRules")


def prepare(new: Object, old: Object | None) -> None:
    """Set the status in place: which generation was looked at, and what its expressions get wrong."""
    from minikctl.model.admitting import typecheck  # needs the kinds

    generation = objects.generation(new)
    if old is not None:
        generation = objects.generation(old) + (objects.spec(new) != objects.spec(old))
    found = typecheck.warnings(new)
    new["status"] = {
        **objects.status(new),
        "observedGeneration": generation,
        "typeChecking": {"expressionWarnings": found} if found else {},
    }


def _choices(spec: Given) -> Iterator[Cause]:
    policy = spec.get("failurePolicy")
    if policy not in (None, "Fail", "Ignore"):
        yield causes.unsupported("spec.failurePolicy", policy, ("Fail", "Ignore"))


def _param_kind(spec: Given) -> Iterator[Cause]:
    kind = spec.get("paramKind")
    if kind is None:
        return
    yield from _api_version(str(kind.get("apiVersion") or ""), "spec.paramKind.apiVersion")
    name = str(kind.get("kind") or "")
    if not name:
        yield causes.required("spec.paramKind.kind")
    elif faults := names.dns_1035_label(name.lower()):
        detail = f"may have mixed case, but should otherwise match: {','.join(faults)}"
        yield causes.invalid("spec.paramKind.kind", name, detail)


def _api_version(given: str, path: str) -> Iterator[Cause]:
    if not given:
        yield causes.required(path)
        return
    if given.count("/") > 1:
        yield causes.invalid(path, given, f"unexpected GroupVersion string: {given}")
        return
    group, _, version = given.rpartition("/")
    if group and (faults := names.dns_subdomain(group)):
        yield causes.invalid(path, group, ",".join(faults))
    if not version:
        yield causes.invalid(path, given, "version must be specified")
    elif faults := names.dns_1035_label(version):
        yield causes.invalid(path, version, ",".join(faults))


def match_resources(given: Given, path: str) -> Iterator[Cause]:
    """Yield what is wrong with a MatchResources."""
    policy = given.get("matchPolicy")
    if policy not in (None, "Equivalent", "Exact"):
        yield causes.unsupported(f"{path}.matchPolicy", policy, ("Equivalent", "Exact"))
    for name in ("namespaceSelector", "objectSelector"):
        yield from selection.validate(given.get(name) or {}, f"{path}.{name}")
    for name in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(given.get(name) or ()):
            yield from webhooks.rules(rule, f"{path}.{name}[{index}]")


class _Expressions:
    """The expressions of one policy: they may refer to the variables that stand before them."""

    def __init__(self, obj: Object) -> None:
        from minikctl.model.admitting import policy  # brings CEL

        self._spec = objects.spec(obj)
        self._plain, self._composed = policy.variables(obj, composed=False), policy.variables(obj)
        self._known: set[str] = set()

    def check(self, source: Any, path: str, types: Sequence[str] = (), written: str = "") -> Iterator[Cause]:
        """Yield what is wrong with one of them; ``written`` is how the user wrote it, if differently."""
        from minikctl.model.admitting import conditions, policy

        yield from conditions.expression(source, path, self._composed, types, written)
        for name in sorted(policy.used(str(source or "")) - self._known):
            yield causes.invalid(path, written or source, f"compilation failed: undefined field '{name}'")

    def begin(self) -> Iterator[Cause]:
        """Yield what is wrong with conditions and variables; the latter are known from then on."""
        from minikctl.model.admitting import conditions

        given = self._spec.get("matchConditions") or ()
        yield from conditions.check(given, "spec.matchConditions", self._plain)
        for index, each in enumerate(self._spec.get("variables") or ()):
            path, name = f"spec.variables[{index}]", str(each.get("name") or "")
            if not name:
                yield causes.required(f"{path}.name", "name is not specified")
            elif not _IDENTIFIER.fullmatch(name):
                yield causes.invalid(f"{path}.name", name, "name is not a valid CEL identifier")
            elif name in self._known:
                yield causes.duplicate(f"{path}.name", name)
            yield from self.check(each.get("expression"), f"{path}.expression")
            self._known.add(name)


def _expressions(obj: Object) -> Iterator[Cause]:
    spec, found = objects.spec(obj), _Expressions(obj)
    yield from found.begin()
    for index, each in enumerate(spec.get("validations") or ()):
        path = f"spec.validations[{index}]"
        yield from found.check(each.get("expression"), f"{path}.expression", ("bool",))
        said, where = str(each.get("messageExpression") or ""), f"{path}.messageExpression"
        if said.strip():
            yield from found.check(said, where, ("string",))
        elif said:
            yield causes.invalid(where, said, "must be non-empty if specified")
        yield from _said(each, path)
    yield from _audit_annotations(obj, found)


def _audit_annotations(obj: Object, expressions: _Expressions) -> Iterator[Cause]:
    annotations, seen = objects.spec(obj).get("auditAnnotations") or (), set[str]()
    if len(annotations) > _MOST_AUDITED:
        detail = f"must not have more than {_MOST_AUDITED} auditAnnotations"
        yield causes.invalid("spec.auditAnnotations", annotations, detail)
    for index, each in enumerate(annotations):
        path, key = f"spec.auditAnnotations[{index}]", str(each.get("key") or "")
        if name := objects.name(obj):
            # What the audit log calls the annotation.
            named = f"{name}/{key}"
            yield from (causes.invalid(f"{path}.key", named, fault) for fault in names.qualified_name(named))
        else:
            yield causes.invalid(f"{path}.key", key, "requires metadata.name be non-empty")
        value = str(each.get("valueExpression") or "").strip()
        if len(value.encode()) > _LONGEST_AUDITED:
            detail = f"must not exceed {_LONGEST_AUDITED} bytes in length"
            yield causes.required(f"{path}.valueExpression", detail)
        else:
            yield from expressions.check(
                each.get("valueExpression"), f"{path}.valueExpression", ("string", "null")
            )
        if key in seen:
            yield causes.duplicate(f"{path}.key", key)
        seen.add(key)


_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


def _mutations(obj: Object) -> Iterator[Cause]:
    from minikctl.model.cel import engine, literals

    found = _Expressions(obj)
    yield from found.begin()
    for index, each in enumerate(objects.spec(obj).get("mutations") or ()):
        path, type = f"spec.mutations[{index}]", each.get("patchType")
        part = _PATCHES.get(str(type))
        if part is None:
            yield causes.unsupported(f"{path}.patchType", type, _PATCHES)
            continue
        for other in set(_PATCHES.values()) - {part}:
            if each.get(other) is not None:
                yield causes.invalid(
                    f"{path}.{other}", each[other], f"must not be set when patchType is {type}"
                )
        where = f"{path}.{part}.expression"
        source = str((each.get(part) or {}).get("expression") or "").strip()
        try:
            plain = literals.as_maps(source)
        except engine.CompileError as error:
            yield causes.invalid(where, source, f"compilation failed: {error}")
            continue
        yield from found.check(plain, where, written=source)


def _said(validation: Given, path: str) -> Iterator[Cause]:
    message = str(validation.get("message") or "")
    if message and not message.strip():
        yield causes.invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif re.search(r"[\n\r]", message.strip()):
        yield causes.invalid(f"{path}.message", message, "message must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        yield causes.unsupported(f"{path}.reason", reason, _REASONS)


def validate_binding(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a binding of a policy that judges."""
    spec = objects.spec(obj)
    return [*_binding(spec), *_actions(spec.get("validationActions"))]


def validate_mutating_binding(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a binding of a policy that changes."""
    return list(_binding(objects.spec(obj)))


def _binding(spec: Given) -> list[Cause]:
    found: list[Cause] = []
    if not spec.get("policyName"):
        found.append(causes.required("spec.policyName"))
    else:
        faults = names.dns_subdomain(str(spec["policyName"]))
        found += [causes.invalid("spec.policyName", spec["policyName"], fault) for fault in faults]
    if spec.get("paramRef") is not None:
        found += _param_ref(spec["paramRef"])
    if spec.get("matchResources") is not None:
        found += match_resources(spec["matchResources"], "spec.matchResources")
    return found


def _param_ref(given: Given) -> Iterator[Cause]:
    path = "spec.paramRef"
    if given.get("name") and given.get("selector") is not None:
        yield causes.forbidden(f"{path}.name", "name and selector are mutually exclusive")
        yield causes.forbidden(f"{path}.selector", "name and selector are mutually exclusive")
    elif not given.get("name") and given.get("selector") is None:
        yield causes.required(path, "one of name or selector must be specified")
    if given.get("selector") is not None:
        yield from selection.validate(given["selector"], f"{path}.selector")
    action = given.get("parameterNotFoundAction")
    if not action:
        yield causes.required(f"{path}.parameterNotFoundAction")
    elif action not in ("Allow", "Deny"):
        yield causes.unsupported(f"{path}.parameterNotFoundAction", action, ("Allow", "Deny"))


def _actions(given: Sequence[str] | None) -> Iterator[Cause]:
    path = "spec.validationActions"
    if given is None:  # which the schema has refused already
        return
    if not given:
        yield causes.required(path, "at least one validation action is required")
    for index, each in enumerate(given):
        if each not in _ACTIONS:
            yield causes.unsupported(f"{path}[{index}]", each, _ACTIONS)
        if each in given[:index]:
            yield causes.duplicate(f"{path}[{index}]", each)
    if "Deny" in given and "Warn" in given:
        detail = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the "
            "API response and headers serves no purpose)"
        )
        yield causes.invalid(path, list(given), detail)
