from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from minikctl.apiserver import discovery, http_watch, reviews
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def client(registry: Registry) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))


async def test_objects_are_made_read_changed_and_deleted(client: Client) -> None:
    made = await client("POST", MAPS, samples.config_map(a="1"))
    assert made.status == 201
    assert (await client("GET", f"{MAPS}/settings")).json() == made.json()
    body = {**made.json(), "data": {"a": "2"}}
    assert (await client("PUT", f"{MAPS}/settings", body)).json()["data"] == {"a": "2"}
    gone = await client("DELETE", f"{MAPS}/settings")
    assert gone.json()["status"] == "Success"
    assert gone.json()["details"]["uid"] == made.json()["metadata"]["uid"]
    missing = await client("GET", f"{MAPS}/settings")
    assert (missing.status, missing.json()["message"]) == (404, 'configmaps "settings" not found')


async def test_a_resource_version_of_zero_means_any(client: Client) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    body = samples.config_map(a="2")
    body["metadata"]["resourceVersion"] = "0"
    assert (await client("PUT", f"{MAPS}/settings", body)).json()["data"] == {"a": "2"}
    patch = {"metadata": {"resourceVersion": "0"}, "data": {"a": "3"}}
    patched = await client(
        "PATCH", f"{MAPS}/settings", patch, {"content-type": "application/merge-patch+json"}
    )
    assert patched.json()["data"] == {"a": "3"}


async def test_a_watch_sends_what_it_has_missed_in_small_parts(client: Client) -> None:
    start = (await client("GET", MAPS)).json()["metadata"]["resourceVersion"]
    for number in range(20):
        await client("POST", MAPS, samples.config_map(f"big-{number}", a="x" * 20_000))
    watch = await client.stream(f"{MAPS}?watch=1&resourceVersion={start}")
    parts = list[bytes]()
    while b"".join(parts).count(b"\n") < 20:
        async with asyncio.timeout(20):
            parts.append(await watch.sent.get() or b"")
    assert max(map(len, parts)) < http_watch.PART_BYTES + 25_000
    await watch.leave()


async def test_a_wrong_token_is_refused_whatever_is_asked(registry: Registry) -> None:
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)), "wrong")
    for path in (PODS, "/version", "/healthz"):
        refused = await client("GET", path)
        assert (refused.status, refused.json()["reason"]) == (401, "Unauthorized")


async def test_without_a_token_only_health_and_version_answer(registry: Registry) -> None:
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)), "")
    refused = await client("GET", PODS)
    assert (refused.status, refused.json()["reason"]) == (403, "Forbidden")
    for path in ("/version", "/healthz", "/readyz", "/livez"):
        assert (await client("GET", path)).status == 200


async def test_health_says_what_it_looked_at(client: Client) -> None:
    assert (await client("GET", "/readyz")).body == b"ok"
    assert (await client("GET", "/readyz?verbose")).body == b"[+]ping ok\n[+]store ok\nreadyz check passed\n"
    assert (await client("GET", "/readyz/store")).body == b"ok"
    assert (await client("GET", "/readyz/other")).status == 404


async def test_health_fails_when_the_store_is_gone(client: Client, registry: Registry) -> None:
    await registry.close()
    assert (await client("GET", "/readyz")).status == 500


async def test_the_version_is_kubernetes(client: Client) -> None:
    found = (await client("GET", "/version")).json()
    assert (found["major"], found["minor"], found["gitVersion"]) == ("1", "36", "v1.36.2+minikctl")
    assert len(bytes.fromhex(found["gitCommit"])) == 20


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/apis/none/v1/things", 404),
        ("GET", "/nonsense", 404),
        ("GET", f"{PODS}/a/b/c", 404),
        ("GET", f"{PODS}/a/nonsense", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("POST", "/api/v1/pods", 405),
        ("PUT", PODS, 405),
        ("DELETE", "/api", 405),
        ("GET", f"{PODS}/a/binding", 405),
    ],
)
async def test_paths_and_methods_that_are_not_served(
    client: Client, method: str, path: str, status: int
) -> None:
    answer = await client(method, path)
    assert answer.status == status
    text = {404: "the server could not find the requested resource"}.get(
        status, "the server does not allow this method on the requested resource"
    )
    assert answer.json()["message"] == text


