"""Who may do what, over HTTP: roles, bindings, escalation, impersonation and the questions about them."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.apiserver import rbac_bootstrap
from minikctl.apiserver.auth import AUTHENTICATED, Credentials, TokenAuthenticator, User, any_of
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client

GROUP = "rbac.authorization.k8s.io"
API = f"/apis/{GROUP}/v1"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
REVIEWS = "/apis/authorization.k8s.io/v1"


def named(credentials: Credentials) -> User | None:
    """Take the token for the user's name, with the groups after it: ``ann/dev/ops``."""
    name, *groups = credentials.bearer().split("/")
    return User(name, (*groups, AUTHENTICATED)) if name and name != "wrong" else None


class Talk:
    """Asks as anybody; ``admin`` is the administrator."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._app = build_app(registry, authenticate=any_of((TokenAuthenticator(TOKEN), named)))
        self.admin = Client(self._app)

    def by(self, who: str, **headers: str) -> Client:
        client = Client(self._app, who)
        if not who:
            client.headers.clear()
        client.headers.update({f"impersonate-{key}": value for key, value in headers.items()})
        return client

    async def allow(self, who: str, verbs: str, resources: str, namespace: str = "", **rule: Any) -> None:
        """Give the user these verbs on these resources, in one namespace or everywhere."""
        wanted = {"apiGroups": [""], "resources": resources.split(), "verbs": verbs.split(), **rule}
        await self.grant(who, [wanted], namespace)

    async def grant(self, who: str, rules: list[Any], namespace: str = "") -> None:
        kind = "Role" if namespace else "ClusterRole"
        base = f"{API}/namespaces/{namespace}" if namespace else API
        name = f"{who}-{len(self.registry.list(kinds.CLUSTER_ROLE, '').entries)}"
        role = {"metadata": {"name": name}, "rules": rules}
        made = await self.admin("POST", f"{base}/{kind.lower()}s", role)
        assert made.status == 201, made.json()
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name},
            "subjects": [{"kind": "User", "name": who}],
        }
        assert (await self.admin("POST", f"{base}/{kind.lower()}bindings", binding)).status == 201


@pytest.fixture
def talk(registry: Registry) -> Talk:
    return Talk(registry)


async def test_nobody_may_do_what_no_role_allows(talk: Talk) -> None:
    refused = await talk.by("ann")("GET", PODS)
    assert refused.status == 403
    status = refused.json()
    assert status["message"] == (
        'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert (status["reason"], status["details"]) == ("Forbidden", {"kind": "pods"})


async def test_a_role_allows_what_it_says_where_it_says(talk: Talk) -> None:
    await talk.allow("ann", "get list", "configmaps", "default")
    ann = talk.by("ann")
    assert (await ann("GET", MAPS)).status == 200
    assert (await ann("GET", f"{MAPS}/x")).status == 404
    assert (await ann("POST", MAPS, samples.config_map())).status == 403
    assert (await ann("GET", "/api/v1/namespaces/kube-system/configmaps")).status == 403
    assert (await ann("GET", "/api/v1/configmaps")).status == 403
    assert (await ann("GET", f"{MAPS}?watch=1")).status == 403
    assert (await talk.by("bob")("GET", MAPS)).status == 403


async def test_rules_can_be_about_some_names_and_about_parts(talk: Talk) -> None:
    await talk.allow("ann", "get", "configmaps", resourceNames=["a"])
    await talk.allow("bob", "get", "pods/log */status")
    ann, bob = talk.by("ann"), talk.by("bob")
    assert (await ann("GET", f"{MAPS}/a")).status == 404
    assert (await ann("GET", f"{MAPS}/b")).status == 403
    assert (await bob("GET", f"{PODS}/a/log")).status == 404
    assert (await bob("GET", f"{PODS}/a/status")).status == 404
    assert (await bob("GET", f"{PODS}/a")).status == 403


async def test_paths_are_allowed_by_rules_of_their_own(talk: Talk) -> None:
    assert (await talk.by("ann")("GET", "/metrics")).json()["message"] == (
        'forbidden: User "ann" cannot get path "/metrics"'
    )
    await talk.grant("ann", [{"nonResourceURLs": ["/metr*"], "verbs": ["get"]}])
    assert (await talk.by("ann")("GET", "/metrics")).status != 403
    for path in ("/api", "/apis", "/apis/apps/v1", "/openapi/v3", "/version"):
        assert (await talk.by("ann")("GET", path)).status == 200, path


async def test_who_brings_nothing_is_anonymous_and_sees_health_only(talk: Talk) -> None:
    nobody = talk.by("")
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert (await nobody("GET", path)).status == 200, path
    refused = await nobody("GET", PODS)
    assert (refused.status, refused.json()["message"]) == (
        403,
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" '
        'in the namespace "default"',
    )
    for path in ("/api", "/openapi/v2", "/", "/.well-known/openid-configuration", "/apis/x/v1/y"):
        assert (await nobody("GET", path)).status == 403, path
    assert (await talk.by("wrong")("GET", "/healthz")).status == 401


async def test_a_binding_to_a_role_that_is_not_there_says_so(talk: Talk) -> None:
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "gone"},
        "subjects": [{"kind": "Group", "name": "dev"}],
    }
    assert (await talk.admin("POST", f"{API}/clusterrolebindings", binding)).status == 201
    refused = await talk.by("ann/dev")("GET", PODS)
    assert refused.json()["message"].endswith(
        f'in the namespace "default": RBAC: clusterrole.{GROUP} "gone" not found'
    )


async def test_nobody_grants_what_they_do_not_have(talk: Talk) -> None:
    await talk.grant(
        "ann", [{"apiGroups": [GROUP], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]
    )
    await talk.allow("ann", "get", "pods")
    ann = talk.by("ann")
    rule = {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]}
    refused = await ann(
        "POST", f"{API}/namespaces/default/roles", {"metadata": {"name": "r"}, "rules": [rule]}
    )
    assert refused.status == 403
    assert refused.json()["message"] == (
        f'roles.{GROUP} "r" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to grant '
        "RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    )
    own = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    assert (await ann("POST", f"{API}/namespaces/default/roles", own)).status == 201
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }
    path = f"{API}/namespaces/default/rolebindings"
    assert "not currently held" in (await ann("POST", path, binding)).json()["message"]
    missing = {**binding, "roleRef": {**binding["roleRef"], "name": "gone"}}
    assert (await ann("POST", path, missing)).status == 404
    assert (
        await ann("POST", path, {**binding, "roleRef": {**binding["roleRef"], "kind": "Role", "name": "r"}})
    ).status == 201


async def test_bind_and_escalate_allow_it_all_the_same(talk: Talk) -> None:
    rule = {
        "apiGroups": [GROUP],
        "verbs": ["create", "bind", "escalate"],
        "resources": ["clusterroles", "clusterrolebindings"],
    }
    await talk.grant("ann", [rule])
    ann = talk.by("ann")
    role = {"metadata": {"name": "r"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    assert (await ann("POST", f"{API}/clusterroles", role)).status == 201
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }
    assert (await ann("POST", f"{API}/clusterrolebindings", binding)).status == 201
    assert (await ann("GET", "/api/v1/secrets")).status == 200


async def test_an_aggregated_role_takes_all_power_to_make(talk: Talk) -> None:
    await talk.grant("ann", [{"apiGroups": [GROUP], "verbs": ["create"], "resources": ["clusterroles"]}])
    role = {
        "metadata": {"name": "r"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    refused = await talk.by("ann")("POST", f"{API}/clusterroles", role)
    assert "must have cluster-admin privileges to use an aggregationRule" in refused.json()["message"]


async def test_acting_as_somebody_else_has_to_be_allowed(talk: Talk) -> None:
    refused = await talk.by("ann", user="bob")("GET", PODS)
    assert (refused.status, refused.json()["message"]) == (
        403,
        'users "bob" is forbidden: User "ann" cannot impersonate resource "users" in API group "" '
        "at the cluster scope",
    )
    await talk.allow("ann", "impersonate", "users groups serviceaccounts")
    await talk.allow("bob", "list", "pods")
    assert (await talk.by("ann", user="bob")("GET", PODS)).status == 200
    assert (await talk.by("ann", user="bob")("GET", MAPS)).status == 403
    who = await talk.by("ann", user="bob", group="dev")(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert who.json()["status"]["userInfo"] == {"username": "bob", "groups": ["dev", "system:authenticated"]}
    refused = await talk.by("ann", user="bob", **{"extra-scopes": "x"})("GET", PODS)
    assert 'cannot impersonate resource "userextras/scopes"' in refused.json()["message"]
    account = await talk.by("ann", user="system:serviceaccount:default:robot")(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert account.json()["status"]["userInfo"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ]
    assert (await talk.by("ann", group="dev")("GET", PODS)).status == 500


async def test_may_i(talk: Talk) -> None:
    await talk.allow("ann", "list", "pods", "default")

    async def asked(who: Client, **attributes: str) -> Any:
        spec = {"resourceAttributes": attributes}
        return (await who("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": spec})).json()["status"]

    ann = talk.by("ann")
    found = await asked(ann, verb="list", resource="pods", namespace="default")
    assert found["allowed"] is True
    assert found["reason"].startswith('RBAC: allowed by RoleBinding "ann-')
    assert await asked(ann, verb="list", resource="pods") == {"allowed": False}
    assert (await asked(talk.admin, verb="x", resource="y"))["allowed"] is True
    subject = {
        "user": "ann",
        "resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "default"},
    }
    path = f"{REVIEWS}/subjectaccessreviews"
    assert (await talk.admin("POST", path, {"spec": subject})).json()["status"]["allowed"] is True
    assert (await ann("POST", path, {"spec": subject})).status == 403
    assert (await talk.admin("POST", path, {"spec": {"user": "ann"}})).status == 422
    local = f"{REVIEWS}/namespaces/default/localsubjectaccessreviews"
    assert (await talk.admin("POST", local, {"spec": subject})).json()["status"]["allowed"] is True
    other = local.replace("/default/", "/kube-system/")
    assert (await talk.admin("POST", other, {"spec": subject})).status == 400


async def test_what_may_i(talk: Talk) -> None:
    await talk.allow("ann", "list", "pods", "default")
    spec = {"spec": {"namespace": "default"}}
    found = (await talk.by("ann")("POST", f"{REVIEWS}/selfsubjectrulesreviews", spec)).json()["status"]
    assert {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]} in found["resourceRules"]
    assert any("/version" in each["nonResourceURLs"] for each in found["nonResourceRules"])


async def test_what_was_taken_from_the_systems_roles_is_given_back(talk: Talk) -> None:
    registry = talk.registry
    role = registry.get(kinds.CLUSTER_ROLE, "", "system:basic-user")
    await registry.update(kinds.CLUSTER_ROLE, "", "system:basic-user", {**role, "rules": role["rules"][:1]})
    await registry.delete(kinds.CLUSTER_ROLE_BINDING, "", "system:discovery")
    kept = registry.get(kinds.CLUSTER_ROLE, "", "system:discovery")
    notes = {**kept["metadata"], "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "false"}}
    await registry.update(
        kinds.CLUSTER_ROLE, "", "system:discovery", {**kept, "metadata": notes, "rules": []}
    )
    await rbac_bootstrap.reconcile(registry)
    assert len(registry.get(kinds.CLUSTER_ROLE, "", "system:basic-user")["rules"]) == 2
    assert registry.get(kinds.CLUSTER_ROLE_BINDING, "", "system:discovery")
    assert not registry.get(kinds.CLUSTER_ROLE, "", "system:discovery")["rules"]


async def test_claims_of_devices_are_among_what_edit_and_view_allow(talk: Talk) -> None:
    def allowed(role: str) -> dict[str, list[str]]:
        rules = talk.registry.get(kinds.CLUSTER_ROLE, "", f"system:aggregate-to-{role}")["rules"]
        found = [rule for rule in rules if rule.get("apiGroups") == ["resource.k8s.io"]]
        return {name: rule["verbs"] for rule in found for name in rule["resources"]}

    reads, writes = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]
    assert allowed("edit") == {"resourceclaims": writes, "resourceclaimtemplates": writes}
    assert allowed("view") == {
        "resourceclaims": reads,
        "resourceclaims/status": reads,
        "resourceclaimtemplates": reads,
    }
