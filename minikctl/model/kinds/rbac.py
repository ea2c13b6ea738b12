"""The kinds of rbac.authorization.k8s.io: roles, and who has them."""

from __future__ import annotations

import functools
from datetime import datetime

from minikctl.model import cells, names
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import rbac


def _role(obj: Object, _now: datetime) -> str:
    role = obj.get("roleRef") or {}
    return f"{role.get('kind', '')}/{role.get('name', '')}"


def _subjects(kind: str) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> str:
        found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{each.get('namespace', '')}/{each.get('name', '')}" for each in found)
        return ", ".join(each.get("name", "") for each in found)

    return cell


_kind = functools.partial(Kind, "rbac.authorization.k8s.io", "v1", name_rule=names.path_segment)
_role_kind = functools.partial(_kind, columns=(cells.NAME, cells.CREATED))
_binding_kind = functools.partial(
    _kind,
    default=rbac.default_binding,
    columns=(
        cells.NAME,
        Column("Role", _role),
        cells.AGE,
        Column("Users", _subjects("User"), priority=1),
        Column("Groups", _subjects("Group"), priority=1),
        Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
    ),
)

CLUSTER_ROLE = _role_kind(
    "ClusterRole", "clusterroles", namespaced=False, validate=rbac.validate_role(namespaced=False)
)
CLUSTER_ROLE_BINDING = _binding_kind(
    "ClusterRoleBinding",
    "clusterrolebindings",
    namespaced=False,
    validate=rbac.validate_binding(namespaced=False),
)
ROLE = _role_kind("Role", "roles", validate=rbac.validate_role(namespaced=True))
ROLE_BINDING = _binding_kind("RoleBinding", "rolebindings", validate=rbac.validate_binding(namespaced=True))
ALL = (CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING)
