"""ConversionReview: what a webhook is asked to convert, and what it may answer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

GROUP = "apiextensions.k8s.io"
UNDERSTOOD = ("v1", "v1beta1")
_MAY_CHANGE = ("labels", "annotations")
_FIXED = ("name", "namespace", "uid")


class InvalidAnswer(Exception):
    """The webhook's answer is none, or says that it failed; the text says why."""


def version(offered: Sequence[str]) -> str:
    """Return the first version of the review that the webhook understands, as we do; "" if there is none."""
    return next((each for each in offered if each in UNDERSTOOD), "")


def review(found: Sequence[Object], wanted: str, uid: str, version: str) -> Object:
    """Return the review that asks for these objects in the version ``wanted`` (group/version)."""
    request = {"uid": uid, "desiredAPIVersion": wanted, "objects": list(found)}
    return {"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": request}


def converted(answer: Any, asked: Sequence[Object], wanted: str, uid: str, version: str) -> list[Object]:
    """Return the converted objects, in their order; raises ``InvalidAnswer``.

    Of the metadata only labels and annotations are the webhook's to change.
    """
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise InvalidAnswer("no response provided")
    head = f"{answer.get('apiVersion') or ''}, Kind={answer.get('kind') or ''}"
    if version == "v1" and response.get("uid") != uid:
        raise InvalidAnswer(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    if version == "v1" and head != f"{GROUP}/v1, Kind=ConversionReview":
        raise InvalidAnswer(f"expected webhook response of {GROUP}/v1, Kind=ConversionReview, got {head}")
    _check_result(response.get("result"))
    found = response.get("convertedObjects")
    found = found if isinstance(found, list) else []
    if len(found) != len(asked):
        raise InvalidAnswer(f"returned {len(found)} objects, expected {len(asked)}")
    return [_checked(new, old, wanted) for new, old in zip(found, asked, strict=True)]


def _check_result(result: Any) -> None:
    given: Mapping[str, Any] = result if isinstance(result, dict) else {}
    if given.get("status") == "Success":
        return
    if given.get("message"):
        raise InvalidAnswer(str(given["message"]))
    raise InvalidAnswer(f"response.result.status was '{given.get('status') or ''}', not 'Success'")


def _checked(new: Any, old: Object, wanted: str) -> Object:
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise InvalidAnswer("returned invalid object: it has no metadata")
    if new.get("apiVersion") != wanted:
        raise InvalidAnswer(
            f"returned invalid object: apiVersion {new.get('apiVersion')} instead of {wanted}"
        )
    if new.get("kind") != old.get("kind"):
        raise InvalidAnswer(
            f"returned invalid object: must have the same kind: {new.get('kind')} != {old.get('kind')}"
        )
    meta, before = new["metadata"], objects.meta(old)
    for field in _FIXED:
        if (meta.get(field) or "") != (before.get(field) or ""):
            text = f"must have the same {field}: {meta.get(field) or ''} != {before.get(field) or ''}"
            raise InvalidAnswer(f"returned invalid object: {text}")
    kept = {name: copy.deepcopy(value) for name, value in before.items() if name not in _MAY_CHANGE}
    changed = {name: meta[name] for name in _MAY_CHANGE if meta.get(name)}
    return {**new, "metadata": {**kept, **changed}}
