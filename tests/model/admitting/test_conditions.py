"""matchConditions, and what expressions may ask about users."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.admitting import conditions
from minikctl.model.cel import authorizer

REQUEST = {
    "uid": "u",
    "requestResource": {"group": "apps", "version": "v1", "resource": "deployments"},
    "requestSubResource": "scale",
    "name": "web",
    "namespace": "default",
    "operation": "UPDATE",
    "userInfo": {"username": "ann"},
    "object": {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 3}},
    "oldObject": None,
}


def holds(*sources: str, ignore: bool = False) -> bool:
    listed = [{"name": str(index), "expression": each} for index, each in enumerate(sources)]

    def answer(asked: authorizer.Asked) -> tuple[bool, str]:
        return asked.verb == "get", repr(asked)

    with authorizer.answering(answer):
        return conditions.hold(listed, conditions.values(REQUEST), ignore_failures=ignore)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("object.spec.replicas == 3", True),
        ("oldObject == null", True),
        ("request.userInfo.username == 'bob'", False),
        ("!has(request.uid) && !has(request.object)", True),
        ("has(object.metadata.annotations)", False),
        ("authorizer.group('').resource('pods').namespace('d').name('n').subresource('log').check('get').allowed()", True),
        ("authorizer.group('').resource('pods').check('list').allowed()", False),
        ("authorizer.path('/healthz').check('get').reason().contains(\"path='/healthz'\")", True),
        ("authorizer.requestResource.check('get').reason().contains(\"part='scale'\")", True),
        ("authorizer.serviceAccount('a', 'b').path('/').check('get').reason().contains('system:serviceaccount:a:b')", True),
        ("authorizer.path('/').check('get').errored()", False),
        ("authorizer.path('/').check('get').error() == ''", True),
    ],
)  # fmt: skip
def test_a_condition_holds_or_not(source: str, wanted: bool) -> None:
    assert holds(source) is wanted


@pytest.mark.parametrize(
    "source",
    [
        "authorizer.check('get').allowed()",
        "authorizer.path('/').path('/').check('get').allowed()",
        "authorizer.path('/').serviceAccount('a', 'b').check('get').allowed()",
        "authorizer.path('/').allowed()",
        "authorizer.resource('pods').check('get').allowed()",
    ],
)
def test_steps_of_a_question_have_their_order(source: str) -> None:
    with pytest.raises(conditions.Failed, match="no such overload"):
        holds(source)


def test_a_condition_that_is_false_counts_more_than_one_that_fails() -> None:
    assert holds("object.nope", "false") is False
    assert holds("object.nope == 1", ignore=True) is False
    with pytest.raises(
        conditions.Failed, match=r"^expression 'object.nope == 1' resulted in error: no such key: nope$"
    ):
        holds("object.nope == 1", "true")
    with pytest.raises(
        conditions.Failed,
        match=r"^\[expression .*, expression 'object.spec.replicas' resulted in .* bool\]$",
    ):
        holds("object.nope == 1", "object.spec.replicas")


def test_what_is_written_wrongly_is_found_before_it_is_used() -> None:
    given: list[dict[str, Any]] = [
        {"name": "a", "expression": "true"},
        {"name": "a", "expression": "1"},
        {"name": "", "expression": ""},
        {"name": "c", "expression": "nothing.x"},
        {"name": "d", "expression": "object.spec"},
    ]
    found = [(each["field"], each["reason"]) for each in conditions.check(given, "m")]
    assert found == [
        ("m[1].name", "FieldValueDuplicate"),
        ("m[1].expression", "FieldValueInvalid"),
        ("m[2].name", "FieldValueRequired"),
        ("m[2].expression", "FieldValueRequired"),
        ("m[3].expression", "FieldValueInvalid"),
    ]
    many = [{"name": str(index), "expression": "true"} for index in range(65)]
    assert [each["reason"] for each in conditions.check(many, "m")] == ["FieldValueTooMany"]