# --- bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "media", "status", "text"),
    [
        (b"{not json", "application/json", 400, "invalid JSON"),
        (b"[1]", "application/json", 400, "not an object"),
        (b"a: [", "application/yaml", 400, "error converting YAML to JSON"),
        (b"\xd9\xd9\xf7", "application/cbor", 415, "accepted media types include: application/json"),
        (b"x", "application/vnd.kubernetes.protobuf", 400, "does not begin as Kubernetes' protobuf does"),
        (b"x" * (3 * 1024 * 1024 + 1), "application/json", 413, "limit is 3145728"),
        (
            b'{"kind":"Pod","apiVersion":"v1"}',
            "",
            400,
            'Pod in version "v1" cannot be handled as a ConfigMap',
        ),
        (b'{"kind":"ConfigMap","apiVersion":"v2"}', "", 400, "does not match the expected API version (v1)"),
        (b'{"data":{"a":1}}', "", 400, "json: cannot unmarshal number into Go struct field ConfigMap.data"),
    ],
)
async def test_bodies_that_are_refused(
    client: Client, body: bytes, media: str, status: int, text: str
) -> None:
    answer = await client("POST", MAPS, body, {"content-type": media})
    assert answer.status == status
    assert text in answer.json()["message"]


async def test_yaml_bodies_are_read_as_json(client: Client) -> None:
    body = b"metadata: {name: y}\ndata: {day: '2020-01-01', a: b}\n"
    answer = await client("POST", MAPS, body, {"content-type": "application/yaml"})
    assert answer.json()["data"] == {"day": "2020-01-01", "a": "b"}
    shown = await client("GET", f"{MAPS}/y", headers={"accept": "application/yaml"})
    assert b"kind: ConfigMap" in shown.body


async def test_unknown_and_repeated_fields(client: Client) -> None:
    body = b'{"metadata":{"name":"%b"},"spec":{"replicas":1},"data":{"a":"1","a":"2"}}'
    strict = await client("POST", f"{MAPS}?fieldValidation=Strict", body % b"one")
    assert strict.status == 400
    assert strict.json()["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: '
        'strict decoding error: unknown field "spec", duplicate field "data.a"'
    )
    warned = await client("POST", MAPS, body % b"two")
    assert warned.status == 201
    assert (
        warned.header("warning") == '299 - "unknown field \\"spec\\"", 299 - "duplicate field \\"data.a\\""'
    )
    ignored = await client("POST", f"{MAPS}?fieldValidation=Ignore", body % b"three")
    assert (ignored.status, ignored.header("warning")) == (201, "")
    assert "spec" not in ignored.json()
    assert (await client("POST", f"{MAPS}?fieldValidation=Maybe", body % b"four")).status == 422


async def test_dry_run_stores_nothing(client: Client) -> None:
    assert (await client("POST", f"{MAPS}?dryRun=All", samples.config_map())).status == 201
    assert (await client("GET", f"{MAPS}/settings")).status == 404
    assert (await client("POST", f"{MAPS}?dryRun=Some", samples.config_map())).status == 422


