"""Walks of newer conformance tests about custom kinds and discovery, step by step, in raw requests.

Sources: Kubernetes' test/e2e/apimachinery: field_validation.go, aggregated_discovery.go, discovery.go and
crd_selectable_fields.go (its conversion by a webhook is walked in tests/extensions/test_conversion.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from tests.clients.conftest import Cluster, eventually

pytestmark = pytest.mark.timeout(120)
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
APPLY = "application/apply-patch+yaml"
BUILT_IN = {
    ("", "v1"): "namespaces",
    ("admissionregistration.k8s.io", "v1"): "validatingwebhookconfigurations",
    ("apiextensions.k8s.io", "v1"): "customresourcedefinitions",
    ("apiregistration.k8s.io", "v1"): "apiservices",
    ("apps", "v1"): "deployments",
    ("authentication.k8s.io", "v1"): "tokenreviews",
    ("authorization.k8s.io", "v1"): "selfsubjectaccessreviews",
    ("autoscaling", "v1"): "horizontalpodautoscalers",
    ("autoscaling", "v2"): "horizontalpodautoscalers",
    ("batch", "v1"): "jobs",
    ("certificates.k8s.io", "v1"): "certificatesigningrequests",
    ("coordination.k8s.io", "v1"): "leases",
    ("discovery.k8s.io", "v1"): "endpointslices",
    ("events.k8s.io", "v1"): "events",
    ("networking.k8s.io", "v1"): "ingresses",
    ("node.k8s.io", "v1"): "runtimeclasses",
    ("policy", "v1"): "poddisruptionbudgets",
    ("scheduling.k8s.io", "v1"): "priorityclasses",
    ("storage.k8s.io", "v1"): "csinodes",
}
PORT = {
    "type": "object",
    "required": ["containerPort", "protocol"],
    "properties": {
        "containerPort": {"type": "integer", "format": "int32"},
        "hostIP": {"type": "string"},
        "hostPort": {"type": "integer", "format": "int32"},
        "name": {"type": "string"},
        "protocol": {"type": "string"},
    },
}
SPEC = {
    "foo": {"type": "string"},
    "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
    "ports": {
        "type": "array",
        "items": PORT,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    },
}
EMBEDDED = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
        "spec": {"type": "object"},
    },
}
KEEPS = "x-kubernetes-preserve-unknown-fields"
SCHEMAS: dict[str, dict[str, Any]] = {
    "closed": {"properties": {"spec": {"type": "object", "properties": SPEC}}},
    "open": {KEEPS: True},
    "keeping": {
        "properties": {"spec": {"type": "object", KEEPS: True, "properties": {**SPEC, "template": EMBEDDED}}}
    },
}
REST = """  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP"""


class Api:
    """Raw requests with the client's credentials."""

    def __init__(self, client: ApiClient) -> None:
        self._pool = client.rest_client.pool_manager
        self._host = client.configuration.host
        self._headers = {"Authorization": client.configuration.auth_settings()["BearerToken"]["value"]}

    def __call__(
        self, method: str, path: str, body: Any = None, media: str = "application/json", accept: str = "*/*"
    ) -> tuple[int, Any]:
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": media, "Accept": accept}
        found = self._pool.request(method, self._host + path, body=data, headers=headers)
        return found.status, json.loads(found.data)

    def seen(self, path: str) -> list[tuple[str, str]]:
        """Return the types and names of what a watch that ends by itself tells."""
        found = self._pool.request("GET", self._host + path, headers=self._headers)
        events = [json.loads(line) for line in found.data.splitlines()]
        return [(each["type"], each["object"]["metadata"]["name"]) for each in events]


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[Api]:
    with cluster.client() as client:
        yield Api(client)


def defined(api: Api, group: str, schema: dict[str, Any], **version: Any) -> str:
    """Define a kind of the cluster with two versions, wait until it is served, and return its path."""
    one = {"served": True, "schema": {"openAPIV3Schema": {"type": "object", **schema}}, **version}
    spec = {
        "group": group,
        "scope": "Cluster",
        "names": {"plural": "noxus", "singular": "noxu", "kind": "Noxu", "listKind": "NoxuList"},
        "versions": [{**one, "name": "v1beta1", "storage": True}, {**one, "name": "v1", "storage": False}],
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = {"metadata": {"name": f"noxus.{group}"}, "spec": spec}
    assert api("POST", path, body)[0] == 201
    served = f"/apis/{group}/v1beta1/noxus"
    eventually(lambda: api("GET", served)[0] == 200)
    return served


# --- field validation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta", "spec", "wanted"),
    [
        (
            {},
            '"unknownField": "foo", "replicas": 2, "replicas": 3, ',
            'unknown field "spec.unknownField", duplicate field "spec.replicas"',
        ),
        ({"unknownMeta": "foo"}, "", 'unknown field "metadata.unknownMeta"'),
    ],
)
def test_unknown_and_repeated_fields_of_a_deployment(
    api: Api, namespace: str, meta: dict[str, Any], spec: str, wanted: str
) -> None:
    labels = '{"app": "nginx"}'
    template = (
        f'{{"metadata": {{"labels": {labels}}}, "spec": {{"containers": [{{"name": "n", "image": "n"}}]}}}}'
    )
    body = (
        f'{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {json.dumps({"name": "d", **meta})}, "spec": '
        f'{{{spec}"selector": {{"matchLabels": {labels}}}, "template": {template}}}}}'
    )
    query = "fieldManager=field_validation_mgr&fieldValidation=Strict"
    code, found = api("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments?{query}", body)
    assert code == 400
    assert f"strict decoding error: {wanted}" in found["message"]


