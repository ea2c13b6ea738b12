"""Nobody grants what they do not have: the rules of roles and bindings are checked against one's own.

In Kubernetes this is part of the storage of these kinds; the words are those of its rule validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from minikctl.apiserver import rbac
from minikctl.apiserver.admission.chain import Plugin, Request
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import MASTERS
from minikctl.apiserver.authorization import Authorize
from minikctl.model import rbac as rules
from minikctl.model.objects import Object


class _Grant(Plugin):
    operations = frozenset(("CREATE", "UPDATE"))
    verb: ClassVar[str]
    """What allows granting without having."""

    def __init__(self, roles: rbac.Rbac) -> None:
        self._roles = roles
        self._authorize: Authorize = roles.authorize

    def _may(self, request: Request, resource: str, name: str) -> bool:
        asked = Attributes(self.verb, rbac.GROUP, "v1", resource, "", request.namespace, name)
        return self._authorize(request.user, asked).allowed

    def _confirm(self, request: Request, wanted: Iterable[rules.Rule]) -> None:
        held = self._roles.held(request.user, request.namespace)
        lacking = rules.compact(rules.missing(held.rules, wanted))
        if not lacking:
            return
        user = request.user
        listed = "\n".join(sorted({rules.shown(each) for each in lacking}))
        text = (
            f'user "{user.name}" (groups={rules.quoted(user.groups)}) is attempting to grant RBAC '
            f"permissions not currently held:\n{listed}"
        )
        if held.problems:
            text += f"; resolution errors: [{', '.join(held.problems)}]"
        raise request.refusal(text)


class RoleEscalation(_Grant):
    """Checks the rules of Roles and ClusterRoles."""

    name = "RoleEscalation"
    resources = frozenset((f"roles.{rbac.GROUP}", f"clusterroles.{rbac.GROUP}"))
    verb = "escalate"

    async def validate(self, request: Request) -> None:
        """Refuse rules that the user neither has nor may escalate to."""
        new, old = request.new, request.old or {}
        if MASTERS in request.user.groups or self._may(request, request.kind.plural, request.name):
            return
        if new.get("aggregationRule"):
            held = self._roles.held(request.user, request.namespace)
            if rules.missing(held.rules, rules.FULL_AUTHORITY):
                raise request.refusal("must have cluster-admin privileges to use an aggregationRule")
        if request.operation == "UPDATE" and new.get("rules") == old.get("rules"):
            return
        self._confirm(request, new.get("rules") or ())


class BindingEscalation(_Grant):
    """Checks the roles that RoleBindings and ClusterRoleBindings give away."""

    name = "BindingEscalation"
    resources = frozenset((f"rolebindings.{rbac.GROUP}", f"clusterrolebindings.{rbac.GROUP}"))
    verb = "bind"

    async def validate(self, request: Request) -> None:
        """Refuse a role that the user neither has nor may bind."""
        new, old = request.new, request.old or {}
        if MASTERS in request.user.groups:
            return
        if request.operation == "UPDATE" and _granted(new) == _granted(old):
            return
        reference = new.get("roleRef") or {}
        resource = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        name = str(reference.get("name") or "")
        if self._may(request, resource, name):
            return
        found = self._roles.rules_of(reference, request.namespace)
        if found is None:
            raise rbac.no_role(resource, name)
        self._confirm(request, found)


def _granted(binding: Object) -> tuple[object, object]:
    return binding.get("roleRef"), binding.get("subjects")