# --- patches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "patch"),
    [
        ("application/json-patch+json", [{"op": "add", "path": "/data/b", "value": "2"}]),
        ("application/merge-patch+json", {"data": {"b": "2"}}),
        ("application/strategic-merge-patch+json", {"data": {"b": "2"}}),
    ],
)
async def test_each_patch_type(client: Client, media: str, patch: Any) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    answer = await client("PATCH", f"{MAPS}/settings", patch, {"content-type": media})
    assert answer.json()["data"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("media", "patch", "status", "text"),
    [
        (
            "application/apply-patch+yaml",
            {},
            422,
            "fieldManager: Required value: is required for apply patch",
        ),
        ("application/apply-patch+cbor", {}, 415, "application/apply-patch+yaml"),
        ("text/plain", {}, 415, "accepted media types include: application/json-patch+json"),
        ("application/json-patch+json", [{"op": "remove", "path": "/data/x"}], 422, "error in our request"),
        (
            "application/merge-patch+json",
            {"metadata": {"name": "other"}},
            400,
            "does not match the name on the URL",
        ),
        (
            "application/merge-patch+json",
            {"data": {"a": 1}},
            422,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        ("application/merge-patch+json", {"metadata": {"uid": "x"}}, 409, "Precondition failed: UID"),
    ],
)
async def test_patches_that_are_refused(
    client: Client, media: str, patch: Any, status: int, text: str
) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    answer = await client("PATCH", f"{MAPS}/settings", patch, {"content-type": media})
    assert answer.status == status
    assert text in answer.json()["message"]


async def test_patches_with_unknown_fields(client: Client) -> None:
    await client("POST", DEPLOYMENTS, samples.deployment())
    media = {"content-type": "application/strategic-merge-patch+json"}
    patch = {"spec": {"foo": 1, "template": {"spec": {"$setElementOrder/containers": [{"name": "app"}]}}}}
    strict = await client("PATCH", f"{DEPLOYMENTS}/web?fieldValidation=Strict", patch, media)
    assert strict.status == 422
    assert 'strict decoding error: unknown field "spec.foo"' in strict.json()["message"]
    warned = await client("PATCH", f"{DEPLOYMENTS}/web", patch, media)
    assert warned.header("warning") == '299 - "unknown field \\"spec.foo\\""'


async def test_deprecated_versions_come_with_a_warning(client: Client) -> None:
    listed = await client("GET", "/apis/extensions/v1beta1/namespaces/default/ingresses")
    assert listed.header("warning").startswith('299 - "extensions/v1beta1 Ingress is deprecated in v1.14+')
    current = await client("GET", "/apis/networking.k8s.io/v1/namespaces/default/ingresses")
    assert current.header("warning") == ""


# --- parts of objects -------------------------------------------------------------------------------------


async def test_scale_shows_and_sets_replicas(client: Client) -> None:
    await client("POST", DEPLOYMENTS, samples.deployment())
    scale = (await client("GET", f"{DEPLOYMENTS}/web/scale")).json()
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == (
        "Scale",
        {"replicas": 2},
        "app=web",
    )
    scale["spec"]["replicas"] = 5
    assert (await client("PUT", f"{DEPLOYMENTS}/web/scale", scale)).json()["spec"] == {"replicas": 5}
    stale = await client("PUT", f"{DEPLOYMENTS}/web/scale", scale)
    assert stale.status == 409
    media = {"content-type": "application/merge-patch+json"}
    patched = await client("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 6}}, media)
    assert patched.json()["spec"] == {"replicas": 6}
    assert (await client("GET", f"{DEPLOYMENTS}/web")).json()["metadata"]["generation"] == 3
    wrong = await client("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, media)
    assert wrong.status == 422


async def test_a_scale_is_of_the_object_that_it_names(client: Client) -> None:
    uid = (await client("POST", DEPLOYMENTS, samples.deployment())).json()["metadata"]["uid"]
    for meta, code, said in (
        ({"name": "other"}, 400, "the name of the object (other) does not match the name on the URL (web)"),
        ({"name": "web", "uid": "x"}, 409, f"UID in precondition: x, UID in object meta: {uid}"),
        ({"name": "web", "uid": uid}, 200, ""),
    ):
        answer = await client("PUT", f"{DEPLOYMENTS}/web/scale", {"metadata": meta, "spec": {"replicas": 1}})
        assert answer.status == code
        assert said in answer.json().get("message", "")


@pytest.mark.parametrize(
    ("method", "media"),
    [
        ("PUT", "application/json"),
        ("PATCH", "application/merge-patch+json"),
        ("PATCH", "application/strategic-merge-patch+json"),
    ],
)
async def test_unknown_fields_of_a_scale_are_told_or_refused(client: Client, method: str, media: str) -> None:
    await client("POST", DEPLOYMENTS, samples.deployment())
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 3, "foo": 1}}
    url, headers = f"{DEPLOYMENTS}/web/scale", {"content-type": media}
    strict = await client(method, f"{url}?fieldValidation=Strict", body, headers)
    assert strict.status == (400 if method == "PUT" else 422)
    assert 'strict decoding error: unknown field "spec.foo"' in strict.json()["message"]
    quiet = await client(method, f"{url}?fieldValidation=Ignore", body, headers)
    assert (quiet.status, quiet.header("warning")) == (200, "")
    warned = await client(method, url, body, headers)
    assert (warned.status, warned.json()["spec"]) == (200, {"replicas": 3})
    assert warned.header("warning") == '299 - "unknown field \\"spec.foo\\""'


async def test_binding_gives_a_node_once(client: Client) -> None:
    pod = samples.pod()
    pod["metadata"]["labels"] = {"a": "b"}
    await client("POST", PODS, pod)
    meta = {"name": "web", "annotations": {"why": "free"}, "labels": {"zone": "z"}}
    binding = {"metadata": meta, "target": {"kind": "Node", "name": "one"}}
    assert (await client("POST", f"{PODS}/web/binding", binding)).status == 201
    pod = (await client("GET", f"{PODS}/web")).json()
    assert pod["spec"]["nodeName"] == "one"
    assert pod["status"]["conditions"][0]["type"] == "PodScheduled"
    assert pod["metadata"]["annotations"] == {"why": "free"}
    assert pod["metadata"]["labels"] == {"a": "b", "zone": "z"}
    again = await client("POST", f"{PODS}/web/binding", binding)
    assert (again.status, "already assigned" in again.json()["message"]) == (409, True)


@pytest.mark.parametrize(
    ("meta", "target", "code", "said"),
    [
        ({"name": "other"}, {"name": "one"}, 400, "name in URL does not match name in Binding object"),
        ({}, {"name": "one"}, 400, "name in URL does not match name in Binding object"),
        (
            {"name": "web"},
            {"kind": "Pod", "name": "one"},
            422,
            'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"',
        ),
        ({"name": "web"}, {"kind": "Node"}, 422, "target.name: Required value"),
        (
            {"name": "web", "uid": "x"},
            {"name": "one"},
            409,
            'pods "web": Precondition failed: UID in precondition: x',
        ),
        ({"name": "web", "resourceVersion": "1"}, {"name": "one"}, 409, "ResourceVersion in precondition: 1"),
        ({"name": "web"}, {"name": "one"}, 409, "pod web has non-empty .spec.schedulingGates"),
    ],
)
async def test_a_binding_that_cannot_be(
    client: Client, meta: dict[str, Any], target: dict[str, Any], code: int, said: str
) -> None:
    await client("POST", PODS, samples.pod(schedulingGates=[{"name": "wait"}]))
    refused = await client("POST", f"{PODS}/web/binding", {"metadata": meta, "target": target})
    assert refused.status == code
    assert said in refused.json()["message"]
    assert "nodeName" not in (await client("GET", f"{PODS}/web")).json()["spec"]


async def test_eviction_deletes_gracefully(client: Client) -> None:
    await client("POST", PODS, samples.pod(nodeName="one"))
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web"},
        "deleteOptions": {"gracePeriodSeconds": 3},
    }
    nameless = await client("POST", f"{PODS}/web/eviction", {**eviction, "metadata": {}})
    assert nameless.json()["message"] == "name in URL does not match name in Eviction object"
    assert (await client("POST", f"{PODS}/web/eviction", eviction)).status == 201
    assert (await client("GET", f"{PODS}/web")).json()["metadata"]["deletionGracePeriodSeconds"] == 3


