"""Server-side apply and managedFields over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Answer, Client

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture
def client(registry: Registry) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))


async def apply(client: Client, url: str, obj: Any, manager: str = "me", **query: str) -> Answer:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return await client("PATCH", f"{url}?fieldManager={manager}{more}", obj, APPLY)


def owners(answer: Answer) -> dict[str, Any]:
    return {
        "/".join(filter(None, (each["manager"], each.get("subresource")))): each
        for each in answer.json()["metadata"].get("managedFields") or ()
    }


async def test_apply_makes_then_changes_then_leaves_alone(client: Client) -> None:
    made = await apply(client, f"{MAPS}/settings", samples.config_map(a="1", b="1"))
    assert made.status == 201
    changed = await apply(client, f"{MAPS}/settings", samples.config_map(a="2"))
    assert (changed.status, changed.json()["data"]) == (200, {"a": "2"})
    again = await apply(client, f"{MAPS}/settings", samples.config_map(a="2"))
    assert again.body == changed.body, "nothing was written"


async def test_apply_takes_yaml(client: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
    assert (await apply(client, f"{MAPS}/settings", text)).json()["data"] == {"a": "1"}


async def test_a_dry_run_stores_nothing(client: Client) -> None:
    tried = await apply(client, f"{MAPS}/settings", samples.config_map(a="1"), dryRun="All")
    assert tried.status == 201
    assert owners(tried)["me"]["operation"] == "Apply"
    assert (await client("GET", f"{MAPS}/settings")).status == 404


async def test_every_write_says_who_it_was(client: Client) -> None:
    body = samples.deployment()
    made = await client("POST", f"{DEPLOYMENTS}?fieldManager=maker", body)
    assert owners(made)["maker"]["operation"] == "Update"
    patch = {"metadata": {"labels": {"x": "y"}}}
    patched = await client("PATCH", f"{DEPLOYMENTS}/web", patch, {**MERGE, "user-agent": "curl/8.1 (x)"})
    assert owners(patched)["curl"]["fieldsV1"] == {"f:metadata": {"f:labels": {".": {}, "f:x": {}}}}
    status = {**patched.json(), "status": {"replicas": 1}}
    told = await client("PUT", f"{DEPLOYMENTS}/web/status?fieldManager=ctl", status)
    assert owners(told)["ctl/status"]["fieldsV1"] == {"f:status": {"f:replicas": {}}}
    scale = {"spec": {"replicas": 5}}
    await client("PATCH", f"{DEPLOYMENTS}/web/scale?fieldManager=hpa", scale, MERGE)
    scaled = await client("GET", f"{DEPLOYMENTS}/web")
    assert owners(scaled)["hpa/scale"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(scaled)["maker"]["fieldsV1"]["f:spec"]


async def test_scale_can_be_applied(client: Client) -> None:
    await apply(client, f"{DEPLOYMENTS}/web", samples.deployment())
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web"},
        "spec": {"replicas": 5},
    }
    refused = await apply(client, f"{DEPLOYMENTS}/web/scale", scale, "hpa")
    assert (refused.status, refused.json()["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    scaled = await apply(client, f"{DEPLOYMENTS}/web/scale", scale, "hpa", force="true")
    assert scaled.json()["spec"] == {"replicas": 5}
    assert owners(await client("GET", f"{DEPLOYMENTS}/web"))["hpa/scale"]["operation"] == "Apply"


async def test_conflicts_are_kubernetes_own(client: Client) -> None:
    await apply(client, f"{MAPS}/settings", samples.config_map(a="1"), "other")
    refused = (await apply(client, f"{MAPS}/settings", samples.config_map(a="2"))).json()
    assert (refused["code"], refused["reason"]) == (409, "Conflict")
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "other": .data.a'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "other"', "field": ".data.a"}
    assert refused["details"] == {"causes": [cause]}


@pytest.mark.parametrize(
    ("query", "change", "code", "text"),
    [
        ("", {}, 422, "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=" + "x" * 129, {}, 422, "fieldManager: Too long: may not be more than 128 bytes"),
        ("fieldManager=a%0A", {}, 422, "should only contain printable characters"),
        ("fieldManager=a", {"apiVersion": "v2"}, 400, "Specified patch version: v2, expected: v1"),
        ("fieldManager=a", {"metadata": {"managedFields": []}}, 400, "metadata.managedFields must be nil"),
        ("fieldManager=a", {"metadata": {"name": "x"}}, 400, "does not match the name on the URL (settings)"),
        ("fieldManager=a", {"metadata": {"uid": "x"}}, 409, "and no existing object was found"),
        (
            "fieldManager=a",
            {"metadata": {"name": "settings", "resourceVersion": "1"}},
            400,
            "resourceVersion should not be set",
        ),
        ("fieldManager=a", {}, 400, "(settings based on URL) was undeterminable: name must be provided"),
        (
            "fieldManager=a",
            {"kind": "Secret"},
            400,
            'Secret in version "v1" cannot be handled as a ConfigMap',
        ),
        ("fieldManager=a", {"data": {"a": 1}}, 500, "expected string, got &value.valueUnstructured{Value:1}"),
        ("fieldManager=a", {"foo": 1}, 500, "(/; /v1, Kind=ConfigMap): .foo: field not declared in schema"),
        ("fieldManager=a", [], 400, "error decoding patch"),
        ("fieldManager=a", b"{", 400, "error decoding patch"),
    ],
)
async def test_what_cannot_be_applied(client: Client, query: str, change: Any, code: int, text: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", **change} if isinstance(change, dict) else change
    refused = await client("PATCH", f"{MAPS}/settings?{query}", body, APPLY)
    assert (refused.status, text in refused.json()["message"]) == (code, True), refused.json()
    assert (await client("GET", MAPS)).json()["items"] == []


async def test_force_is_for_apply_only(client: Client) -> None:
    await client("POST", MAPS, samples.config_map(a="1"))
    refused = await client("PATCH", f"{MAPS}/settings?force=true", {"data": {}}, MERGE)
    assert "force: Forbidden: may not be specified for non-apply patch" in refused.json()["message"]


async def test_a_stale_configuration_is_a_conflict(client: Client) -> None:
    made = (await apply(client, f"{MAPS}/settings", samples.config_map(a="1"))).json()
    stale = {**samples.config_map(a="2")}
    stale["metadata"]["resourceVersion"] = str(int(made["metadata"]["resourceVersion"]) - 1)
    assert (await apply(client, f"{MAPS}/settings", stale)).json()["reason"] == "Conflict"


async def test_managed_fields_can_be_edited_and_reset(client: Client) -> None:
    made = await client("POST", f"{MAPS}?fieldManager=maker", samples.config_map(a="1"))
    entry = {**owners(made)["maker"], "manager": "heir", "operation": "Apply"}
    edit = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": made.json()["metadata"]["resourceVersion"],
        },
    ]
    media = {"content-type": "application/json-patch+json"}
    assert list(owners(await client("PATCH", f"{MAPS}/settings", edit, media))) == ["heir"]
    assert (await client("PATCH", f"{MAPS}/settings", edit, media)).json()["reason"] == "Conflict", (
        "it is stale now"
    )
    reset = await client("PATCH", f"{MAPS}/settings", {"metadata": {"managedFields": [{}]}}, MERGE)
    assert owners(reset) == {}
    broken = {"metadata": {"managedFields": [{"manager": "x", "operation": "Nope"}]}}
    assert owners(await client("PATCH", f"{MAPS}/settings", broken, MERGE)) == {}
    applied = await apply(client, f"{MAPS}/settings", samples.config_map(a="1"))
    assert set(owners(applied)) == {"me", "before-first-apply"}


async def test_a_client_that_knows_no_managed_fields_does_not_lose_them(client: Client) -> None:
    made = await client("POST", f"{MAPS}?fieldManager=maker", samples.config_map(a="1"))
    body = {**made.json(), "data": {"a": "1", "b": "2"}}
    del body["metadata"]["managedFields"]
    put = await client("PUT", f"{MAPS}/settings?fieldManager=plain", body)
    assert set(owners(put)) == {"maker", "plain"}


async def test_what_is_deleted_while_it_is_applied_is_made_anew(client: Client) -> None:
    async def applied(text: str) -> int:
        body = samples.config_map(a=text)
        return (await client("PATCH", f"{MAPS}/settings?fieldManager=a", body, APPLY)).status

    await applied("first")
    codes = list[int]()
    for number in range(20):
        _, code = await asyncio.gather(client("DELETE", f"{MAPS}/settings"), applied(str(number)))
        codes.append(code)
    assert set(codes) <= {200, 201}
    assert 201 in codes
