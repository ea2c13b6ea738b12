"""matchConditions: CEL expressions that decide whether a webhook or policy is asked at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import causes
from minikctl.model.cel import authorizer, engine
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

VARIABLES: engine.Variables = (
    ("object", "dyn"),
    ("oldObject", "dyn"),
    ("request", "dyn"),
    ("authorizer", "map(string, dyn)"),
)
"""What conditions of webhooks may refer to."""


class Failed(Exception):
    """A condition has no value for this request; the text is Kubernetes'."""


def values(request: Object) -> dict[str, Any]:
    """Return the variables' values for an AdmissionRequest."""
    resource = request.get("requestResource") or {}
    asked = {
        "group": resource.get("group", ""),
        "resource": resource.get("resource", ""),
        "part": request.get("requestSubResource", ""),
        "namespace": request.get("namespace", ""),
        "name": request.get("name", ""),
    }
    return {
        "object": request["object"],
        "oldObject": request["oldObject"],
        "request": {
            name: value for name, value in request.items() if name not in ("object", "oldObject", "uid")
        },
        "authorizer": authorizer.value(asked),
    }


def hold(
    conditions: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
    *,
    ignore_failures: bool,
    variables: engine.Variables = VARIABLES,
) -> bool:
    """Tell whether all conditions hold; one that is false counts more than those that fail.

    Raises ``Failed`` when some have no value, unless ``ignore_failures``: then they do not hold.
    """
    problems: list[str] = []
    for condition in conditions:
        source = str(condition.get("expression") or "").strip()
        try:
            program = engine.compile(source, variables)
            outcome = program.run(program.bind(given))
        except (engine.CompileError, engine.EvaluationError) as error:
            problems.append(f"expression '{source}' resulted in error: {error}")
            continue
        if outcome is False:
            return False
        if outcome is not True:
            problems.append(
                f"expression '{source}' resulted in error: cel expression must evaluate to a bool"
            )
    if problems and not ignore_failures:
        raise Failed(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return not problems


def check(
    conditions: Sequence[Mapping[str, Any]], path: str, variables: engine.Variables = VARIABLES
) -> Iterator[Cause]:
    """Yield what is wrong with conditions as they are written."""
    seen: set[str] = set()
    if len(conditions) > 64:
        yield causes.too_many(path, len(conditions), 64)
    for index, condition in enumerate(conditions):
        name, where = str(condition.get("name") or ""), f"{path}[{index}]"
        if not name:
            yield causes.required(f"{where}.name")
        elif name in seen:
            yield causes.duplicate(f"{where}.name", name)
        seen.add(name)
        yield from expression(condition.get("expression"), f"{where}.expression", variables, ("bool",))


def expression(
    given: Any, path: str, variables: engine.Variables, types: Sequence[str] = (), written: str = ""
) -> Iterator[Cause]:
    """Yield what is wrong with one expression; ``types`` are those that its outcome may have (none: any).

    ``written`` is how the user wrote it, if that is something else than what is compiled.
    """
    source = str(given or "").strip()
    written = written or source
    if not source:
        yield causes.required(path)
        return
    try:
        found = engine.compile(source, variables).type
    except engine.CompileError as error:
        yield causes.invalid(path, written, f"compilation failed: {error}")
        return
    if types and found not in (*types, "dyn"):
        yield causes.invalid(path, written, f"must evaluate to {' or '.join(types)}")