async def test_an_eviction_whose_deletion_is_a_dry_run_leaves_the_pod_as_it_is(client: Client) -> None:
    await client("POST", PODS, samples.pod(nodeName="one"))
    before = (await client("GET", f"{PODS}/web")).json()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
    dry = {**eviction, "deleteOptions": {"dryRun": ["All"]}}
    assert (await client("POST", f"{PODS}/web/eviction", dry)).status == 201
    assert (await client("GET", f"{PODS}/web")).json() == before
    unknown = {**eviction, "deleteOptions": {"dryRun": ["Some"]}}
    refused = await client("POST", f"{PODS}/web/eviction", unknown)
    assert (refused.status, refused.json()["reason"]) == (422, "Invalid")
    assert (await client("POST", f"{PODS}/web/eviction", eviction)).status == 201
    assert (await client("GET", f"{PODS}/web")).json() != before


async def test_eviction_asks_the_budget(client: Client) -> None:
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for name in ("web", "two"):
        await client("POST", PODS, samples.pod(name, nodeName="one"))
        media = {"content-type": "application/merge-patch+json"}
        await client("PATCH", f"{PODS}/{name}/status", {"status": ready}, media)
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}
    await client("POST", budgets, {"metadata": {"name": "web"}, "spec": spec})
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}

    early = await client("POST", f"{PODS}/web/eviction", eviction)
    assert (early.status, early.json()["reason"]) == (429, "TooManyRequests")
    assert early.json()["details"] == {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget web is still being processed by the server.",
            }
        ],
        "retryAfterSeconds": 10,
    }

    counted = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "observedGeneration": 1}
    await client("PATCH", f"{budgets}/web/status", {"status": counted}, media)
    assert (await client("POST", f"{PODS}/web/eviction?dryRun=All", eviction)).status == 201
    assert (await client("POST", f"{PODS}/web/eviction", eviction)).status == 201
    gone = (await client("GET", f"{PODS}/web")).json()
    assert gone["metadata"]["deletionTimestamp"]
    assert gone["status"]["conditions"][-1]["reason"] == "EvictionByEvictionAPI"
    noted = (await client("GET", f"{budgets}/web")).json()["status"]
    assert (noted["disruptionsAllowed"], list(noted["disruptedPods"])) == (0, ["web"])

    eviction["metadata"]["name"] = "two"
    refused = (await client("POST", f"{PODS}/two/eviction", eviction)).json()
    assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert refused["details"]["causes"][0]["message"] == (
        "The disruption budget web needs 1 healthy pods and has 2 currently"
    )


