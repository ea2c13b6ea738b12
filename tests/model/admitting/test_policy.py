"""What a ValidatingAdmissionPolicy says of a request, in kube-apiserver's words."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.admitting import conditions, policy
from minikctl.model.admitting.policy import Denial
from minikctl.model.cel import authorizer
from tests.model.admitting.test_conditions import REQUEST


def said(validations: Any = (), **spec: Any) -> list[Denial]:
    """Return why a policy refuses to scale ``web`` to three."""
    given = {**conditions.values(REQUEST), "namespaceObject": None, "params": None}
    found = {"metadata": {"name": "p"}, "spec": {"validations": list(validations), **spec}}
    with authorizer.answering(lambda _: (True, "")):
        return list(policy.denials(found, given))


def check(expression: str, **more: str) -> dict[str, str]:
    return {"expression": expression, **more}


REFUSED = "false"


@pytest.mark.parametrize(
    ("validation", "want"),
    [
        (check("object.spec.replicas == 3"), []),
        (
            check(" object.spec.replicas > 3 "),
            [Denial("failed expression: object.spec.replicas > 3", "Invalid")],
        ),
        (check(REFUSED, message=" too many ", reason="Forbidden"), [Denial("too many", "Forbidden")]),
        (
            check(REFUSED, messageExpression="'want ' + string(object.spec.replicas)"),
            [Denial("want 3", "Invalid")],
        ),
        (check(REFUSED, messageExpression="' '", message="m"), [Denial("m", "Invalid")]),
        (check(REFUSED, messageExpression="'a\\nb'", message="m"), [Denial("m", "Invalid")]),
        (check(REFUSED, messageExpression="object.nope", message="m"), [Denial("m", "Invalid")]),
        (check(REFUSED, messageExpression="object.spec.replicas", message="m"), [Denial("m", "Invalid")]),
        (check("object.nope"), [Denial("expression 'object.nope' resulted in error: no such key: nope")]),
    ],
)
def test_judgements(validation: dict[str, str], want: list[Denial]) -> None:
    assert said([validation]) == want


def test_what_cannot_be_compiled_is_an_error() -> None:
    [found] = said([check("object.")])
    assert found.message.startswith("expression 'object.' resulted in error: compilation error: ")


def test_failures_may_be_ignored_but_refusals_are_not() -> None:
    ignoring = {"failurePolicy": "Ignore"}
    assert said([check("object.nope")], **ignoring) == []
    assert len(said([check(REFUSED)], **ignoring)) == 1
    assert said(auditAnnotations=[{"key": "k", "valueExpression": "1"}], **ignoring) == []


def test_conditions_come_first() -> None:
    assert said([check(REFUSED)], matchConditions=[{"name": "a", "expression": "false"}]) == []
    found = said([check(REFUSED)], matchConditions=[{"name": "a", "expression": "object.nope"}])
    assert [each.message for each in found] == [
        "expression 'object.nope' resulted in error: no such key: nope"
    ]


def test_variables_are_computed_in_order() -> None:
    variables = [
        {"name": "twice", "expression": "object.spec.replicas * 2"},
        {"name": "more", "expression": "variables.twice + 1"},
        {"name": "bad", "expression": "object.nope"},
    ]
    assert said([check("variables.more == 7")], variables=variables) == []
    assert said([check("variables.bad == 7")], variables=variables) == [
        Denial(
            "expression 'variables.bad == 7' resulted in error: "
            'composited variable "bad" fails to evaluate: no such key: nope'
        )
    ]


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("'text'", []),
        ("null", []),
        ("object.nope", ["expression 'object.nope' resulted in error: no such key: nope"]),
        (
            "1",
            [
                "valueExpression '1' resulted in unsupported return type: int. Return type must be either string or null."
            ],
        ),
    ],
)
def test_audit_annotations(source: str, want: list[str]) -> None:
    assert [each.message for each in said(auditAnnotations=[{"key": "k", "valueExpression": source}])] == want


def test_params_are_known_to_policies_that_have_them() -> None:
    plain: dict[str, Any] = {"spec": {}}
    assert ("params", "dyn") not in policy.variables(plain)
    assert ("params", "dyn") in policy.variables(
        {"spec": {"paramKind": {"kind": "ConfigMap"}}}, composed=False
    )


def test_variables_in_texts_are_none() -> None:
    assert policy.used("variables.a + 'variables.b' + \"variables.c\" + variables.d.e") == {"a", "d"}
