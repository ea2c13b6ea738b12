"""ValidatingAdmissionPolicy: users' rules in CEL, where they count, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import kinds, objects
from minikctl.model.validation import policies
from tests.extensions.conftest import Api
from tests.extensions.definitions import GROUP, crd, crontab
from tests.extensions.webhook import Json, rule

BASE = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def named(name: str, **meta: Any) -> Json:
    return {"metadata": {"name": name, **meta}}


def policy(*validations: Any, resources: Json | None = None, **spec: Any) -> Json:
    given = [{"expression": each} if isinstance(each, str) else each for each in validations]
    constraints = {"resourceRules": [resources or rule()]}
    return {**named("p"), "spec": {"matchConstraints": constraints, "validations": given, **spec}}


def binding(*actions: str, name: str = "b", policy: str = "p", **spec: Any) -> Json:
    return {
        **named(name),
        "spec": {"policyName": policy, "validationActions": list(actions or ("Deny",)), **spec},
    }


async def enforce(api: Api, given: Json, *bindings: Json) -> None:
    await api.ok("POST", f"{BASE}/validatingadmissionpolicies", given)
    for each in bindings or (binding(),):
        await api.ok("POST", f"{BASE}/validatingadmissionpolicybindings", each)


def settings(**data: str) -> Json:
    return {**named("a"), "data": data}


async def test_what_breaks_a_rule_is_refused(api: Api) -> None:
    await enforce(api, policy("object.data.size == 'small'"))
    await api.ok("POST", f"{MAPS}?dryRun=All", settings(size="small"))
    refused = await api("POST", MAPS, settings(size="big"))
    said = (
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: object.data.size == 'small'"
    )
    assert refused.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'configmaps "a" is forbidden: {said}',
        "reason": "Invalid",
        "details": {"name": "a", "kind": "configmaps", "causes": [{"message": said}]},
        "code": 422,
    }
    assert (await api("GET", f"{MAPS}/a")).status == 404


@pytest.mark.parametrize(
    ("validation", "code", "said"),
    [
        ({"expression": "false", "message": " no! "}, 422, "no!"),
        ({"expression": "false", "message": "no!", "reason": "Forbidden"}, 403, "no!"),
        ({"expression": "false", "messageExpression": "'not ' + object.metadata.name"}, 422, "not a"),
        ({"expression": "false", "messageExpression": "object.nope", "message": "plain"}, 422, "plain"),
        ({"expression": "false", "messageExpression": "'a\\nb'", "message": "plain"}, 422, "plain"),
        ({"expression": " object.nope "}, 422, "expression 'object.nope' resulted in error: no such key: nope"),
        ({"expression": "variables.small"}, 422, "failed expression: variables.small"),
        ({"expression": "variables.broken == 1"}, 422, 'expression \'variables.broken == 1\' resulted in error: composited variable "broken" fails to evaluate: no such key: nope'),
        ({"expression": "!variables.both"}, 422, "failed expression: !variables.both"),
    ],
)  # fmt: skip
async def test_a_refusal_says_why(api: Api, validation: Json, code: int, said: str) -> None:
    variables = [
        {"name": "small", "expression": "object.data.size == 'small'"},
        {"name": "broken", "expression": "object.nope"},
        {"name": "both", "expression": "!variables.small && true"},
    ]
    await enforce(api, policy(validation, variables=variables))
    refused = await api("POST", MAPS, settings(size="big"))
    assert refused.status == code
    assert refused.json()["message"].endswith(f"denied request: {said}")


async def test_a_policy_that_ignores_failures_lets_them_pass(api: Api) -> None:
    await enforce(api, policy("object.nope", failurePolicy="Ignore"))
    await api.ok("POST", MAPS, settings())


async def test_without_a_binding_nothing_is_judged(api: Api) -> None:
    await api.ok("POST", f"{BASE}/validatingadmissionpolicies", policy("false"))
    await api.ok("POST", MAPS, settings())
    await api.ok("POST", f"{BASE}/validatingadmissionpolicybindings", binding())
    assert (await api.merge(f"{MAPS}/a", {"data": {"a": "b"}})).status == 422
    await api.ok("DELETE", f"{BASE}/validatingadmissionpolicybindings/b")
    assert (await api.merge(f"{MAPS}/a", {"data": {"a": "b"}})).status == 200


async def test_a_warning_does_not_refuse(api: Api) -> None:
    given = policy({"expression": "false", "message": "rather not"})
    await enforce(api, given, binding("Warn", "Audit"))
    made = await api("POST", MAPS, settings())
    assert made.status == 201
    assert made.header("warning") == (
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': rather not\""
    )


async def test_what_is_not_done_is_said(api: Api) -> None:
    made = await api("POST", f"{BASE}/validatingadmissionpolicybindings", binding("Audit"))
    assert "no audit log: the action Audit is evaluated but noted nowhere" in made.header("warning")
    annotation = {"key": "k", "valueExpression": "'v'"}
    made = await api(
        "POST", f"{BASE}/validatingadmissionpolicies", policy("true", auditAnnotations=[annotation])
    )
    assert "no audit log: spec.auditAnnotations" in made.header("warning")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("object.nope", "resulted in error: no such key: nope"),
        ("object.metadata", "Return type must be either string or null."),
        ("null", ""),
        ("'x'", ""),
    ],
)
async def test_an_audit_annotation_without_a_value_is_a_refusal(api: Api, source: str, said: str) -> None:
    await enforce(api, policy(auditAnnotations=[{"key": "k", "valueExpression": source}]))
    answer = await api("POST", MAPS, settings())
    assert (said in answer.json().get("message", "")) if said else answer.status == 201


async def test_old_state_request_and_namespace_are_known(api: Api) -> None:
    await enforce(
        api,
        policy(
            "oldObject == null || oldObject.data.a == object.data.a",
            "request.operation in ['CREATE', 'UPDATE'] && request.userInfo.username == 'kubernetes-admin'",
            "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'default'",
            "authorizer.group('apps').resource('deployments').namespace('default').check('create').allowed()",
        ),
    )
    await api.ok("POST", MAPS, settings(a="1"))
    await api.ok("PUT", f"{MAPS}/a", settings(a="1", b="2"))
    assert (await api("PUT", f"{MAPS}/a", settings(a="2"))).status == 422


async def test_conditions_decide_whether_a_policy_counts(api: Api) -> None:
    conditions = [{"name": "c", "expression": "object.metadata.name == 'a'"}]
    await enforce(api, policy("false", matchConditions=conditions))
    await api.ok("POST", MAPS, named("other"))
    assert (await api("POST", MAPS, named("a"))).status == 422


async def test_a_condition_that_fails_refuses(api: Api) -> None:
    await enforce(api, policy("true", matchConditions=[{"name": "c", "expression": "object.nope"}]))
    assert "resulted in error: no such key: nope" in (await api("POST", MAPS, named("a"))).json()["message"]


async def test_deletion_is_judged(api: Api) -> None:
    await enforce(
        api, policy("object == null && oldObject.metadata.name != 'a'", resources=rule(operations="DELETE"))
    )
    await api.ok("POST", MAPS, named("a"))
    await api.ok("POST", MAPS, named("b"))
    assert (await api("DELETE", f"{MAPS}/a")).status == 422
    assert (await api("DELETE", f"{MAPS}/b")).status == 200


async def test_scaling_is_judged_by_its_scale(api: Api) -> None:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    await api.ok("POST", DEPLOYMENTS, {**named("web"), "spec": spec})
    await enforce(
        api, policy("object.spec.replicas <= 3", resources=rule("deployments/scale", groups="apps"))
    )
    assert (await api.merge(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 3}})).status == 200
    assert (await api.merge(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}})).status == 422


async def test_exec_can_be_forbidden(api: Api) -> None:
    pod = {**named("web"), "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await api.ok("POST", "/api/v1/namespaces/default/pods", pod)
    given = policy(
        {"expression": "!('sh' in object.command)", "reason": "Forbidden"},
        resources=rule("pods/exec", "CONNECT"),
    )
    await enforce(api, given)
    url = "/api/v1/namespaces/default/pods/web/exec?stdout=true&command="
    assert (await api("POST", f"{url}sh")).status == 403
    assert (await api("POST", f"{url}ls")).status != 403


# --- where a policy counts ------------------------------------------------------------------------------


async def test_rules_can_be_left_out(api: Api) -> None:
    given = policy("false")
    given["spec"]["matchConstraints"] = {
        "resourceRules": [rule("configmaps,secrets")],
        "excludeResourceRules": [{**rule("configmaps"), "resourceNames": ["a"]}],
    }
    await enforce(api, given)
    await api.ok("POST", MAPS, named("a"))
    assert (await api("POST", MAPS, named("b"))).status == 422


async def test_a_binding_chooses_namespaces_and_objects(api: Api) -> None:
    await api.ok("POST", "/api/v1/namespaces", named("blue", labels={"team": "blue"}))
    resources = {
        "namespaceSelector": {"matchLabels": {"team": "blue"}},
        "objectSelector": {"matchLabels": {"x": "y"}},
    }
    await enforce(api, policy("false"), binding(matchResources=resources))
    await api.ok("POST", MAPS, named("a", labels={"x": "y"}))
    await api.ok("POST", "/api/v1/namespaces/blue/configmaps", named("a"))
    assert (
        await api("POST", "/api/v1/namespaces/blue/configmaps", named("b", labels={"x": "y"}))
    ).status == 422


async def test_nobody_is_locked_out_of_the_policies(api: Api) -> None:
    await enforce(api, policy("false", resources=rule("*/*", groups="*")))
    assert (await api("POST", MAPS, named("a"))).status == 422
    await api.ok("DELETE", f"{BASE}/validatingadmissionpolicybindings/b")
    await api.ok("POST", MAPS, named("a"))


# --- parameters -----------------------------------------------------------------------------------------

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap"}


async def test_a_parameter_is_looked_up_by_name(api: Api) -> None:
    await api.ok("POST", MAPS, {**named("limits"), "data": {"size": "small"}})
    reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    given = policy("object.data.size == params.data.size", paramKind=CONFIG, resources=rule("secrets"))
    given["spec"]["validations"][0]["expression"] = "object.metadata.name == params.data.size"
    await enforce(api, given, binding(paramRef=reference))
    secrets = "/api/v1/namespaces/default/secrets"
    await api.ok("POST", secrets, named("small"))
    assert (await api("POST", secrets, named("big"))).status == 422
    await api.ok("DELETE", f"{MAPS}/limits")
    said = (await api("POST", secrets, named("small2"))).json()["message"]
    assert said.endswith(
        "denied request: failed to configure binding: no params found for policy binding with `Deny` "
        "parameterNotFoundAction"
    )


async def test_a_missing_parameter_may_be_allowed(api: Api) -> None:
    reference = {"name": "limits", "parameterNotFoundAction": "Allow"}
    given = policy("false", paramKind=CONFIG, resources=rule("secrets"))
    await enforce(api, given, binding(paramRef=reference))
    await api.ok("POST", "/api/v1/namespaces/default/secrets", named("x"))


async def test_every_selected_parameter_counts(api: Api) -> None:
    await api.define(crd({"type": "object", "properties": {"forbidden": {"type": "string"}}}))
    path = f"/apis/{GROUP}/v1/namespaces/default/crontabs"
    for name in ("red", "blue"):
        made = crontab(name, forbidden=name)
        made["metadata"]["labels"] = {"use": "yes"}
        await api.ok("POST", path, made)
    kind = {"apiVersion": f"{GROUP}/v1", "kind": "CronTab"}
    reference = {"selector": {"matchLabels": {"use": "yes"}}, "parameterNotFoundAction": "Deny"}
    await enforce(
        api,
        policy("object.metadata.name != params.spec.forbidden", paramKind=kind),
        binding(paramRef=reference),
    )
    assert (await api("POST", MAPS, named("red"))).status == 422
    assert (await api("POST", MAPS, named("blue"))).status == 422
    await api.ok("POST", MAPS, named("green"))


@pytest.mark.parametrize(
    ("kind", "reference", "resources", "said"),
    [
        ({"apiVersion": "x.y/v1", "kind": "Nope"}, {"name": "a"}, rule(), "paramKind kind `x.y/v1, Kind=Nope` not known"),
        ({"apiVersion": "v1", "kind": "Node"}, {"name": "a", "namespace": "default"}, rule(), "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"),
        (CONFIG, {"name": "a"}, rule("clusterroles", groups="rbac.authorization.k8s.io"), "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"),
    ],
)  # fmt: skip
async def test_a_reference_that_leads_nowhere_refuses(
    api: Api, kind: Json, reference: Json, resources: Json, said: str
) -> None:
    given = policy("true", paramKind=kind, resources=resources)
    await enforce(api, given, binding(paramRef={**reference, "parameterNotFoundAction": "Allow"}))
    path = MAPS if resources == rule() else "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (
        (await api("POST", path, named("x")))
        .json()["message"]
        .endswith(f"failed to configure binding: {said}")
    )


async def test_without_a_reference_there_is_no_parameter(api: Api) -> None:
    await enforce(api, policy("params == null", paramKind=CONFIG))
    await api.ok("POST", MAPS, named("a"))


# --- what is refused of policies themselves -------------------------------------------------------------


async def test_a_policy_with_mistakes_is_refused(api: Api) -> None:
    given = policy(
        {"expression": "object.", "reason": "Bad"},
        {"expression": "1 + 1", "message": "a\nb"},
        {"expression": "variables.later", "message": " "},
        {"expression": "true &&\ntrue", "messageExpression": "1"},
        {"expression": "params.x == 1"},
        failurePolicy="Maybe",
        paramKind=None,
        variables=[{"name": "", "expression": ""}, {"name": "1x", "expression": "1"}, {"name": "y", "expression": "variables.y"}, {"name": "y", "expression": "1"}],
        auditAnnotations=[{"key": "", "valueExpression": "1"}, {"key": "a b", "valueExpression": "null"}],
    )  # fmt: skip
    causes = await api.refused("POST", f"{BASE}/validatingadmissionpolicies", given)
    fields = [each.partition(": ")[0] for each in causes]
    for wanted in (
        "spec.failurePolicy",
        "spec.validations[0].expression",
        "spec.validations[0].reason",
        "spec.validations[1].expression",
        "spec.validations[1].message",
        "spec.validations[2].expression",
        "spec.validations[2].message",
        "spec.validations[3].messageExpression",
        "spec.validations[4].expression",
        "spec.variables[0].name",
        "spec.variables[0].expression",
        "spec.variables[1].name",
        "spec.variables[2].expression",
        "spec.variables[3].name",
        "spec.auditAnnotations[0].key",
        "spec.auditAnnotations[0].valueExpression",
        "spec.auditAnnotations[1].key",
    ):
        assert wanted in fields, (wanted, causes)
    # An expression of several lines needs no message, whatever its description says.
    assert "spec.validations[3].message" not in fields


async def test_a_policy_needs_rules_and_validations(api: Api) -> None:
    empty = {**named("p"), "spec": {"matchConstraints": {"matchPolicy": "Odd", "objectSelector": {}}}}
    causes = await api.refused("POST", f"{BASE}/validatingadmissionpolicies", empty)
    assert [each.partition(": ")[0] for each in causes] == [
        "spec.matchConstraints.matchPolicy",
        "spec.matchConstraints.resourceRules",
        "spec.validations",
        "spec.auditAnnotations",
    ]
    kind = {"apiVersion": "a/b/c", "kind": ""}
    causes = await api.refused(
        "POST", f"{BASE}/validatingadmissionpolicies", {**named("p"), "spec": {"paramKind": kind, "validations": [{"expression": "true"}]}}
    )  # fmt: skip
    assert [each.partition(": ")[0] for each in causes] == [
        "spec.paramKind.apiVersion",
        "spec.paramKind.kind",
        "spec.matchConstraints",
    ]


async def test_a_binding_with_mistakes_is_refused(api: Api) -> None:
    path = f"{BASE}/validatingadmissionpolicybindings"
    both = {"name": "a", "selector": {}, "parameterNotFoundAction": "Odd"}
    wrong = binding(
        "Deny", "Warn", "Warn", "Odd", policy="A B", paramRef=both, matchResources={"matchPolicy": "Odd"}
    )
    causes = await api.refused("POST", path, wrong)
    assert sorted({each.partition(": ")[0] for each in causes}) == [
        "spec.matchResources.matchPolicy",
        "spec.paramRef.name",
        "spec.paramRef.parameterNotFoundAction",
        "spec.paramRef.selector",
        "spec.policyName",
        "spec.validationActions",
        "spec.validationActions[2]",
        "spec.validationActions[3]",
    ]
    for actions in ({}, {"validationActions": []}):
        causes = await api.refused("POST", path, {**named("b"), "spec": {"paramRef": {}, **actions}})
        assert sorted(each.partition(": ")[0] for each in causes) == [
            "spec.paramRef",
            "spec.paramRef.parameterNotFoundAction",
            "spec.policyName",
            "spec.validationActions",
        ]


async def test_the_status_says_what_expressions_get_wrong(api: Api) -> None:
    path = f"{BASE}/validatingadmissionpolicies"
    made = await api.ok("POST", path, policy("object.replicas > 1", resources=rule("deployments", groups="apps", versions="v1")))  # fmt: skip
    assert made["status"]["observedGeneration"] == 1
    assert "undefined field 'replicas'" in made["status"]["typeChecking"]["expressionWarnings"][0]["warning"]
    validations = [{"expression": "object.spec.replicas > 1"}]
    better = (await api.merge(f"{path}/p", {"spec": {"validations": validations}})).json()
    assert better["metadata"]["generation"] == 2
    assert better["status"] == {"observedGeneration": 2, "typeChecking": {}}


async def test_a_policy_that_was_stored_with_mistakes_is_told_when_it_is_applied(api: Api) -> None:
    await enforce(api, policy("true"))
    stored = api.registry.feed.collection(kinds.VALIDATING_POLICY).get(("", "p"))
    assert stored is not None
    stored.object["spec"]["validations"][0]["expression"] = "object."
    said = (await api("POST", MAPS, settings())).json()["message"]
    assert "expression 'object.' resulted in error: compilation error: ERROR" in said
    changed = {**objects.spec(stored.object), "validations": [{"expression": "object.", "reason": "Odd"}]}
    assert not [
        each
        for each in policies.validate({"spec": changed}, {"spec": changed})
        if "expression" in each["field"]
    ]
