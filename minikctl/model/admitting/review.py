"""AdmissionReview: the question to a webhook, and its answer."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minikctl import errors
from minikctl.model.admitting.rules import Resource
from minikctl.model.objects import Object

GROUP = "admission.k8s.io"
UNDERSTOOD = ("v1", "v1beta1")
_JSON_PATCH = "JSONPatch"


class InvalidAnswer(Exception):
    """The webhook's answer is none; the text says why."""


@dataclass(frozen=True)
class Form:
    """A resource with the kind of its objects."""

    resource: Resource
    kind: tuple[str, str, str]
    """Group, version, kind."""


@dataclass(frozen=True)
class Question:
    """What is to be decided; ``wanted`` is how the client asked, ``shown`` how the webhook wants it."""

    operation: str
    wanted: Form
    shown: Form
    namespace: str = ""
    name: str = ""
    user: Mapping[str, object] = field(default_factory=dict)
    object: Object | None = None
    old: Object | None = None
    options: Object | None = None
    dry_run: bool = False

    def request(self, uid: str) -> Object:
        """Return the AdmissionRequest; what is empty is left out, but for the objects."""
        shown, wanted = self.shown, self.wanted
        found: Object = {
            "uid": uid,
            "kind": _kind(shown.kind),
            "resource": _resource(shown.resource),
            "subResource": shown.resource.part,
            "requestKind": _kind(wanted.kind),
            "requestResource": _resource(wanted.resource),
            "requestSubResource": wanted.resource.part,
            "name": self.name,
            "namespace": self.namespace,
        }
        found = {name: value for name, value in found.items() if value}
        return {
            **found,
            "operation": self.operation,
            "userInfo": dict(self.user),
            "object": self.object,
            "oldObject": self.old,
            "dryRun": self.dry_run,
            "options": self.options,
        }


def _kind(kind: tuple[str, str, str]) -> Object:
    return {"group": kind[0], "version": kind[1], "kind": kind[2]}


def _resource(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def version(offered: Sequence[str]) -> str:
    """Return the first version of the review that the webhook understands, as we do; "" if there is none."""
    return next((each for each in offered if each in UNDERSTOOD), "")


def review(question: Question, uid: str, version: str) -> Object:
    """Return the AdmissionReview to send."""
    api = f"{GROUP}/{version}"
    return {"kind": "AdmissionReview", "apiVersion": api, "request": question.request(uid)}


@dataclass(frozen=True)
class Verdict:
    """What a webhook decided; ``patch`` is a list of JSON patch operations, None without one."""

    allowed: bool
    status: Mapping[str, Any] | None = None
    patch: Any = None
    warnings: tuple[str, ...] = ()


def verdict(answer: Any, uid: str, version: str, *, mutating: bool) -> Verdict:
    """Return what an answer decides; raises ``InvalidAnswer``."""
    if not isinstance(answer, dict):
        raise InvalidAnswer(f"expected webhook response of {GROUP}/{version}, Kind=AdmissionReview")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise InvalidAnswer("webhook response was absent")
    if version == "v1":
        _check_head(answer, response, uid)
    if mutating:
        patch = _patch(response, strict=version == "v1")
    else:
        _check_no_patch(response)
        patch = None
    status = response.get("status")
    warnings = response.get("warnings")
    return Verdict(
        response.get("allowed") is True,
        status if isinstance(status, dict) else None,
        patch,
        tuple(str(each) for each in warnings) if isinstance(warnings, list) else (),
    )


def _check_head(answer: Object, response: Object, uid: str) -> None:
    if response.get("uid") != uid:
        given = json.dumps(response.get("uid") or "")
        raise InvalidAnswer(f'expected response.uid="{uid}", got {given}')
    given = f"{answer.get('apiVersion') or ''}, Kind={answer.get('kind') or ''}"
    wanted = f"{GROUP}/v1, Kind=AdmissionReview"
    if given != wanted:
        raise InvalidAnswer(f"expected webhook response of {wanted}, got {given}")


def _patch(response: Object, *, strict: bool) -> Any:
    patch, kind = response.get("patch"), response.get("patchType")
    if not patch:
        if kind is not None and strict:
            raise InvalidAnswer("webhook returned response.patchType but not response.patch")
        return None
    if kind is None and strict:
        raise InvalidAnswer("webhook returned response.patch but not response.patchType")
    if kind not in (None, _JSON_PATCH):
        raise InvalidAnswer(f'webhook returned invalid response.patchType of "{kind}"')
    try:
        found = json.loads(base64.b64decode(str(patch), validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidAnswer(f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(found, list):
        raise InvalidAnswer("received undecodable patch in webhook response: it must be a list of operations")
    return found or None


def _check_no_patch(response: Object) -> None:
    if response.get("patch"):
        raise InvalidAnswer("validating webhook may not return response.patch")
    if response.get("patchType") is not None:
        raise InvalidAnswer("validating webhook may not return response.patchType")


def denial(webhook: str, status: Mapping[str, Any] | None) -> errors.StatusError:
    """Return the refusal as a webhook's client sees it: the webhook's own Status, with its name before it."""
    given = dict(status or {})
    code = given.get("code")
    said = f'admission webhook "{webhook}" denied the request'
    if given.get("message"):
        said = f"{said}: {given['message']}"
    elif given.get("reason"):
        said = f"{said}: {given['reason']}"
    else:
        said = f"{said} without explanation"
    details = given.get("details")
    return errors.StatusError(
        code if isinstance(code, int) and code >= 400 else 400,
        str(given.get("reason") or ""),
        said,
        details=details if isinstance(details, dict) else {},
    )
