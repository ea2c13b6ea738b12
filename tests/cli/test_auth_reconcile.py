"""``auth reconcile``: what it does to roles and bindings, and what it tells of that, beside stock kubectl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import World

GROUP = "rbac.authorization.k8s.io"
KEPT = {"rbac.authorization.kubernetes.io/autoupdate": "false"}


def _rule(resource: str, *verbs: str, **more: list[str]) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": [resource], "verbs": list(verbs), **more}


def _role(kind: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    rules_said = {"rules": list(rules)} if rules else {}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, **rules_said, **more}


def _binding(kind: str, role: str, *users: str, **more: Any) -> dict[str, Any]:
    subjects = [{"apiGroup": GROUP, "kind": "User", "name": user} for user in users]
    role_kind = kind.removesuffix("Binding")
    reference = {"apiGroup": GROUP, "kind": role_kind, "name": role}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "roleRef": reference, "subjects": subjects, **more}


FEWER = ("--remove-extra-permissions", "--remove-extra-subjects")
PODS, NODES = _rule("pods", "get", "list"), _rule("nodes", "get")
PATHS = {"nonResourceURLs": ["/healthz", "/livez"], "verbs": ["get"]}
ACCOUNT = {"kind": "ServiceAccount", "name": "s", "namespace": "default"}
STORIES: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "rules of a ClusterRole": [
        (_role("ClusterRole", PODS, PATHS), ("--dry-run=client",)),
        (_role("ClusterRole", PODS, PATHS), ()),
        (_role("ClusterRole", PODS, PATHS), ()),
        (_role("ClusterRole", _rule("pods", "get", "watch", "delete", resourceNames=["a", "b"])), ()),
        (_role("ClusterRole", NODES, metadata={"labels": {"a": "b"}}), FEWER),
        (_role("ClusterRole", NODES, metadata={"labels": {"a": "other"}, "annotations": {"c": "d"}}), ()),
        (_role("ClusterRole", NODES), FEWER),
    ],
    "rules of a Role": [
        (_role("Role", PODS), ()),
        (_role("Role", _rule("pods", "*")), ()),
        (_role("Role", PODS), ("--dry-run=client", *FEWER)),
        (_role("Role", PODS), FEWER),
    ],
    "a ClusterRole that opted out": [
        (_role("ClusterRole", PODS, metadata={"annotations": KEPT}), ()),
        (_role("ClusterRole", NODES), FEWER),
    ],
    "a ClusterRole that gathers others": [
        (_role("ClusterRole", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}), ()),
        (_role("ClusterRole", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"c": "d"}}]}), ()),
        (
            _role("ClusterRole", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"c": "d"}}]}),
            FEWER,
        ),
        (_role("ClusterRole", NODES), ()),
    ],
    "subjects of a binding": [
        (_binding("ClusterRoleBinding", "toy-x", "a"), ()),
        (_binding("ClusterRoleBinding", "toy-x", "b", "c"), ()),
        (_binding("ClusterRoleBinding", "toy-x", "b"), FEWER),
        (_binding("ClusterRoleBinding", "toy-x", "b"), ()),
        (_binding("ClusterRoleBinding", "other", "d"), ()),
        (_binding("ClusterRoleBinding", "third", "e", metadata={"annotations": KEPT}), ()),
        (_binding("ClusterRoleBinding", "fourth", "e"), ()),
    ],
    "an account in a namespace": [
        ({**_binding("RoleBinding", "toy-x"), "subjects": [ACCOUNT]}, ()),
        (_binding("RoleBinding", "toy-x", "a"), FEWER),
    ],
}


@pytest.mark.parametrize("title", STORIES)
def test_roles_and_bindings_are_reconciled_as_kubectl_does_it(world: World, title: str) -> None:
    """Both programs tell the same story to an object each: what they print, and what is stored, is the same."""
    kind = STORIES[title][0][0]["kind"]
    try:
        for wanted, flags in STORIES[title]:
            seen = []
            for name, program in (("toy-k", world.kubectl), ("toy-m", world.run)):
                place = {"name": name} | ({} if kind.startswith("Cluster") else {"namespace": "default"})
                manifest = json.dumps({**wanted, "metadata": {**wanted.get("metadata", {}), **place}})
                done = program("auth", "reconcile", "-f", "-", *flags, stdin=manifest)
                seen.append((done.code, done.out.replace(name, "NAME"), done.err, _stored(world, kind, name)))
            assert seen[1] == seen[0], (wanted, flags)
    finally:
        world.run("delete", kind, "toy-k", "toy-m", "--ignore-not-found")


def _stored(world: World, kind: str, name: str) -> object:
    found = world.run("get", kind, name, "-o", "json", "--ignore-not-found").out
    if not found:
        return None
    stored = json.loads(found)
    kept = {part: stored["metadata"].get(part) for part in ("labels", "annotations")}
    return {**stored, "metadata": kept}


@pytest.fixture
def absent(world: World) -> Iterator[str]:
    """Yield the name of a namespace that is not there."""
    yield "reconciled"
    world.run("delete", "namespace", "reconciled", "--ignore-not-found", "--wait=false")


def test_the_namespace_of_a_role_is_made_where_it_is_missing(world: World, absent: str) -> None:
    role = _role("Role", PODS, metadata={"name": "toy", "namespace": absent})
    done = world.run("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    assert (done.code, done.out) == (0, f"role.{GROUP}/toy reconciled\n"), done.err
    assert world.run("get", "role", "toy", "-n", absent, "-o", "name").code == 0


def test_a_subject_without_its_group_is_not_added_twice(world: World) -> None:
    """The server fills the group in; kubectl adds such a subject again with each run."""
    binding = _binding("ClusterRoleBinding", "view", metadata={"name": "toy"})
    binding["subjects"] = [{"kind": "User", "name": "jane"}]
    try:
        assert "required create" in world.run("auth", "reconcile", "-f", "-", stdin=json.dumps(binding)).err
        assert world.run("auth", "reconcile", "-f", "-", stdin=json.dumps(binding)).err == ""
    finally:
        world.run("delete", "clusterrolebinding", "toy", "--ignore-not-found")
