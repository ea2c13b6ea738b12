"""MutatingAdmissionPolicy: CEL expressions that change what is written.

Rules and words are those of kube-apiserver's admission/plugin/policy/mutating.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import objects, patches, schema
from minikctl.model.admitting import conditions, policy
from minikctl.model.apply import fieldsets, walks
from minikctl.model.cel import engine, literals
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.model.structure import Node

CONFIGURATION, PATCH = "ApplyConfiguration", "JSONPatch"


class Failed(Exception):
    """A mutation has no outcome for this request; the text says why."""


@functools.lru_cache(maxsize=1024)
def compiled(source: str, names: engine.Variables) -> engine.Program:
    """Return the program of an expression that makes objects; raises ``CompileError``."""
    return engine.compile(literals.as_maps(source.strip()), names)


def holds(given: Object, values: Mapping[str, Any]) -> bool:
    """Tell whether a policy's matchConditions hold; raises ``Failed``."""
    spec = objects.spec(given)
    try:
        return conditions.hold(
            spec.get("matchConditions") or (),
            values,
            ignore_failures=spec.get("failurePolicy") == "Ignore",
            variables=policy.variables(given, composed=False),
        )
    except conditions.Failed as failure:
        raise Failed(str(failure)) from None


def mutated(given: Object, values: Mapping[str, Any], kind: Kind) -> Object:
    """Return what the policy's mutations make, in order, of ``values["object"]``, which is not changed.

    Raises ``Failed``; with failurePolicy Ignore, mutations that fail are passed over.
    """
    spec, found = objects.spec(given), dict(values)
    for mutation in spec.get("mutations") or ():
        try:
            found["object"] = _one(given, mutation, found, kind)
        except Failed:
            if spec.get("failurePolicy") != "Ignore":
                raise
    result: Object = found["object"]
    return result


def _one(given: Object, mutation: Mapping[str, Any], values: dict[str, Any], kind: Kind) -> Object:
    is_patch = mutation.get("patchType") == PATCH
    part = mutation.get("jsonPatch" if is_patch else "applyConfiguration") or {}
    source = str(part.get("expression") or "").strip()
    run = policy.Run(given, dict(values), policy.variables(given))
    run.compute()
    try:
        outcome = run.value(source, compiled)
    except engine.EvaluationError as error:
        raise Failed(f"expression '{source}' resulted in error: {error}") from None
    return _patched(values["object"], outcome) if is_patch else _merged(values["object"], outcome, kind)


def _patched(obj: Object, operations: Any) -> Object:
    if not isinstance(operations, list):
        raise Failed("type mismatch: JSONPatchType.expression should evaluate to array")
    try:
        found = patches.json_patch(obj, operations)
    except patches.TestFailed:
        return obj
    except patches.PatchError as error:
        raise Failed(f"JSONPath: {error}") from None
    if not isinstance(found, dict):
        raise Failed("JSONPath: the outcome is not an object")
    return found


def _merged(obj: Object, outcome: Any, kind: Kind) -> Object:
    if not isinstance(outcome, dict):
        raise Failed(f"invalid return type: {type(outcome).__name__}")
    root = schema.root(kind)
    config = {**outcome, "apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}
    faults: list[str] = []
    walks.fields(root, config, faults)
    if faults:
        text = "; ".join(faults)
        raise Failed(f"error applying patch: failed to convert patch object to typed object: {text}")
    whole = [fieldsets.text(path) for path in _atomic(root, config, ())]
    if whole:
        listed = ", ".join(whole)
        text = f"invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {listed}"
        raise Failed(f"error applying patch: {text}")
    found: Object = walks.merge(root, obj, config)
    return found


def _atomic(node: Node | None, found: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of lists and maps that can only be replaced as a whole."""
    if not isinstance(found, dict | list):
        return
    if not walks.is_branch(node, found):
        yield path
        return
    for step, below, inner in walks.children(node, found):
        yield from _atomic(below, inner, (*path, step))
