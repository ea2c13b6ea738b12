"""Roles and their bindings."""

from __future__ import annotations

from minikctl.model.objects import Object

GROUP = "rbac.authorization.k8s.io"


def default_binding(obj: Object) -> None:
    """Complete a RoleBinding or ClusterRoleBinding: the groups of the role and of the subjects."""
    role = obj.get("roleRef")
    if isinstance(role, dict) and not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP
