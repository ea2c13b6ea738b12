"""MutatingAdmissionPolicy: users' changes in CEL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.extensions import webhook
from tests.extensions.conftest import Api
from tests.extensions.definitions import GROUP, crd, crontab
from tests.extensions.webhook import Json, rule

BASE = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def named(name: str, **meta: Any) -> Json:
    return {"metadata": {"name": name, **meta}}


def applying(expression: str) -> Json:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patching(expression: str) -> Json:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def labelling(name: str, value: str) -> Json:
    return applying(f"Object{{metadata: Object.metadata{{labels: {{'{name}': {value}}}}}}}")


async def enforce(
    api: Api,
    *mutations: Json,
    name: str = "p",
    resources: Json | None = None,
    bound: Json | None = None,
    **spec: Any,
) -> None:
    constraints = {"resourceRules": [resources or rule()]}
    policy = {
        "matchConstraints": constraints,
        "mutations": list(mutations),
        "reinvocationPolicy": "Never",
        **spec,
    }
    made = await api("POST", f"{BASE}/mutatingadmissionpolicies", {**named(name), "spec": policy})
    assert (made.status, made.header("warning")) == (201, ""), made.body
    binding = {**named(name), "spec": {"policyName": name, **(bound or {})}}
    await api.ok("POST", f"{BASE}/mutatingadmissionpolicybindings", binding)


async def test_an_object_is_changed_before_it_is_stored(api: Api) -> None:
    await enforce(api, labelling("by", "request.userInfo.username"))
    made = await api.ok("POST", MAPS, named("a", labels={"x": "y"}))
    assert made["metadata"]["labels"] == {"x": "y", "by": "kubernetes-admin"}
    changed = (await api.merge(f"{MAPS}/a", {"metadata": {"labels": {"by": None}}})).json()
    assert changed["metadata"]["labels"] == {"x": "y", "by": "kubernetes-admin"}


async def test_a_sidecar_is_added_and_completed(api: Api) -> None:
    sidecar = "Object.spec.initContainers{name: 'mesh', image: 'y', restartPolicy: 'Always'}"
    given = applying(f"Object{{spec: Object.spec{{initContainers: [{sidecar}]}}}}")
    conditions = [
        {
            "name": "no-mesh",
            "expression": "!object.spec.?initContainers.orValue([]).exists(c, c.name == 'mesh')",
        }
    ]
    await enforce(api, given, resources=rule("pods", "CREATE"), matchConditions=conditions)
    made = await api.ok("POST", PODS, {**named("web"), "spec": {"containers": [{"name": "c", "image": "x"}]}})
    added = made["spec"]["initContainers"][0]
    assert (added["name"], added["imagePullPolicy"]) == ("mesh", "Always")
    assert added["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


async def test_patches_and_parameters(api: Api) -> None:
    await api.ok("POST", MAPS, {**named("settings"), "data": {"team": "blue"}})
    given = patching(
        "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'team': params.data.team}}]"
    )
    reference = {"name": "settings", "namespace": "default", "parameterNotFoundAction": "Deny"}
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    await enforce(api, given, resources=rule("secrets"), paramKind=kind, bound={"paramRef": reference})
    secrets = "/api/v1/namespaces/default/secrets"
    assert (await api.ok("POST", secrets, named("a")))["metadata"]["annotations"] == {"team": "blue"}
    await api.ok("DELETE", f"{MAPS}/settings")
    said = (await api("POST", secrets, named("b"))).json()["message"]
    assert "policy 'p' with binding 'p' denied request: failed to configure binding: no params found" in said


async def test_custom_objects_are_changed_by_their_schema(api: Api) -> None:
    items = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
        "required": ["name"],
    }
    parts = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": items,
    }
    path = await api.define(crd({"type": "object", "properties": {"parts": parts}}))
    given = applying("Object{spec: Object.spec{parts: [Object.spec.parts{name: 'a', size: 3}]}}")
    await enforce(api, given, resources=rule("crontabs", groups=GROUP))
    made = await api.ok("POST", path, crontab(parts=[{"name": "a", "size": 1}, {"name": "b", "size": 2}]))
    assert made["spec"]["parts"] == [{"name": "a", "size": 3}, {"name": "b", "size": 2}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (applying("Object{data: object.nope}"), "resulted in error: no such key: nope"),
        (applying("Object{spec: 1}"), "field not declared in schema"),
        (patching("[JSONPatch{op: 'add', path: '/data', value: 7}]"), "ConfigMap in version"),
    ],
)
async def test_a_change_that_fails_refuses_or_is_passed_over(api: Api, given: Json, said: str) -> None:
    await enforce(api, given)
    refused = await api("POST", MAPS, named("a"))
    assert (refused.status, refused.json()["reason"]) == (422, "Invalid")
    message = refused.json()["message"]
    assert message.startswith("configmaps \"a\" is forbidden: policy 'p' with binding 'p' denied request: ")
    assert said in message
    await api.merge(f"{BASE}/mutatingadmissionpolicies/p", {"spec": {"failurePolicy": "Ignore"}})
    await api.ok("POST", MAPS, named("a"))


async def test_a_condition_that_fails_refuses(api: Api) -> None:
    await enforce(api, labelling("a", "'b'"), matchConditions=[{"name": "c", "expression": "object.nope"}])
    assert "no such key: nope" in (await api("POST", MAPS, named("a"))).json()["message"]


async def test_policies_come_before_webhooks_and_again_after_them(api: Api, tmp_path: Path) -> None:
    await enforce(
        api,
        labelling("seen", "string(object.metadata.?labels.orValue({}).size())"),
        reinvocationPolicy="IfNeeded",
    )
    await enforce(api, labelling("never", "string(object.metadata.?labels.orValue({}).size())"), name="q")
    async with webhook.serving(tmp_path, webhook.labelling("hook", "x")) as server:
        path = f"{BASE}/mutatingwebhookconfigurations"
        await api.ok("POST", path, webhook.configuration("Mutating", "m", webhook.hook(server)))
        made = await api.ok("POST", MAPS, named("a"))
    # The first policy saw no label, later all three; the second was asked once, when there was one.
    assert made["metadata"]["labels"] == {"seen": "3", "never": "1", "hook": "x"}


async def test_deletions_and_other_kinds_are_left_alone(api: Api) -> None:
    await enforce(api, labelling("a", "'b'"))
    await api.ok("POST", MAPS, named("a"))
    await api.ok("DELETE", f"{MAPS}/a")
    made = await api.ok("POST", "/api/v1/namespaces/default/secrets", named("a"))
    assert "labels" not in made["metadata"]


async def test_a_policy_with_mistakes_is_refused(api: Api) -> None:
    wrong = {
        "reinvocationPolicy": "Odd",
        "mutations": [
            {"patchType": "Odd"},
            {
                "patchType": "JSONPatch",
                "jsonPatch": {"expression": "["},
                "applyConfiguration": {"expression": "1"},
            },
            applying("Object{spec: Object.wrong{}}"),
            applying("Object{spec: variables.nope}"),
            {"patchType": "JSONPatch"},
        ],
    }
    causes = await api.refused("POST", f"{BASE}/mutatingadmissionpolicies", {**named("p"), "spec": wrong})
    assert sorted({each.partition(": ")[0] for each in causes}) == [
        "spec.matchConstraints",
        "spec.mutations[0].patchType",
        "spec.mutations[1].applyConfiguration",
        "spec.mutations[1].jsonPatch.expression",
        "spec.mutations[2].applyConfiguration.expression",
        "spec.mutations[3].applyConfiguration.expression",
        "spec.mutations[4].jsonPatch.expression",
        "spec.reinvocationPolicy",
    ]
    empty = {**named("p"), "spec": {"matchConstraints": {"resourceRules": [rule()]}}}
    assert await api.refused("POST", f"{BASE}/mutatingadmissionpolicies", empty) == [
        "spec.mutations: Required value: mutations must contain at least one item"
    ]
    causes = await api.refused("POST", f"{BASE}/mutatingadmissionpolicybindings", {**named("p"), "spec": {}})
    assert causes == ["spec.policyName: Required value"]