async def test_a_namespace_ends_when_its_finalizers_are_gone(client: Client) -> None:
    namespace = (await client("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})).json()
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    ending = (await client("DELETE", "/api/v1/namespaces/team")).json()
    assert ending["status"]["phase"] == "Terminating"
    ending["spec"] = {"finalizers": []}
    assert (await client("PUT", "/api/v1/namespaces/team/finalize", ending)).status == 200
    assert (await client("GET", "/api/v1/namespaces/team")).status == 404


async def test_status_is_written_through_its_own_path(client: Client) -> None:
    await client("POST", DEPLOYMENTS, samples.deployment())
    media = {"content-type": "application/merge-patch+json"}
    await client("PATCH", f"{DEPLOYMENTS}/web", {"status": {"replicas": 7}}, media)
    assert (await client("GET", f"{DEPLOYMENTS}/web/status")).json()["status"] == {}
    changed = await client("PATCH", f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 7}}, media)
    assert changed.json()["status"] == {"replicas": 7}


async def test_collections_are_deleted_by_selector(client: Client) -> None:
    for name in ("a", "b"):
        await client("POST", PODS, samples.pod(name))
    gone = await client("DELETE", f"{PODS}?labelSelector=app%3Da")
    assert [each["metadata"]["name"] for each in gone.json()["items"]] == ["a"]
    assert len((await client("GET", PODS)).json()["items"]) == 1


