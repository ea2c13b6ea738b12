"""RBAC: who may do what by the roles that are bound to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from minikctl import errors
from minikctl.apiserver import feed
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import MASTERS, User
from minikctl.apiserver.authorization import ALLOWED, Decision
from minikctl.model import objects, rbac
from minikctl.model.kinds.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from minikctl.model.objects import Object

GROUP = "rbac.authorization.k8s.io"


@dataclass
class Held:
    """The rules that a user has in a namespace, and why some could not be found out."""

    rules: list[rbac.Rule] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Rbac:
    """Answers from the roles and bindings as they are now."""

    def __init__(self, source: feed.Feed) -> None:
        self._feed = source

    def authorize(self, user: User, asked: Attributes) -> Decision:
        """Decide whether the user may do it; system:masters may do everything."""
        if MASTERS in user.groups:
            return ALLOWED
        problems: list[str] = []
        for binding, subject in self._bindings(user, asked.namespace):
            found = self._role_rules(binding, problems)
            if any(_allows(rule, asked) for rule in found):
                return Decision(True, f"RBAC: allowed by {_described(binding, subject)}")
        return Decision(False, f"RBAC: {_aggregate(problems)}" if problems else "")

    def held(self, user: User, namespace: str) -> Held:
        """Return all rules of the user that count in a namespace ("": at the cluster scope)."""
        found = Held()
        if MASTERS in user.groups:
            found.rules.extend(rbac.FULL_AUTHORITY)
        for binding, _ in self._bindings(user, namespace):
            found.rules.extend(self._role_rules(binding, found.problems))
        return found

    def rules_of(self, reference: Object, namespace: str) -> tuple[rbac.Rule, ...] | None:
        """Return the rules of the role that a binding in that namespace refers to, None if it is missing."""
        if reference.get("kind") == "ClusterRole":
            found = self._feed.collection(CLUSTER_ROLE).get(("", str(reference.get("name"))))
        else:
            found = self._feed.collection(ROLE).get((namespace, str(reference.get("name"))))
        return None if found is None else tuple(found.object.get("rules") or ())

    def _role_rules(self, binding: Object, problems: list[str]) -> tuple[rbac.Rule, ...]:
        reference = binding.get("roleRef") or {}
        found = self.rules_of(reference, objects.namespace(binding))
        if found is None:
            plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
            word = plural.removesuffix("s")
            problems.append(f'{word}.{GROUP} "{reference.get("name")}" not found')
        return found or ()

    def _bindings(self, user: User, namespace: str) -> Iterator[tuple[Object, Object]]:
        """Yield the bindings that give the user something, each with the subject that the user is."""
        for entry in self._feed.collection(CLUSTER_ROLE_BINDING).entries():
            yield from _matching(entry.object, user)
        if namespace:
            for entry in self._feed.collection(ROLE_BINDING).entries(namespace):
                yield from _matching(entry.object, user)


def no_role(resource: str, name: str) -> errors.StatusError:
    """404: there is no role of that name."""
    return errors.not_found(resource, GROUP, name)


def _matching(binding: Object, user: User) -> Iterator[tuple[Object, Object]]:
    for subject in binding.get("subjects") or ():
        if _is(subject, user, objects.namespace(binding)):
            yield binding, subject
            return


def _is(subject: dict[str, Any], user: User, namespace: str) -> bool:
    name = subject.get("name")
    match subject.get("kind"):
        case "User":
            return bool(name == user.name)
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return bool(home) and user.name == f"system:serviceaccount:{home}:{name}"
    return False


def _allows(rule: rbac.Rule, asked: Attributes) -> bool:
    if not asked.resource:
        return rbac.allows_path(rule, asked.verb, asked.path)
    return rbac.allows(rule, asked.verb, asked.group, asked.qualified, asked.name)


def _described(binding: Object, subject: Object) -> str:
    reference, namespace = binding.get("roleRef") or {}, objects.namespace(binding)
    own = f"{objects.name(binding)}/{namespace}" if namespace else objects.name(binding)
    whom = str(subject.get("name"))
    if subject.get("kind") == "ServiceAccount":
        whom += f"/{subject.get('namespace') or namespace}"
    word = "RoleBinding" if namespace else "ClusterRoleBinding"
    role = f'{reference.get("kind")} "{reference.get("name")}"'
    return f'{word} "{own}" of {role} to {subject.get("kind")} "{whom}"'


def _aggregate(problems: list[str]) -> str:
    """Return several errors as Kubernetes prints them together."""
    different = list(dict.fromkeys(problems))
    return different[0] if len(different) == 1 else "[" + ", ".join(different) + "]"
