"""Admission webhooks: who is asked about what, what an answer changes, and what is told of failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl.apiserver import outbound
from tests.extensions import webhook
from tests.extensions.conftest import Api, running
from tests.extensions.definitions import crd
from tests.extensions.webhook import Json, Webhook, allow, configuration, hook, labelling, patching, rule

BASE = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def configure(api: Api, kind: str, *hooks: Json, name: str = "asked") -> None:
    path = f"{BASE}/{kind.lower()}webhookconfigurations"
    await api.ok("POST", path, configuration(kind, name, *hooks))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Webhook]:
    async with webhook.serving(tmp_path, allow) as found:
        yield found


def named(name: str, **meta: Any) -> Json:
    return {"metadata": {"name": name, **meta}}


def deployment(replicas: int = 1) -> Json:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {
        **named("web"),
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }


def denying(message: str = "", code: int = 0, **more: Any) -> Any:
    status = {**({"message": message} if message else {}), **({"code": code} if code else {}), **more}
    return lambda _: {"allowed": False, "status": status}


async def test_a_mutating_webhook_changes_what_is_stored(api: Api, server: Webhook) -> None:
    server.answer = labelling("team", "blue")
    await configure(api, "Mutating", hook(server))
    made = await api.ok("POST", MAPS, named("a"))
    assert made["metadata"]["labels"] == {"team": "blue"}
    assert (await api.ok("GET", f"{MAPS}/a"))["metadata"]["labels"] == {"team": "blue"}
    changed = (
        await api.merge(f"{MAPS}/a", {"data": {"x": "y"}, "metadata": {"labels": {"team": "red"}}})
    ).json()
    assert (changed["metadata"]["labels"], changed["data"]) == ({"team": "blue"}, {"x": "y"})


async def test_a_review_says_what_happens(api: Api, server: Webhook) -> None:
    await configure(api, "Validating", hook(server))
    await api.ok("POST", f"{MAPS}?fieldManager=me&dryRun=All", named("a"))
    await api.ok("POST", MAPS, named("a"))
    await api.merge(f"{MAPS}/a", {"data": {"x": "y"}})
    await api.ok("DELETE", f"{MAPS}/a?propagationPolicy=Foreground&gracePeriodSeconds=7")
    dry, created, updated, deleted = server.seen[:4]
    assert dry["dryRun"] is True
    assert dry["options"] == {
        "kind": "CreateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "dryRun": ["All"],
        "fieldManager": "me",
    }
    assert created["operation"] == "CREATE"
    assert created["oldObject"] is None
    assert created["object"]["metadata"]["uid"]
    assert created["userInfo"]["username"] == "kubernetes-admin"
    assert created["requestKind"] == created["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert (updated["operation"], updated["options"]["kind"]) == ("UPDATE", "PatchOptions")
    assert (updated["object"]["data"], updated["oldObject"].get("data")) == ({"x": "y"}, None)
    assert (deleted["operation"], deleted["object"], deleted["name"]) == ("DELETE", None, "a")
    assert deleted["options"] == {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "gracePeriodSeconds": 7,
        "propagationPolicy": "Foreground",
    }


async def test_who_changes_a_new_object_sees_it_before_it_has_name_and_identity(
    api: Api, server: Webhook
) -> None:
    await configure(api, "Mutating", hook(server))
    await api.ok("POST", MAPS, {"metadata": {"generateName": "a-"}})
    seen = server.seen[0]
    assert "name" not in seen
    assert seen["object"]["metadata"] == {"generateName": "a-", "namespace": "default"}


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (denying("not today", 403, reason="Forbidden"), 403, ": not today"),
        (denying(), 400, " without explanation"),
        (denying(reason="BadDay"), 400, ": BadDay"),
    ],
)
async def test_a_denial_reaches_the_client_with_its_code_and_message(
    api: Api, server: Webhook, answer: Any, code: int, message: str
) -> None:
    server.answer = answer
    await configure(api, "Validating", hook(server))
    refused = await api("POST", MAPS, named("a"))
    assert refused.status == code
    assert refused.json()["message"] == f'admission webhook "ask.example.com" denied the request{message}'
    assert (await api("GET", f"{MAPS}/a")).status == 404


async def test_warnings_reach_the_client_whether_allowed_or_not(api: Api, server: Webhook) -> None:
    server.answer = lambda _: {"allowed": True, "warnings": ["old stuff"]}
    await configure(api, "Mutating", hook(server))
    assert '299 - "old stuff"' in (await api("POST", MAPS, named("a"))).header("warning")


# --- failures -------------------------------------------------------------------------------------------


def failure(detail: str) -> str:
    return f'Internal error occurred: failed calling webhook "ask.example.com": {detail}'


async def test_without_an_answer_the_failure_policy_decides(api: Api, server: Webhook) -> None:
    given = hook(server)
    given["clientConfig"]["url"] = "https://127.0.0.1:1/ask"
    await configure(api, "Validating", given)
    refused = await api("POST", MAPS, named("a"))
    dial = 'Post "https://127.0.0.1:1/ask?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused'
    assert (refused.status, refused.json()["message"]) == (500, failure(f"failed to call webhook: {dial}"))
    path = f"{BASE}/validatingwebhookconfigurations/asked"
    await api.ok("DELETE", path)  # nobody is asked about that
    await configure(api, "Validating", {**given, "failurePolicy": "Ignore"})
    await api.ok("POST", MAPS, named("a"))


async def test_what_webhooks_do_is_counted(api: Api, server: Webhook) -> None:
    server.answer = denying("no", code=409)
    await configure(api, "Validating", hook(server, name="deny.example.com"))
    await api("POST", MAPS, named("a"))
    server.answer = lambda _: {"allowed": True}
    await api.ok("POST", MAPS, named("a"))
    server.status, server.raw = 500, b"broken"
    await api("POST", MAPS, named("b"))
    lost = hook(server, name="lost.example.com", failurePolicy="Ignore")
    await configure(api, "Mutating", lost, name="lost")
    await api("POST", MAPS, named("b"))
    told = (await api("GET", "/metrics")).body.decode().splitlines()
    said = 'name="deny.example.com",operation="CREATE"'
    base = "apiserver_admission_webhook"
    for line in (
        f'{base}_request_total{{code="409",{said},rejected="true",type="validating"}} 1',
        f'{base}_request_total{{code="200",{said},rejected="false",type="validating"}} 1',
        f'{base}_request_total{{code="503",{said},rejected="true",type="validating"}} 2',
        f'{base}_rejection_count{{error_type="no_error",{said},rejection_code="409",type="validating"}} 1',
        f'{base}_fail_open_count{{name="lost.example.com",type="admit"}} 1',
        f'{base}_admission_duration_seconds_count{{{said},rejected="false",type="validating"}} 1',
    ):
        assert line in told, line


async def test_a_webhook_that_takes_too_long_has_failed(api: Api, server: Webhook) -> None:
    async def slow(_: Json) -> Json:
        await asyncio.sleep(3600)
        return {"allowed": True}

    server.answer = slow
    await configure(api, "Mutating", hook(server, timeoutSeconds=1))
    async with asyncio.timeout(30):
        refused = await api("POST", MAPS, named("a"))
    late = f'Post "https://127.0.0.1:{server.port}/ask?timeout=1s": context deadline exceeded'
    assert refused.json()["message"] == failure(f"failed to call webhook: {late}")


async def test_the_server_has_to_prove_who_it_is(api: Api, server: Webhook, tmp_path: Path) -> None:
    _, other = webhook.certificate(tmp_path, "other")
    given = hook(server)
    given["clientConfig"]["caBundle"] = other
    await configure(api, "Validating", given)
    said = (await api("POST", MAPS, named("a"))).json()["message"]
    assert said.endswith("tls: failed to verify certificate: x509: certificate signed by unknown authority")
    assert server.seen == []


async def test_a_certificate_for_another_name_is_refused(api: Api, tmp_path: Path) -> None:
    async with webhook.serving(tmp_path, allow, "elsewhere.example.com") as server:
        await configure(api, "Validating", hook(server))
        said = (await api("POST", MAPS, named("a"))).json()["message"]
        assert "tls: failed to verify certificate: x509: certificate is" in said
        assert server.seen == []


@pytest.mark.parametrize(
    ("status", "raw", "said"),
    [
        (
            500,
            b"broken",
            'failed to call webhook: an error on the server ("broken") has prevented the request',
        ),
        (404, b"", "failed to call webhook: the server could not find the requested resource"),
        (418, b"", "failed to call webhook: the server rejected our request for an unknown reason"),
        (403, b"go away", "failed to call webhook: forbidden: go away"),
        (400, b'{"kind": "Status", "message": "what?"}', "failed to call webhook: what?"),
        (200, b"<html>", "failed to call webhook: couldn't get version/kind; json parse error"),
        (200, b"{}", "received invalid webhook response: webhook response was absent"),
    ],
)
async def test_what_is_no_answer_is_told(
    api: Api, server: Webhook, status: int, raw: bytes, said: str
) -> None:
    server.status, server.raw = status, raw
    await configure(api, "Mutating", hook(server))
    refused = await api("POST", MAPS, named("a"))
    assert refused.status == 500
    assert refused.json()["message"].startswith(failure(said))


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"op": "remove", "path": "/nope"}, "Internal error occurred: "),
        ({"op": "add", "path": "/data", "value": 7}, "Internal error occurred: ConfigMap in version"),
        ({"op": "replace", "path": "", "value": 1}, "Internal error occurred: "),
    ],
)
async def test_a_patch_that_does_not_fit_is_the_webhooks_fault(
    api: Api, server: Webhook, patch: Json, said: str
) -> None:
    server.answer = patching(patch)
    await configure(api, "Mutating", hook(server))
    refused = await api("POST", MAPS, named("a"))
    assert (refused.status, refused.json()["message"].startswith(said)) == (500, True)


async def test_what_makes_an_object_invalid_is_refused_as_ever(api: Api, server: Webhook) -> None:
    server.answer = patching({"op": "add", "path": "/metadata/labels", "value": {"a b": "c"}})
    await configure(api, "Mutating", hook(server))
    assert (await api("POST", MAPS, named("a"))).status == 422


async def test_a_deletion_cannot_be_changed(api: Api, server: Webhook) -> None:
    await api.ok("POST", MAPS, named("a"))
    server.answer = patching({"op": "add", "path": "/data", "value": {}})
    await configure(api, "Mutating", hook(server))
    refused = await api("DELETE", f"{MAPS}/a")
    assert (
        "attempted to modify the object, which is not supported for this operation"
        in refused.json()["message"]
    )


async def test_an_identity_cannot_be_changed(api: Api, server: Webhook) -> None:
    server.answer = patching({"op": "add", "path": "/metadata/uid", "value": "mine"})
    await configure(api, "Mutating", hook(server))
    assert (await api.ok("POST", MAPS, named("a")))["metadata"]["uid"] != "mine"


# --- who is asked ---------------------------------------------------------------------------------------


async def test_namespaces_and_objects_are_selected_by_labels(api: Api, server: Webhook) -> None:
    await api.ok("POST", "/api/v1/namespaces", named("blue", labels={"team": "blue"}))
    team = {"matchLabels": {"team": "blue"}}
    await configure(api, "Mutating", hook(server, "a.example.com", namespaceSelector=team), name="one")
    await configure(api, "Validating", hook(server, "b.example.com", objectSelector=team), name="two")
    await api.ok("POST", MAPS, named("a"))
    assert server.seen == []
    await api.ok("POST", "/api/v1/namespaces/blue/configmaps", named("a"))
    assert len(server.seen) == 1
    await api.ok("POST", MAPS, named("b", labels={"team": "blue"}))
    assert len(server.seen) == 2
    # The object that was there counts too.
    await api.merge(f"{MAPS}/b", {"metadata": {"labels": {"team": None}}})
    assert len(server.seen) == 3
    await api.ok("DELETE", f"{MAPS}/b")
    assert len(server.seen) == 3


async def test_a_namespace_is_selected_by_its_own_labels(api: Api, server: Webhook) -> None:
    given = hook(
        server, "a.example.com", rule("namespaces"), namespaceSelector={"matchLabels": {"team": "blue"}}
    )
    await configure(api, "Validating", given)
    await api.ok("POST", "/api/v1/namespaces", named("red"))
    await api.ok("POST", "/api/v1/namespaces", named("blue", labels={"team": "blue"}))
    assert [(each["name"], each["namespace"]) for each in server.seen if each["operation"] == "CREATE"] == [("blue", "blue")]  # fmt: skip


async def test_conditions_are_asked_first(api: Api, server: Webhook) -> None:
    condition = {"name": "big", "expression": "object.data.size == 'big'"}
    await configure(api, "Validating", hook(server, matchConditions=[condition]))
    await api.ok("POST", MAPS, {**named("a"), "data": {"size": "small"}})
    assert server.seen == []
    await api.ok("POST", MAPS, {**named("b"), "data": {"size": "big"}})
    assert len(server.seen) == 1
    refused = await api("POST", MAPS, named("c"))
    assert refused.status == 403
    assert refused.json()["message"] == (
        "configmaps \"c\" is forbidden: expression 'object.data.size == 'big'' resulted in error: no such key: data"
    )


async def test_a_condition_that_cannot_be_compiled_is_refused(api: Api, server: Webhook) -> None:
    given = hook(server, matchConditions=[{"name": "x", "expression": "object."}])
    causes = await api.refused(
        "POST", f"{BASE}/validatingwebhookconfigurations", configuration("Validating", "x", given)
    )
    assert causes[0].startswith(
        'webhooks[0].matchConditions[0].expression: Invalid value: "object.": compilation'
    )


async def test_conditions_may_ask_what_the_user_may_do(api: Api, server: Webhook) -> None:
    expression = "authorizer.requestResource.check('delete').allowed()"
    await configure(
        api, "Validating", hook(server, matchConditions=[{"name": "x", "expression": expression}])
    )
    await api.ok("POST", MAPS, named("a"))
    assert len(server.seen) == 1


async def test_a_webhook_gets_the_version_that_it_asks_for(api: Api, server: Webhook) -> None:
    given = rule("ingresses", groups="networking.k8s.io", versions="v1")
    await configure(api, "Mutating", hook(server, "a.example.com", given))
    server.answer = labelling("team", "blue")
    backend = {"serviceName": "web", "servicePort": 80}
    old = {**named("a"), "spec": {"backend": backend}}
    made = await api.ok("POST", "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses", old)
    seen = server.seen[0]
    assert seen["object"]["spec"]["defaultBackend"] == {"service": {"name": "web", "port": {"number": 80}}}
    assert (seen["kind"]["version"], seen["requestKind"]["version"]) == ("v1", "v1beta1")
    assert (seen["resource"]["version"], seen["requestResource"]["version"]) == ("v1", "v1beta1")
    assert (made["spec"]["backend"], made["metadata"]["labels"]) == (backend, {"team": "blue"})


async def test_an_exact_rule_means_one_version(api: Api, server: Webhook) -> None:
    given = rule("ingresses", groups="networking.k8s.io", versions="v1")
    await configure(api, "Mutating", hook(server, "a.example.com", given, matchPolicy="Exact"))
    old = {**named("a"), "spec": {"backend": {"serviceName": "web", "servicePort": 80}}}
    await api.ok("POST", "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses", old)
    assert server.seen == []


async def test_nobody_is_asked_about_configurations(api: Api, server: Webhook) -> None:
    server.answer = denying("no")
    everything = rule("*/*", groups="*")
    await configure(api, "Validating", hook(server, "a.example.com", everything))
    await configure(api, "Mutating", hook(server, "b.example.com", everything))
    await api.ok("DELETE", f"{BASE}/validatingwebhookconfigurations/asked")
    await api.ok("DELETE", f"{BASE}/mutatingwebhookconfigurations/asked")
    await api.ok("POST", MAPS, named("a"))


async def test_custom_kinds_are_asked_about(api: Api, server: Webhook) -> None:
    path = await api.define(crd())
    group = path.split("/")[2]
    server.answer = labelling("team", "blue")
    await configure(api, "Mutating", hook(server, "a.example.com", rule("*", groups=group)))
    kind = (await api.ok("GET", "/".join(path.split("/")[:4])))["resources"][0]["kind"]
    made = await api.ok(
        "POST", path, {"apiVersion": "/".join(path.split("/")[2:4]), "kind": kind, **named("a")}
    )
    assert made["metadata"]["labels"] == {"team": "blue"}


# --- subresources ---------------------------------------------------------------------------------------


async def test_scaling_is_asked_about_as_scaling(api: Api, server: Webhook) -> None:
    await api.ok("POST", DEPLOYMENTS, deployment())
    server.answer = patching({"op": "replace", "path": "/spec/replicas", "value": 2})
    await configure(api, "Mutating", hook(server, "a.example.com", rule("deployments/scale", groups="apps")))
    await api.merge(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"a": "b"}}})
    assert server.seen == []
    scaled = await api.merge(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}})
    assert (scaled.status, scaled.json()["spec"]["replicas"]) == (200, 2)
    seen = server.seen[0]
    assert seen["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert seen["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    assert (seen["subResource"], seen["requestSubResource"]) == ("scale", "scale")
    assert (seen["object"]["spec"]["replicas"], seen["oldObject"]["spec"]["replicas"]) == (5, 1)


async def test_binding_eviction_and_exec_are_asked_about(api: Api, server: Webhook) -> None:
    pod = {**named("web"), "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await api.ok("POST", PODS, pod)
    await configure(api, "Validating", hook(server, "a.example.com", rule("pods/*", "CREATE,CONNECT")))
    await api.ok("POST", f"{PODS}/web/binding", {**named("web"), "target": {"kind": "Node", "name": "n"}})
    await api("POST", f"{PODS}/web/exec?command=sh&stdout=true")
    await api("GET", f"{PODS}/web/proxy/x?y")
    await api("POST", f"{PODS}/web/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", **named("web")})
    token = "/api/v1/namespaces/default/serviceaccounts/default/token"
    await api("POST", token, {"spec": {}})
    seen = [(each["operation"], each["subResource"], each["kind"]["kind"]) for each in server.seen]
    assert seen == [
        ("CREATE", "binding", "Binding"),
        ("CONNECT", "exec", "PodExecOptions"),
        ("CONNECT", "proxy", "PodProxyOptions"),
        ("CREATE", "eviction", "Eviction"),
    ]
    assert server.seen[0]["object"]["target"] == {"kind": "Node", "name": "n"}
    assert server.seen[1]["object"]["command"] == ["sh"]
    server.answer = denying("no shells", 403)
    refused = await api("POST", f"{PODS}/web/exec?command=sh&stdout=true")
    assert refused.status == 403


# --- order, once more, dry run --------------------------------------------------------------------------


async def test_configurations_are_asked_in_the_order_of_their_names(api: Api, server: Webhook) -> None:
    for name in ("b", "a"):
        await configure(api, "Mutating", hook(server, f"{name}.example.com"), name=name)
    asked: list[str] = []

    def answer(request: Json) -> Json:
        labels = request["object"]["metadata"].get("labels") or {}
        asked.append(",".join(sorted(labels)))
        return labelling(f"n{len(asked)}", "x")(request)

    server.answer = answer
    await api.ok("POST", MAPS, named("x"))
    assert asked == ["", "n1"]


async def test_who_wishes_is_asked_again_when_others_changed_the_object(api: Api, server: Webhook) -> None:
    first = hook(server, "a.example.com", reinvocationPolicy="IfNeeded")
    second = hook(server, "b.example.com", reinvocationPolicy="IfNeeded")
    first["clientConfig"], second["clientConfig"] = server.config("/a"), server.config("/b")
    await configure(api, "Mutating", first, second)
    labels: list[Json] = []

    def answer(request: Json) -> Json:
        found = request["object"]["metadata"].get("labels") or {}
        labels.append(found)
        return labelling(f"n{len(found)}", "x")(request) if len(labels) < 3 else {"allowed": True}

    server.answer = answer
    await api.ok("POST", MAPS, named("x"))
    # The first again, because the second changed what it had seen; not the second: nothing changed since.
    assert [len(each) for each in labels] == [0, 1, 2]


async def test_nobody_is_asked_again_who_does_not_wish_it(api: Api, server: Webhook) -> None:
    await configure(api, "Mutating", hook(server, "a.example.com"), hook(server, "b.example.com"))
    server.answer = labelling("a", "b")
    await api.ok("POST", MAPS, named("x"))
    assert len(server.seen) == 2


async def test_what_a_webhook_adds_is_completed_by_the_plugins_too(api: Api, server: Webhook) -> None:
    sidecar = {"name": "sidecar", "image": "y"}
    server.answer = patching({"op": "add", "path": "/spec/containers/-", "value": sidecar})
    await configure(api, "Mutating", hook(server, "a.example.com", rule("pods", "CREATE")))
    made = await api.ok("POST", PODS, {**named("web"), "spec": {"containers": [{"name": "c", "image": "x"}]}})
    added = made["spec"]["containers"][1]
    assert added["imagePullPolicy"] == "Always"
    mounts = [[mount["mountPath"] for mount in each["volumeMounts"]] for each in made["spec"]["containers"]]
    assert mounts == [["/var/run/secrets/kubernetes.io/serviceaccount"]] * 2


async def test_a_dry_run_asks_only_who_has_no_side_effects(api: Api, server: Webhook) -> None:
    await configure(api, "Validating", hook(server, sideEffects="NoneOnDryRun"))
    await api.ok("POST", f"{MAPS}?dryRun=All", named("a"))
    assert server.seen[0]["dryRun"] is True


async def test_refusals_side_by_side_are_told_in_order(api: Api, server: Webhook) -> None:
    async def answer(request: Json) -> Json:
        await asyncio.sleep(0.05 if not server.seen[1:] else 0)
        return {"allowed": False, "status": {"message": request["uid"]}}

    server.answer = answer
    await configure(api, "Validating", hook(server, "a.example.com"), hook(server, "b.example.com"))
    refused = await api("POST", MAPS, named("a"))
    assert refused.json()["message"].startswith('admission webhook "a.example.com" denied')
    assert len(server.seen) == 2


async def test_without_webhooks_nothing_is_asked(api: Api, server: Webhook) -> None:
    chain = api.registry.admission
    await api.ok("POST", MAPS, named("a"))
    concerned = {type(plugin).__name__ for found in chain._mutating.values() for plugin in found}
    concerned |= {type(plugin).__name__ for found in chain._judging.values() for plugin in found}
    assert not any("Webhooks" in each for each in concerned)
    await configure(api, "Validating", hook(server))
    await api.ok("POST", MAPS, named("b"))
    await api.ok("DELETE", f"{BASE}/validatingwebhookconfigurations/asked")
    await api.ok("POST", MAPS, named("c"))
    assert [each["name"] for each in server.seen] == ["b"]


# --- Services -------------------------------------------------------------------------------------------


async def test_a_service_is_called_at_its_endpoints(api: Api, tmp_path: Path) -> None:
    async with webhook.serving(tmp_path, allow, "ask.default.svc") as server:
        given = hook(server)
        service = {"namespace": "default", "name": "ask", "path": "/x", "port": 8443}
        given["clientConfig"] = {"service": service, "caBundle": server.bundle}
        await configure(api, "Validating", given)

        async def said() -> str:
            refused = await api("POST", MAPS, named("a"))
            return str(refused.json()["message"]).partition("timeout=10s")[2]

        assert await said() == '": service "ask" not found'
        ports = [{"name": "web", "port": 8443}]
        await api.ok(
            "POST", "/api/v1/namespaces/default/services", {**named("ask"), "spec": {"ports": ports}}
        )
        assert await said() == '": no endpoints available for service "ask"'
        given["clientConfig"] = {"service": {**service, "port": 1}, "caBundle": server.bundle}
        await api.ok("DELETE", f"{BASE}/validatingwebhookconfigurations/asked")
        await configure(api, "Validating", given)
        assert await said() == '": no service port 1 found for service "ask"'


async def test_an_external_name_is_called_where_it_is(api: Api, tmp_path: Path) -> None:
    async with webhook.serving(tmp_path, allow, "ask.default.svc") as server:
        given = hook(server)
        service = {"namespace": "default", "name": "ask", "port": server.port}
        given["clientConfig"] = {"service": service, "caBundle": server.bundle}
        spec = {"type": "ExternalName", "externalName": "localhost"}
        await api.ok("POST", "/api/v1/namespaces/default/services", {**named("ask"), "spec": spec})
        await configure(api, "Validating", given)
        await api.ok("POST", MAPS, named("a"))
        assert [each["name"] for each in server.seen] == ["a"]


# --- connections ----------------------------------------------------------------------------------------


async def test_a_connection_serves_one_request_after_the_other(api: Api, server: Webhook) -> None:
    await configure(api, "Validating", hook(server))
    for name in ("a", "b", "c"):
        await api.ok("POST", MAPS, named(name))
    assert (server.connections, len(server.seen)) == (1, 3)


async def test_a_connection_that_the_server_ended_is_replaced(api: Api, server: Webhook) -> None:
    await configure(api, "Validating", hook(server))
    server.is_lasting = False
    for name in ("a", "b", "c"):
        await api.ok("POST", MAPS, named(name))
    assert (server.connections, len(server.seen)) == (3, 3)


async def test_of_a_server_whose_last_connection_ended_nothing_is_kept(api: Api, server: Webhook) -> None:
    await configure(api, "Validating", hook(server))
    await api.ok("POST", MAPS, named("a"))
    assert api.registry.webhooks._lines._idle
    server.is_lasting = False
    await api.ok("POST", MAPS, named("b"))
    assert api.registry.webhooks._lines._idle == {}


async def test_requests_side_by_side_have_a_connection_each(api: Api, server: Webhook) -> None:
    together = asyncio.Barrier(12)

    async def answer(_: Json) -> Json:
        await together.wait()
        return {"allowed": True}

    server.answer = answer
    await configure(api, "Validating", hook(server))
    await asyncio.gather(*(api.ok("POST", MAPS, named(f"n{number}")) for number in range(12)))
    assert server.connections == 12
    assert [len(each) for each in api.registry.webhooks._lines._idle.values()] == [outbound.IDLE_LINES]


async def test_a_connection_that_nobody_uses_ends(
    api: Api, server: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "IDLE_SECONDS", 0.01)
    await configure(api, "Validating", hook(server))
    await api.ok("POST", MAPS, named("a"))
    await asyncio.sleep(0.05)
    assert api.registry.webhooks._lines._idle == {}
    await api.ok("POST", MAPS, named("b"))
    assert server.connections == 2


async def test_apply_goes_through_webhooks_without_conflicts(api: Api, server: Webhook) -> None:
    server.answer = labelling("team", "blue")
    await configure(api, "Mutating", hook(server))
    url, media = f"{MAPS}/a?fieldManager=me", "application/apply-patch+yaml"
    for value in ("1", "2"):
        config = {"apiVersion": "v1", "kind": "ConfigMap", **named("a"), "data": {"x": value}}
        found = await api.ok("PATCH", url, config, content_type=media)
        assert (found["data"], found["metadata"]["labels"]) == ({"x": value}, {"team": "blue"})
    assert [each["operation"] for each in server.seen] == ["CREATE", "UPDATE"]
    assert server.seen[1]["options"] == {
        "kind": "PatchOptions",
        "apiVersion": "meta.k8s.io/v1",
        "fieldManager": "me",
    }
    assert found["metadata"]["managedFields"][0]["manager"] == "me"


async def test_each_object_of_a_collection_is_asked_about(api: Api, server: Webhook) -> None:
    for name in ("a", "b"):
        await api.ok("POST", MAPS, named(name, labels={"go": "yes"}))
    await configure(api, "Validating", hook(server, "a.example.com", rule(operations="DELETE")))
    await api.ok("DELETE", f"{MAPS}?labelSelector=go")
    assert sorted(each["name"] for each in server.seen) == ["a", "b"]


async def test_configurations_count_after_a_restart(tmp_path: Path, server: Webhook) -> None:
    async with running(tmp_path / "again.db") as api:
        await configure(api, "Validating", hook(server))
    async with running(tmp_path / "again.db") as api:
        await api.ok("POST", MAPS, named("a"))
    assert [each["name"] for each in server.seen] == ["a"]