# --- forms ------------------------------------------------------------------------------------------------


async def test_lists_are_valid_json(client: Client, registry: Registry) -> None:
    for name in ("a", "b"):
        await client("POST", PODS, samples.pod(name))
    found = (await client("GET", "/api/v1/pods?limit=1")).json()
    assert (found["kind"], found["apiVersion"]) == ("PodList", "v1")
    assert found["metadata"]["resourceVersion"] == str(registry.feed.revision)
    assert found["metadata"]["remainingItemCount"] == 1
    rest = (await client("GET", f"/api/v1/pods?limit=1&continue={found['metadata']['continue']}")).json()
    assert [each["metadata"]["name"] for each in rest["items"]] == ["b"]
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize("include", ["Metadata", "Object", "None"])
async def test_tables(client: Client, include: str) -> None:
    await client("POST", PODS, samples.pod())
    for path in (PODS, f"{PODS}/web"):
        table = (await client("GET", f"{path}?includeObject={include}", headers={"accept": TABLE})).json()
        assert table["kind"] == "Table"
        assert table["columnDefinitions"][0]["name"] == "Name"
        assert table["rows"][0]["cells"][:3] == ["web", "0/1", "Pending"]
        shown = table["rows"][0].get("object", {}).get("kind")
        assert shown == {"Metadata": "PartialObjectMetadata", "Object": "Pod", "None": None}[include]


async def test_partial_objects(client: Client) -> None:
    await client("POST", PODS, samples.pod())
    accept = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    found = (await client("GET", PODS, headers=accept)).json()
    assert found["kind"] == "PartialObjectMetadataList"
    assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_forms_that_nobody_speaks(client: Client) -> None:
    answer = await client("GET", PODS, headers={"accept": "application/xml"})
    assert (answer.status, answer.json()["reason"]) == (406, "NotAcceptable")
    protobuf = {"accept": "application/vnd.kubernetes.protobuf,application/json"}
    assert (await client("GET", PODS, headers=protobuf)).header("content-type") == "application/json"


async def test_big_answers_are_compressed(client: Client) -> None:
    for number in range(4):
        await client("POST", MAPS, samples.config_map(f"m{number}", a="x" * 60_000))
    answer = await client("GET", MAPS, headers={"accept-encoding": "gzip"})
    assert answer.header("content-encoding") == "gzip"
    assert len(answer.body) < 10_000
    assert len(answer.json()["items"]) == 4
    assert (await client("GET", MAPS)).header("content-encoding") == ""


async def test_other_versions_are_views_of_one_object(client: Client) -> None:
    old = "/apis/extensions/v1beta1/namespaces/default/ingresses"
    rule = {
        "host": "a",
        "http": {"paths": [{"path": "/", "backend": {"serviceName": "web", "servicePort": 80}}]},
    }
    body = {
        "apiVersion": "extensions/v1beta1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": [rule]},
    }
    assert (await client("POST", old, body)).json()["apiVersion"] == "extensions/v1beta1"
    new = (await client("GET", "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web")).json()
    path = new["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"] == {"service": {"name": "web", "port": {"number": 80}}}
    assert path["pathType"] == "ImplementationSpecific"
    shown = (await client("GET", old)).json()
    assert shown["items"][0]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["serviceName"] == "web"


# --- watches ----------------------------------------------------------------------------------------------


async def test_watches_are_lines_of_json(client: Client, registry: Registry) -> None:
    start = registry.feed.revision
    stream = await client.stream(f"{MAPS}?watch=1&resourceVersion={start}")
    await asyncio.sleep(0)
    made = (await client("POST", MAPS, samples.config_map())).json()
    await client("DELETE", f"{MAPS}/settings")
    added, deleted = await stream.take(2)
    assert added == {"type": "ADDED", "object": made}
    assert deleted["type"] == "DELETED"
    assert int(deleted["object"]["metadata"]["resourceVersion"]) == registry.feed.revision
    await stream.leave()