@pytest.mark.parametrize(
    ("schema", "lines", "wanted"),
    [
        ("closed", "spec:\n  foo: foo1", ""),
        ("open", "spec:\n  unknown: uk1", ""),
        (
            "closed",
            "unknownField: unknown\nspec:\n  foo: foo1",
            ".unknownField: field not declared in schema",
        ),
        (
            "keeping",
            "  unknownMeta: unknown\nspec:\n  template:\n    apiversion: foo/v1\n    kind: Sub\n    metadata:\n"
            "      unknownSubMeta: unknown\n      name: sub\n      namespace: default",
            ".spec.template.metadata.unknownSubMeta: field not declared in schema",
        ),
        (
            "keeping",
            "spec:\n  unknown: uk1\n  foo: foo1\n  foo: foo2",
            'line 11: key "foo" already set in map',
        ),
    ],
    ids=["valid", "without schema", "unknown", "unknown metadata", "repeated"],
)
def test_applied_objects_are_judged_strictly(
    api: Api, request: pytest.FixtureRequest, schema: str, lines: str, wanted: str
) -> None:
    group = f"g{abs(hash(request.node.nodeid)) % 10**8}.example.com"
    path = defined(api, group, SCHEMAS[schema])
    head = f"\napiVersion: {group}/v1beta1\nkind: Noxu\nmetadata:\n  name: mytest\n  finalizers:\n  - test-finalizer\n"
    query = "fieldManager=field_validation_mgr&fieldValidation=Strict"
    code, found = api("PATCH", f"{path}/mytest?{query}", f"{head}{lines}\n{REST}", APPLY)
    if wanted:
        assert code >= 400
        assert wanted in found["message"]
    else:
        assert (code, found["spec"]["ports"][0]["containerPort"]) == (201, 80)
        api("PATCH", f"{path}/mytest", {"metadata": {"finalizers": None}}, "application/merge-patch+json")


# --- discovery --------------------------------------------------------------------------------------------


def resources(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return group, version and plural of all that an aggregated document lists."""
    return {
        (group["metadata"].get("name", ""), version["version"], each["resource"])
        for group in document["items"]
        for version in group["versions"]
        for each in version["resources"]
    }


def test_aggregated_discovery_has_what_is_built_in_and_what_is_defined(api: Api) -> None:
    (code, others), (_, core) = (api("GET", path, accept=AGGREGATED) for path in ("/apis", "/api"))
    assert (code, others["kind"], others["apiVersion"]) == (
        200,
        "APIGroupDiscoveryList",
        "apidiscovery.k8s.io/v2",
    )
    found = resources(others) | resources(core)
    assert {(*where, plural) for where, plural in BUILT_IN.items()} <= found
    defined(api, "aggregated.example.com", SCHEMAS["open"])
    wanted = ("aggregated.example.com", "v1", "noxus")
    eventually(lambda: wanted in resources(api("GET", "/apis", accept=AGGREGATED)[1]))


def test_each_group_has_the_versions_and_resources_that_it_names(api: Api) -> None:
    groups = api("GET", "/apis")[1]["groups"]
    assert len(groups) >= 20
    for group in groups:
        versions = [each["groupVersion"] for each in group["versions"]]
        assert group["preferredVersion"]["groupVersion"] in versions
        assert api("GET", f"/apis/{group['name']}")[1]["name"] == group["name"]
        for version in versions:
            code, listed = api("GET", f"/apis/{version}")
            assert (code, listed["groupVersion"]) == (200, version)
            assert all({"name", "kind", "verbs"} <= set(each) for each in listed["resources"])
            assert listed["resources"]


# --- selectable fields ------------------------------------------------------------------------------------


def test_custom_objects_are_selected_by_their_fields(api: Api) -> None:
    properties = {"properties": {"host": {"type": "string"}, "port": {"type": "string"}}}
    selectable = [{"jsonPath": ".host"}, {"jsonPath": ".port"}]
    path = defined(api, "selectable.example.com", properties, selectableFields=selectable)

    def names(selector: str) -> list[str]:
        return [
            each["metadata"]["name"] for each in api("GET", f"{path}?fieldSelector={selector}")[1]["items"]
        ]

    since = api("GET", path)[1]["metadata"]["resourceVersion"]
    made = {}
    for name, host, port in (("a", "host1", "80"), ("b", "host1", "8080"), ("c", "host2", None)):
        body = {"apiVersion": "selectable.example.com/v1beta1", "kind": "Noxu", "metadata": {"name": name}}
        code, made[name] = api("POST", path, {**body, "host": host, **({"port": port} if port else {})})
        assert code == 201
    assert names("host=host1") == ["a", "b"]
    assert names("host=host1,port=80") == ["a"]
    assert names("host!=host1") == ["c"]
    assert api("DELETE", f"{path}?fieldSelector=host=host1,port=80", {"gracePeriodSeconds": 0})[0] == 200
    assert api("PUT", f"{path}/b", {**made["b"], "host": "host2"})[0] == 200
    assert names("host=host1") == []

    found = api.seen(f"{path}?watch=1&timeoutSeconds=1&resourceVersion={since}&fieldSelector=host=host1")
    assert found == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("DELETED", "b")]
