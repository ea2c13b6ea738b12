"""Roles and their bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

GROUP = "rbac.authorization.k8s.io"

Rule = dict[str, Any]


def default_binding(obj: Object) -> None:
    """Complete a RoleBinding or ClusterRoleBinding: the groups of the role and of the subjects."""
    role = obj.get("roleRef")
    if isinstance(role, dict) and not role.get("apiGroup"):
        role["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def validate_role(*, namespaced: bool) -> Callable[[Object, Object | None], list[Cause]]:
    """Return the function that judges a Role, or a ClusterRole."""

    def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
        found: list[Cause] = []
        for index, rule in enumerate(obj.get("rules") or ()):
            found += _rule(rule, f"rules[{index}]", namespaced)
        return found

    return validate


def _rule(rule: Rule, path: str, namespaced: bool) -> Iterator[Cause]:
    if not rule.get("verbs"):
        yield causes.required(f"{path}.verbs", "verbs must contain at least one value")
    addresses = rule.get("nonResourceURLs")
    if addresses:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            yield causes.invalid(where, addresses, "namespaced rules cannot apply to non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            yield causes.invalid(where, addresses, detail)
        return
    if not rule.get("apiGroups"):
        yield causes.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield causes.required(f"{path}.resources", "resource rules must supply at least one resource")


def validate_binding(*, namespaced: bool) -> Callable[[Object, Object | None], list[Cause]]:
    """Return the function that judges a RoleBinding, or a ClusterRoleBinding."""

    def validate(obj: Object, old: Object | None) -> list[Cause]:
        role = obj.get("roleRef") or {}
        found = list(_role(role, namespaced))
        for index, subject in enumerate(obj.get("subjects") or ()):
            found += _subject(subject, f"subjects[{index}]", namespaced)
        if old is not None and role != old.get("roleRef"):
            found.append(causes.invalid("roleRef", role, "cannot change roleRef"))
        return found

    return validate


def _role(role: Rule, namespaced: bool) -> Iterator[Cause]:
    if role.get("apiGroup") != GROUP:
        yield causes.unsupported("roleRef.apiGroup", role.get("apiGroup") or "", [GROUP])
    known = ["Role", "ClusterRole"] if namespaced else ["ClusterRole"]
    if role.get("kind") not in known:
        yield causes.unsupported("roleRef.kind", role.get("kind") or "", known)
    if not role.get("name"):
        yield causes.required("roleRef.name")
    for fault in names.path_segment(role.get("name") or ""):
        yield causes.invalid("roleRef.name", role["name"], fault)


def _subject(subject: Rule, path: str, namespaced: bool) -> Iterator[Cause]:
    name, kind, group = subject.get("name") or "", subject.get("kind") or "", subject.get("apiGroup") or ""
    if not name:
        yield causes.required(f"{path}.name")
    if kind == "ServiceAccount":
        for fault in names.dns_subdomain(name) if name else ():
            yield causes.invalid(f"{path}.name", name, fault)
        if group:
            yield causes.unsupported(f"{path}.apiGroup", group, [""])
        if not namespaced and not subject.get("namespace"):
            yield causes.required(f"{path}.namespace")
    elif kind in ("User", "Group"):
        if not name:
            yield causes.invalid(f"{path}.name", name, f"{kind.lower()} name cannot be empty")
        if group != GROUP:
            yield causes.unsupported(f"{path}.apiGroup", group, [GROUP])
    else:
        yield causes.unsupported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"])