async def test_watches_of_tables_tell_the_columns_once(client: Client) -> None:
    await client("POST", MAPS, samples.config_map("a"))
    await client("POST", MAPS, samples.config_map("b"))
    stream = await client.stream(f"{MAPS}?watch=true", {"accept": TABLE})
    first, second = await stream.take(2)
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][0] == "b"
    await stream.leave()


async def test_initial_events_end_with_a_marked_bookmark(client: Client) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    stream = await client.stream(f"{MAPS}?{query}")
    (bookmark,) = await stream.take(1)
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (bookmark["object"]["kind"], bookmark["object"]["apiVersion"]) == ("ConfigMap", "v1")
    await stream.leave()


async def test_an_old_revision_is_an_error_event(client: Client, registry: Registry) -> None:
    for number in range(2000):
        registry.feed.collection(kinds.CONFIG_MAP).apply(
            1000 + number, ("default", "x"), samples.config_map()
        )
    answer = await client("GET", f"{MAPS}?watch=1&resourceVersion=1")
    event = json.loads(answer.body)
    assert (answer.status, event["type"]) == (200, "ERROR")
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_timeouts_end_the_answer(client: Client, registry: Registry) -> None:
    answer = await client("GET", f"{MAPS}?watch=1&resourceVersion={registry.feed.revision}&timeoutSeconds=1")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    ["watch/configmaps", "watch/namespaces/default/configmaps", "watch/namespaces/default/configmaps/a"],
)
async def test_old_paths_watch(client: Client, path: str) -> None:
    await client("POST", MAPS, samples.config_map("a"))
    stream = await client.stream(f"/api/v1/{path}")
    (added,) = await stream.take(1)
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "a")
    await stream.leave()


async def test_an_old_path_watches_one_object(client: Client) -> None:
    for name in ("a", "b", "c"):
        await client("POST", MAPS, samples.config_map(name))
    one = "/api/v1/watch/namespaces/default/configmaps/b"
    stream = await client.stream(f"{one}?fieldSelector=metadata.name=b")
    await client("DELETE", f"{MAPS}/c")
    await client("DELETE", f"{MAPS}/b")
    assert [each["object"]["metadata"]["name"] for each in await stream.take(2)] == ["b", "b"]
    await stream.leave()
    refused = await client("GET", f"{one}?fieldSelector=metadata.name=c")
    said = "fieldSelector metadata.name doesn't match requested name"
    assert (refused.status, refused.json()["message"]) == (400, said)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "watch/namespaces/default/configmaps", 405),
        ("DELETE", "watch/namespaces/default/configmaps/a", 405),
        ("GET", "watch", 404),
        ("GET", "watch/nothing", 404),
        ("GET", "watch/namespaces/default/pods/a/log", 404),
        ("GET", "watch/bindings", 404),
    ],
)
async def test_old_paths_do_nothing_else(client: Client, method: str, path: str, code: int) -> None:
    assert (await client(method, f"/api/v1/{path}")).status == code


# --- what is served ---------------------------------------------------------------------------------------


async def test_discovery_lists_every_kind(client: Client) -> None:
    listed = set()
    for group, versions in discovery.groups(kinds.BUILT_IN).items():
        for version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            for each in (await client("GET", path)).json()["resources"]:
                listed.add((group, version, each["name"]))
    assert {(kind.group, kind.version, kind.plural) for kind in kinds.ALL} <= listed
    assert ("apps", "v1", "deployments/scale") in listed
    names = [each["name"] for each in (await client("GET", "/apis")).json()["groups"]]
    assert names.count("networking.k8s.io") == 1
    assert (await client("GET", "/apis/apps")).json()["preferredVersion"]["groupVersion"] == "apps/v1"
    assert (await client("GET", "/api")).json()["versions"] == ["v1"]


