"""Questions about users: who am I, what may I do, may they do that, whose token is this.

The refusals are those of Kubernetes' validation of authorization.k8s.io and authentication.k8s.io.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from minikctl import errors
from minikctl.apiserver import jws
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import User
from minikctl.apiserver.authorization import Decision
from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.rbac import Rbac
from minikctl.model import causes, rbac
from minikctl.model.objects import Object


@dataclass(frozen=True)
class Review:
    """A kind that is answered and never stored."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = False


AUTHORIZATION = "authorization.k8s.io"
WHO = Review("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews")
TOKEN = Review("authentication.k8s.io", "v1", "TokenReview", "tokenreviews")
LOCAL = Review(AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", True)
ACCESS = Review(AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews")
RULES = Review(AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews")
SUBJECT = Review(AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews")
ALL = (WHO, TOKEN, LOCAL, ACCESS, RULES, SUBJECT)

_BY_NAME = {(review.group, review.version, review.plural): review for review in ALL}


def find(path: str) -> tuple[Review, str] | None:
    """Return the review that a path asks for, and its namespace ("" for most)."""
    parts = path.strip("/").split("/")
    if parts[0] != "apis" or len(parts) not in (4, 6):
        return None
    found = _BY_NAME.get((parts[1], parts[2], parts[-1]))
    if found is None or found.namespaced != (len(parts) == 6 and parts[3] == "namespaces"):
        return None
    return found, parts[4] if found.namespaced else ""


def of_version(group: str, version: str) -> list[Review]:
    """Return the reviews of one group and version."""
    return [review for review in ALL if (review.group, review.version) == (group, version)]


@dataclass(frozen=True)
class Reviewer:
    """Answers reviews; without an issuer no token is known."""

    roles: Rbac
    issuer: Issuer | None

    def answer(self, review: Review, body: Object, user: User, namespace: str = "") -> Object:
        """Return the review with its status filled in."""
        head = {"kind": review.kind, "apiVersion": f"{review.group}/{review.version}"}
        spec = body.get("spec") or {}
        status = self._status(review, spec, user, namespace)
        metadata = body.get("metadata") or {"creationTimestamp": None}
        if review.namespaced:
            metadata = {**metadata, "namespace": namespace}
        return {**head, "metadata": metadata, **({} if review is WHO else {"spec": spec}), "status": status}

    def _status(self, review: Review, spec: dict[str, Any], user: User, namespace: str) -> dict[str, Any]:
        if review is WHO:
            return {"userInfo": user.info()}
        if review is TOKEN:
            return self._token(spec)
        if review is RULES:
            return self._rules(spec, user)
        _check(review, spec, namespace)
        if review is not ACCESS:
            extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
            groups = tuple(spec.get("groups") or ())
            user = User(str(spec.get("user") or ""), groups, str(spec.get("uid") or ""), extra)
        return _told(self.roles.authorize(user, _asked(spec)))

    def _rules(self, spec: dict[str, Any], user: User) -> dict[str, Any]:
        if not spec.get("namespace"):
            raise errors.bad_request("no namespace on request")
        held = self.roles.held(user, str(spec["namespace"]))
        fields = ("verbs", "apiGroups", "resources", "resourceNames")
        resources = [each for each in held.rules if each.get("resources")]
        paths = [each for each in held.rules if each.get("nonResourceURLs")]
        found: dict[str, Any] = {
            "resourceRules": [
                {field: rule[field] for field in fields if rule.get(field)} for rule in resources
            ],
            "nonResourceRules": [
                {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]} for rule in paths
            ],
            "incomplete": bool(held.problems),
        }
        return {**found, "evaluationError": ", ".join(held.problems)} if held.problems else found

    def _token(self, spec: dict[str, Any]) -> dict[str, Any]:
        token, audiences = str(spec.get("token") or ""), [str(each) for each in spec.get("audiences") or ()]
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        if self.issuer is None:
            return {"user": {}}
        try:
            user, common = self.issuer.verify(token, audiences)
        except jws.InvalidToken as problem:
            told = f"[invalid bearer token, {problem}]" if str(problem) else "invalid bearer token"
            return {"user": {}, "error": told}
        return {"authenticated": True, "user": user.info(), "audiences": common}


def _told(decision: Decision) -> dict[str, Any]:
    told: dict[str, Any] = {"allowed": decision.allowed}
    return {**told, "reason": decision.reason} if decision.reason else told


def _check(review: Review, spec: dict[str, Any], namespace: str) -> None:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found = []
    if resource and path:
        text = "cannot be specified in combination with resourceAttributes"
        found.append(causes.invalid("spec.nonResourceAttributes", path, text))
    if not resource and not path:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(causes.invalid("spec.resourceAttributes", None, text))
    if review is not ACCESS and not spec.get("user") and not spec.get("groups"):
        text = "at least one of user or group must be specified"
        found.append(causes.invalid("spec.user", spec.get("user") or "", text))
    if review is LOCAL and path:
        text = "disallowed on this kind of request"
        found.append(causes.invalid("spec.nonResourceAttributes", path, text))
    if found:
        raise errors.invalid(review.kind, review.group, "", found)
    if review is LOCAL and (resource or {}).get("namespace") != namespace:
        text = f"spec.resourceAttributes.namespace must match namespace: {namespace}"
        raise errors.bad_request(text)


def _asked(spec: dict[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path:
        return Attributes(str(path.get("verb") or ""), path=str(path.get("path") or ""))
    given = spec.get("resourceAttributes") or {}
    names = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    asked = Attributes(*(str(given.get(name) or "") for name in names))
    # Rules name no resource "": without one, only rules about everything fit.
    return asked if asked.resource else replace(asked, resource=rbac.ALL)
