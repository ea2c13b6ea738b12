"""ValidatingAdmissionPolicy: CEL expressions that judge a request.

Rules and words are those of kube-apiserver's admission/plugin/policy/validating.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from minikctl.model import objects
from minikctl.model.admitting import conditions
from minikctl.model.cel import engine
from minikctl.model.objects import Object

Compile = Callable[[str, engine.Variables], engine.Program]

MESSAGE_BYTES = 5 * 1024
CODES = {"Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413, "Unauthorized": 401}
_NO_KEY = re.compile(r"^no such key: (\w+)$")
_USED = re.compile(r"\bvariables\.(\w+)")
_LITERAL = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.S)


def variables(policy: Mapping[str, Any], *, composed: bool = True) -> engine.Variables:
    """Return what a policy's expressions may refer to; ``composed``: its own variables too."""
    found = (*conditions.VARIABLES, ("namespaceObject", "dyn"))
    if objects.spec(policy).get("paramKind"):
        found = (*found, ("params", "dyn"))
    return (*found, ("variables", "map(string, dyn)")) if composed else found


def used(source: str) -> set[str]:
    """Return the policy's variables to which an expression refers."""
    return set(_USED.findall(_LITERAL.sub("''", source)))


@dataclass(frozen=True)
class Denial:
    """Why a policy refuses the request; ``reason`` is one of ``CODES``."""

    message: str
    reason: str = ""


@dataclass
class Run:
    """One evaluation of a policy: the values of its variables, and why some have none."""

    policy: Object
    given: dict[str, Any]
    names: engine.Variables
    failed: dict[str, str] = field(default_factory=dict)

    def compute(self) -> None:
        """Evaluate the policy's variables; one without a value is told to who refers to it."""
        known: dict[str, Any] = {}
        self.given["variables"] = known
        for each in objects.spec(self.policy).get("variables") or ():
            name = str(each.get("name"))
            try:
                known[name] = self.value(str(each.get("expression")))
            except engine.EvaluationError as error:
                self.failed[name] = str(error)

    def value(self, source: str, compile: Compile = engine.compile) -> Any:
        """Return an expression's value; raises ``EvaluationError``."""
        try:
            program = compile(source.strip(), self.names)
            return program.run(program.bind(self.given))
        except engine.CompileError as error:
            raise engine.EvaluationError(f"compilation error: {error}") from None
        except engine.EvaluationError as error:
            missing = _NO_KEY.match(str(error))
            if missing and missing[1] in self.failed:
                text = f'composited variable "{missing[1]}" fails to evaluate: {self.failed[missing[1]]}'
                raise engine.EvaluationError(text) from None
            raise


def denials(policy: Object, given: Mapping[str, Any]) -> Iterator[Denial]:
    """Yield why the policy refuses a request; ``given`` are the values of all but its own variables."""
    spec = objects.spec(policy)
    ignores = spec.get("failurePolicy") == "Ignore"
    try:
        holds = conditions.hold(
            spec.get("matchConditions") or (),
            given,
            ignore_failures=ignores,
            variables=variables(policy, composed=False),
        )
    except conditions.Failed as failure:
        yield Denial(str(failure))
        return
    if not holds:
        return
    run = Run(policy, dict(given), variables(policy))
    run.compute()
    for validation in spec.get("validations") or ():
        yield from _judged(run, validation, ignores=ignores)
    for annotation in spec.get("auditAnnotations") or ():
        problem = _annotation_problem(run, str(annotation.get("valueExpression")))
        if problem and not ignores:
            yield Denial(problem)


def _judged(run: Run, validation: Mapping[str, Any], *, ignores: bool) -> Iterator[Denial]:
    source = str(validation.get("expression")).strip()
    try:
        outcome = run.value(source)
    except engine.EvaluationError as error:
        if not ignores:
            yield Denial(f"expression '{source}' resulted in error: {error}")
        return
    if outcome is not True:
        yield Denial(_message(run, validation, source), str(validation.get("reason") or "Invalid"))


def _message(run: Run, validation: Mapping[str, Any], source: str) -> str:
    expression = validation.get("messageExpression")
    if expression:
        try:
            said = run.value(str(expression))
        except engine.EvaluationError:
            said = None
        text = said.strip() if isinstance(said, str) else ""
        if text and "\n" not in text and len(text.encode()) <= MESSAGE_BYTES:
            return text
    return str(validation.get("message") or "").strip() or f"failed expression: {source}"


def _annotation_problem(run: Run, source: str) -> str:
    try:
        found = run.value(source)
    except engine.EvaluationError as error:
        return f"expression '{source}' resulted in error: {error}"
    if found is None or isinstance(found, str):
        return ""
    return (
        f"valueExpression '{source}' resulted in unsupported return type: {type(found).__name__}. "
        "Return type must be either string or null."
    )