async def test_aggregated_discovery_says_the_same(client: Client) -> None:
    accept = {"accept": f"{discovery.AGGREGATED},application/json"}
    listed = set()
    for path in ("/api", "/apis"):
        answer = await client("GET", path, headers=accept)
        assert answer.header("content-type") == discovery.AGGREGATED
        for group in answer.json()["items"]:
            for version in group["versions"]:
                for each in version["resources"]:
                    listed.add((group["metadata"].get("name", ""), version["version"], each["resource"]))
    served: list[Any] = [*kinds.ALL, *reviews.ALL]
    assert listed == {(kind.group, kind.version, kind.plural) for kind in served}


# --- questions about the caller ---------------------------------------------------------------------------


async def test_whoever_has_the_token_is_the_administrator(client: Client) -> None:
    who = await client("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {"spec": {}})
    assert who.json()["status"]["userInfo"]["username"] == "kubernetes-admin"
    base = "/apis/authorization.k8s.io/v1"
    access = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    assert (await client("POST", f"{base}/selfsubjectaccessreviews", access)).json()["status"]["allowed"]
    rules = await client("POST", f"{base}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    assert rules.json()["status"]["resourceRules"][0]["verbs"] == ["*"]
    assert (await client("GET", f"{base}/selfsubjectaccessreviews")).status == 405


@pytest.mark.parametrize(
    ("wanted", "code", "kind"),
    [
        ("as=Table;v=v1;g=meta.k8s.io", 406, "Status"),
        ("as=Table;v=v1;g=meta.k8s.io,application/json", 201, "SelfSubjectReview"),
        ("as=PartialObjectMetadata;v=v1;g=meta.k8s.io", 201, "PartialObjectMetadata"),
    ],
)
async def test_reviews_are_not_shown_as_tables(client: Client, wanted: str, code: int, kind: str) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = {"accept": f"application/json;{wanted}"}
    answer = await client("POST", path, {"spec": {}}, headers=headers)
    assert (answer.status, answer.json()["kind"]) == (code, kind)


async def test_an_update_makes_an_event_that_is_missing_and_changes_one_that_is_there(client: Client) -> None:
    """In the version that events are kept in, and in the other one."""
    body = {
        "metadata": {"name": "said", "namespace": "default"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/me",
        "reportingInstance": "me-1",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
        "action": "Say",
        "reason": "Said",
        "type": "Normal",
    }
    path = "/apis/events.k8s.io/v1/namespaces/default/events/said"
    assert (await client("PUT", path, body)).status == 201
    changed = await client("PUT", path, {**body, "note": "again"})
    assert (changed.status, changed.json().get("note")) == (200, "again")


async def test_a_negative_limit_is_none(client: Client) -> None:
    answer = await client("GET", "/apis/networking.k8s.io/v1/networkpolicies?limit=-3")
    assert answer.json()["items"] == []


async def test_what_is_in_all_namespaces_is_not_deleted_at_once(client: Client) -> None:
    assert (await client("DELETE", "/apis/apps/v1/deployments")).status == 405
    assert (await client("DELETE", "/apis/apps/v1/namespaces/default/deployments")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/api/v1/namespaces/default/pods", "GET, POST, DELETE"),
        ("TRACE", "/api/v1/namespaces/default/pods/a", "GET, PUT, PATCH, DELETE"),
        ("PUT", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "POST"),
    ],
)
async def test_a_refused_method_names_those_that_fit(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = await client(method, path)
    assert (answer.status, answer.header("allow")) == (405, allowed)


async def test_a_warning_that_no_header_can_carry_is_left_out(client: Client) -> None:
    body = {"metadata": {"name": "odd"}, "a\x1db\0": 1, "fine": 1}
    answer = await client("POST", "/api/v1/namespaces/default/configmaps", json.dumps(body).encode())
    assert answer.status == 201
    assert answer.header("warning") == '299 - "unknown field \\"fine\\""'
