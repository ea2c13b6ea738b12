"""ConversionReview: which answers are none."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.custom import conversion

META = {"name": "a", "namespace": "default", "uid": "u1", "resourceVersion": "7", "labels": {"a": "b"}}
ASKED = [{"apiVersion": "g/v1", "kind": "Thing", "metadata": META}]
HEAD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview"}


def answer(*made: Any, **response: Any) -> dict[str, Any]:
    given = {"uid": "u", "result": {"status": "Success"}, "convertedObjects": list(made), **response}
    return {**HEAD, "response": given}


def thing(**meta: Any) -> dict[str, Any]:
    return {"apiVersion": "g/v2", "kind": "Thing", "metadata": {**META, **meta}}


def converted(given: Any, version: str = "v1") -> Any:
    return conversion.converted(given, ASKED, "g/v2", "u", version)


def test_a_review_names_the_version_that_is_wanted() -> None:
    assert conversion.review(ASKED, "g/v2", "u", "v1") == {
        **HEAD,
        "request": {"uid": "u", "desiredAPIVersion": "g/v2", "objects": ASKED},
    }
    assert conversion.version(["v3", "v1beta1"]) == "v1beta1"
    assert conversion.version(["v3"]) == ""


def test_only_labels_and_annotations_are_the_webhooks_to_change() -> None:
    given = thing(labels={}, annotations={"x": "y"}, resourceVersion="9", finalizers=["f"])
    meta = {name: value for name, value in META.items() if name != "labels"}
    assert converted(answer(given)) == [{**given, "metadata": {**meta, "annotations": {"x": "y"}}}]


def test_the_older_version_needs_no_identity() -> None:
    given = {"response": {"result": {"status": "Success"}, "convertedObjects": [thing()]}}
    assert converted(given, "v1beta1") == [thing()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no response provided"),
        ({"response": 1}, "no response provided"),
        (answer(uid="x"), 'expected response.uid="u", got "x"'),
        ({**answer(), "kind": "X"}, "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1, Kind=X"),
        (answer(result=None), "response.result.status was '', not 'Success'"),
        (answer(result={"status": "Failed", "message": "no"}), "no"),
        (answer(convertedObjects=None), "returned 0 objects, expected 1"),
        (answer(thing(), thing()), "returned 2 objects, expected 1"),
        (answer(1), "returned invalid object: it has no metadata"),
        (answer({"apiVersion": "g/v2", "kind": "Thing"}), "returned invalid object: it has no metadata"),
        (answer({**thing(), "apiVersion": "g/v1"}), "returned invalid object: apiVersion g/v1 instead of g/v2"),
        (answer({**thing(), "kind": "X"}), "returned invalid object: must have the same kind: X != Thing"),
        (answer(thing(uid="")), "returned invalid object: must have the same uid:  != u1"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said(given: Any, said: str) -> None:
    with pytest.raises(conversion.InvalidAnswer) as raised:
        converted(given)
    assert str(raised.value) == said
