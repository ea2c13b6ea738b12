"""AdmissionReview: what is sent, and which answers are none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from minikctl.model.admitting import review
from minikctl.model.admitting.review import Form, InvalidAnswer, Question
from minikctl.model.admitting.rules import Resource

PODS = Form(Resource("", "v1", "pods"), ("", "v1", "Pod"))
HEAD = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


def answer(**response: Any) -> dict[str, Any]:
    return {**HEAD, "response": {"uid": "u", "allowed": True, **response}}


def packed(patch: Any) -> str:
    return base64.b64encode(json.dumps(patch).encode()).decode()


def test_a_question_says_who_does_what_to_which_object() -> None:
    asked = Question(
        "CREATE", PODS, PODS, "default", "web", {"username": "ann"}, {"kind": "Pod"}, None, None, True
    )
    sent = review.review(asked, "u", "v1")
    kind, resource = (
        {"group": "", "version": "v1", "kind": "Pod"},
        {"group": "", "version": "v1", "resource": "pods"},
    )
    assert sent == {
        **HEAD,
        "request": {
            "uid": "u",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": "web",
            "namespace": "default",
            "operation": "CREATE",
            "userInfo": {"username": "ann"},
            "object": {"kind": "Pod"},
            "oldObject": None,
            "dryRun": True,
            "options": None,
        },
    }


@pytest.mark.parametrize(
    ("offered", "wanted"), [(["v1"], "v1"), (["v2", "v1beta1", "v1"], "v1beta1"), (["v2"], ""), ([], "")]
)
def test_the_first_version_that_is_understood_is_spoken(offered: list[str], wanted: str) -> None:
    assert review.version(offered) == wanted


def test_a_verdict_has_patch_status_and_warnings() -> None:
    patch = [{"op": "remove", "path": "/a"}]
    given = answer(patch=packed(patch), patchType="JSONPatch", status={"code": 1}, warnings=["w"])
    found = review.verdict(given, "u", "v1", mutating=True)
    assert found == review.Verdict(True, {"code": 1}, patch, ("w",))
    assert review.verdict(answer(allowed="yes"), "u", "v1", mutating=False) == review.Verdict(False)
    empty = answer(patch=packed([]), patchType="JSONPatch")
    assert review.verdict(empty, "u", "v1", mutating=True).patch is None


def test_the_older_version_needs_neither_identity_nor_type_of_the_patch() -> None:
    given = {"response": {"allowed": True, "patch": packed([{"op": "test"}])}}
    assert review.verdict(given, "u", "v1beta1", mutating=True).patch == [{"op": "test"}]
    typed = {"response": {"allowed": True, "patchType": "JSONPatch"}}
    assert review.verdict(typed, "u", "v1beta1", mutating=True).patch is None


@pytest.mark.parametrize(
    ("given", "mutating", "said"),
    [
        ([], False, "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"),
        (HEAD, False, "webhook response was absent"),
        (answer(uid="x"), False, 'expected response.uid="u", got "x"'),
        (
            {**answer(), "apiVersion": "v1"},
            False,
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got v1, Kind=AdmissionReview",
        ),
        (answer(patch="e30="), False, "validating webhook may not return response.patch"),
        (answer(patchType="JSONPatch"), False, "validating webhook may not return response.patchType"),
        (answer(patch="e30="), True, "webhook returned response.patch but not response.patchType"),
        (answer(patchType="JSONPatch"), True, "webhook returned response.patchType but not response.patch"),
        (answer(patch="e30=", patchType="X"), True, 'webhook returned invalid response.patchType of "X"'),
        (answer(patch="!", patchType="JSONPatch"), True, "received undecodable patch in webhook response"),
        (answer(patch="e30=", patchType="JSONPatch"), True, "it must be a list of operations"),
    ],
)
def test_what_is_no_answer_is_said(given: Any, mutating: bool, said: str) -> None:
    with pytest.raises(InvalidAnswer) as raised:
        review.verdict(given, "u", "v1", mutating=mutating)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code", "reason", "message"),
    [
        (None, 400, "", "without explanation"),
        ({"code": 200}, 400, "", "without explanation"),
        ({"reason": "Forbidden", "code": 403}, 403, "Forbidden", ": Forbidden"),
        ({"message": "no", "reason": "Gone", "details": {"name": "x"}}, 400, "Gone", ": no"),
    ],
)
def test_a_denial_is_the_webhooks_own_status(status: Any, code: int, reason: str, message: str) -> None:
    found = review.denial("a.b.c", status)
    assert (found.code, found.reason) == (code, reason)
    gap = "" if message.startswith(":") else " "
    assert found.message == f'admission webhook "a.b.c" denied the request{gap}{message}'
    assert found.details == ((status or {}).get("details") or {})
