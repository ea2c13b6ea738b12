"""OpenAPI documents and discovery: complete, described, and cached by those who ask again."""

from __future__ import annotations

import json

import pytest

from minikctl.apiserver import discovery
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from tests.apiserver.asgi import TOKEN, Client

PROTOBUF = {"accept": "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"}


@pytest.fixture
def client(registry: Registry) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))


async def test_documents_describe_every_kind_and_leave_no_reference_open(client: Client) -> None:
    index = (await client("GET", "/openapi/v3")).json()["paths"]
    found = set()
    for entry in index.values():
        document = (await client("GET", entry["serverRelativeURL"])).json()
        schemas = document["components"]["schemas"]
        for schema in schemas.values():
            for gvk in schema.get("x-kubernetes-group-version-kind", ()):
                found.add((gvk["group"], gvk["version"], gvk["kind"]))
        text = json.dumps(document)
        for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
            assert name in schemas
    assert found >= {(kind.group, kind.version, kind.kind) for kind in kinds.ALL}


async def test_version_2_in_both_forms(client: Client) -> None:
    document = (await client("GET", "/openapi/v2")).json()
    assert document["definitions"]["io.k8s.api.core.v1.Pod"]["description"].startswith("Pod is a collection")
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/definitions/")[1:]}:
        assert name in document["definitions"]
    answer = await client("GET", "/openapi/v2", headers=PROTOBUF)
    assert answer.header("content-type") == PROTOBUF["accept"]
    assert b"io.k8s.api.core.v1.PodSpec" in answer.body
    assert (await client("GET", "/openapi/v2", headers={"accept": "text/xml"})).status == 406


async def test_merge_keys_and_field_validation_are_there(client: Client) -> None:
    document = (await client("GET", "/openapi/v3/apis/apps/v1")).json()
    containers = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {each["name"] for each in patch["parameters"]}
    assert patch["operationId"] == "patchAppsV1NamespacedDeployment"


async def test_operations_have_names_of_their_own(client: Client) -> None:
    document = (await client("GET", "/openapi/v2")).json()
    named = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    ]
    assert len(named) == len(set(named))
    assert "listCoreV1PodForAllNamespaces" in named
    assert "readCoreV1ComponentStatus" in named
    assert "createCoreV1ComponentStatus" not in named


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/openapi/v2", ""),
        ("/openapi/v2", PROTOBUF["accept"]),
        ("/openapi/v3/apis/apps/v1", ""),
        ("/api", discovery.AGGREGATED),
        ("/apis", discovery.AGGREGATED),
    ],
)
async def test_whoever_has_a_document_is_told_so(client: Client, path: str, accept: str) -> None:
    first = await client("GET", path, headers={"accept": accept})
    tag = first.header("etag")
    assert tag.startswith('"')
    again = await client("GET", path, headers={"accept": accept, "if-none-match": tag})
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    other = await client("GET", path, headers={"accept": accept, "if-none-match": '"OLD"'})
    assert other.body == first.body
    packed = await client("GET", path, headers={"accept": accept, "accept-encoding": "gzip"})
    assert packed.header("content-encoding") == "gzip"
    assert len(packed.body) < len(first.body)


async def test_a_document_under_its_hash_never_changes(client: Client) -> None:
    address = (await client("GET", "/openapi/v3")).json()["paths"]["apis/apps/v1"]["serverRelativeURL"]
    answer = await client("GET", address)
    assert answer.header("cache-control") == "public, immutable"
    assert "GMT" in answer.header("expires")
    moved = await client("GET", "/openapi/v3/apis/apps/v1?hash=OLD")
    assert (moved.status, moved.header("location")) == (301, address)
