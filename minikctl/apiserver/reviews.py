"""Questions about the caller: who am I, what may I do.  Whoever has the token may do everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minikctl.apiserver.auth import User
from minikctl.model.objects import Object


@dataclass(frozen=True)
class Review:
    """A kind that is answered and never stored."""

    group: str
    version: str
    kind: str
    plural: str


WHO = Review("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews")
ACCESS = Review("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews")
RULES = Review("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews")
ALL = (WHO, ACCESS, RULES)

_BY_PATH = {f"/apis/{review.group}/{review.version}/{review.plural}": review for review in ALL}


def find(path: str) -> Review | None:
    """Return the review that a path asks for."""
    return _BY_PATH.get(path)


def of_version(group: str, version: str) -> list[Review]:
    """Return the reviews of one group and version."""
    return [review for review in ALL if (review.group, review.version) == (group, version)]


def answer(review: Review, body: Object, user: User) -> Object:
    """Return the review with its status filled in."""
    head = {"kind": review.kind, "apiVersion": f"{review.group}/{review.version}"}
    metadata = body.get("metadata") or {"creationTimestamp": None}
    return {**head, "metadata": metadata, "spec": body.get("spec") or {}, "status": _status(review, user)}


def _status(review: Review, user: User) -> dict[str, Any]:
    if review is WHO:
        return {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    if review is ACCESS:
        return {"allowed": True, "reason": f"{user.name} is this cluster's administrator"}
    return {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }
