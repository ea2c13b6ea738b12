"""Hostile and broken requests: each gets a metav1.Status with Kubernetes' reason and code, and harms nobody."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.apiserver import listing
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client

MAPS = "/api/v1/namespaces/default/configmaps"
CASES = yaml.safe_load((Path(__file__).parent / "bad_input.yaml").read_text())
MEDIA = {
    "json": "application/json",
    "yaml": "application/yaml",
    "merge": "application/merge-patch+json",
    "patch": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@pytest.fixture
async def client(registry: Registry) -> Client:
    found = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))
    await found("POST", MAPS, samples.config_map(a="1"))
    return found


def body_of(case: dict[str, Any]) -> Any:
    body = case.get("body", b"")
    if "nested" in case:
        body = body.replace("@", '{"a":' * case["nested"] + "{}" + "}" * case["nested"])
    if "repeated" in case:
        body = "[" + ",".join([body] * case["repeated"]) + "]"
    return body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_it_is_refused_in_kubernetes_words(client: Client, case: dict[str, Any]) -> None:
    before = (await client("GET", MAPS)).json()["items"]
    headers = dict(case.get("headers", {}))
    if "as" in case:
        headers["content-type"] = MEDIA.get(case["as"], case["as"])
    answer = await client(case["method"], case["path"].replace("MAPS", MAPS), body_of(case), headers)
    status = answer.json()
    assert (answer.status, status["reason"]) == (case["code"], case["reason"]), status
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", case["code"])
    assert case["said"] in status["message"]
    assert (await client("GET", MAPS)).json()["items"] == before


async def test_an_aliased_bomb_does_not_go_off(client: Client) -> None:
    lines = ['a0: &a0 ["x","x","x","x","x","x","x","x","x","x"]']
    for level in range(1, 12):
        refs = ",".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{refs}]")
    answer = await client("POST", MAPS, "\n".join(lines).encode(), {"content-type": "application/yaml"})
    assert answer.status == 400
    assert "too big" in answer.json()["message"]


async def test_an_expired_continue_token_says_how_to_go_on(client: Client, registry: Registry) -> None:
    for name in "bcdef":
        await client("POST", MAPS, samples.config_map(name))
    first = (await client("GET", f"{MAPS}?limit=2")).json()
    old = listing._token(listing._Start(1, registry.clock.now(), ("default", "c")))
    registry.feed.collection(samples_kind()).oldest = registry.feed.revision
    for name in ("g", "h"):
        await client("POST", MAPS, samples.config_map(name))
    expired = await client("GET", f"{MAPS}?limit=2&continue={old}")
    status = expired.json()
    assert (expired.status, status["reason"]) == (410, "Expired")
    assert "use the continue token in this response" in status["message"]
    rest = await client("GET", f"{MAPS}?continue={status['metadata']['continue']}")
    assert [each["metadata"]["name"] for each in rest.json()["items"]] == [
        "d",
        "e",
        "f",
        "g",
        "h",
        "settings",
    ]
    assert first["metadata"]["continue"]


def samples_kind() -> Any:
    from minikctl.model import kinds

    return kinds.CONFIG_MAP


async def test_duplicate_fields_are_warned_of_however_they_are_written(client: Client) -> None:
    body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n"},"data":{"a":"1","a" : "\\u0022:"}}'
    answer = await client("POST", f"{MAPS}?dryRun=All", body.encode(), {"content-type": "application/json"})
    assert 'duplicate field \\"data.a\\"' in answer.header("warning")
    sound = json.dumps({**samples.config_map("n", a='"x": "\\'), "metadata": {"name": "n"}})
    answer = await client("POST", f"{MAPS}?dryRun=All", sound.encode(), {"content-type": "application/json"})
    assert (answer.status, answer.header("warning")) == (201, "")


async def test_metadata_changes_through_status(client: Client) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments"
    made = (await client("POST", url, samples.deployment())).json()
    patch = {
        "metadata": {"annotations": {"a": "b"}, "labels": {"x": "y"}},
        "spec": {"replicas": 9},
        "status": {"replicas": 1},
    }
    media = {"content-type": MEDIA["merge"]}
    patched = (await client("PATCH", f"{url}/web/status", patch, media)).json()
    assert patched["metadata"]["annotations"] == {"a": "b"}
    assert "labels" not in patched["metadata"], "a Deployment keeps its labels"
    assert (patched["spec"], patched["status"]["replicas"]) == (made["spec"], 1)


async def test_a_long_yaml_text_keeps_nobody_waiting(client: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n}\ndata:\n" + b"".join(
        b"  k%d: v\n" % number
        for number in range(5_000)  # on a busy machine, too, the client waits for its end
    )
    writing = asyncio.ensure_future(
        client("POST", f"{MAPS}?dryRun=All", text, {"content-type": MEDIA["yaml"]})
    )
    answered = 0
    while not writing.done():
        assert (await client("GET", "/version")).status == 200
        answered += 1
        await asyncio.sleep(0)
    assert (await writing).status == 201
    assert answered > 20


async def test_what_is_wrong_with_names_in_json_is_told_in_the_order_of_the_text(client: Client) -> None:
    text = (
        b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","name":"n","one":1},"spec":{"two":1,"two":2,'
        b'"hostPID":true,"hostPID":false,"containers":[{"name":"c","image":"x","three":{"a":1,"a":2},"image":"y"}]}}'
    )
    url = "/api/v1/namespaces/default/pods?dryRun=All&fieldValidation=Strict"
    strict = await client("POST", url, text, {"content-type": "application/json"})
    wanted = (
        'strict decoding error: duplicate field "metadata.name", unknown field "metadata.one", '
        'unknown field "spec.two", duplicate field "spec.hostPID", '
        'unknown field "spec.containers[0].three", duplicate field "spec.containers[0].image"'
    )
    assert strict.json()["message"].endswith(wanted)


async def test_unknown_fields_of_yaml_are_told_in_the_order_of_their_names(client: Client) -> None:
    text = b"zone: 1\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: n, other: 1}\nalso: 1\n"
    url = f"{MAPS}?dryRun=All&fieldValidation=Strict"
    strict = await client("POST", url, text, {"content-type": MEDIA["yaml"]})
    wanted = 'unknown field "also", unknown field "metadata.other", unknown field "zone"'
    assert wanted in strict.json()["message"]


async def test_names_that_come_twice_in_yaml_are_told_with_their_line(client: Client) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n}\ndata:\n  a: '1'\n  a: '2'\n"
    url, media = f"{MAPS}?dryRun=All", {"content-type": MEDIA["yaml"]}
    assert 'line 6: key \\"a\\" already set in map' in (await client("POST", url, text, media)).header(
        "warning"
    )
    strict = await client("POST", f"{url}&fieldValidation=Strict", text, media)
    assert (strict.status, 'key "a" already set in map' in strict.json()["message"]) == (400, True)
    url, media = (
        f"{MAPS}/n?fieldManager=a&dryRun=All&fieldValidation=Strict",
        {"content-type": MEDIA["apply"]},
    )
    assert (
        (await client("PATCH", url, text, media))
        .json()["message"]
        .startswith("error strict decoding patch: yaml")
    )


async def test_some_kinds_are_made_by_an_update_and_some_need_a_version(client: Client) -> None:
    url = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
    assert (await client("PUT", url, lease)).status == 201
    refused = await client("PUT", url, lease)
    assert (refused.status, refused.json()["details"]["causes"][0]["field"]) == (
        422,
        "metadata.resourceVersion",
    )
    assert "must be specified for an update" in refused.json()["message"]
    assert (await client("PUT", f"{MAPS}/none", samples.config_map("none"))).status == 404


async def test_a_client_is_told_when_to_try_again(client: Client) -> None:
    assert (await client("GET", f"{MAPS}?resourceVersion=99999999")).header("retry-after") == "1"
