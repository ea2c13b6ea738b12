"""Several versions of a custom kind that a webhook converts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl.apiserver import converting
from minikctl.apiserver.local import LocalClient
from tests.extensions import webhook
from tests.extensions.conftest import DEFINITIONS, Api
from tests.extensions.definitions import GROUP, crd, crontab
from tests.extensions.webhook import Json, Webhook

V1 = f"/apis/{GROUP}/v1/namespaces/default/crontabs"
V2 = f"/apis/{GROUP}/v2/namespaces/default/crontabs"
ONE = {"type": "object", "properties": {"hostPort": {"type": "string"}}}
TWO = {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "string"}}}


def convert(obj: Json, wanted: str) -> Json:
    """``hostPort`` in v1 is ``host`` and ``port`` in v2; what no schema knows must be dropped again."""
    spec = obj["spec"]
    if wanted.endswith("/v2"):
        host, _, port = spec["hostPort"].partition(":")
        spec = {"host": host, "port": port}
    else:
        spec = {"hostPort": f"{spec['host']}:{spec['port']}"}
    return {**obj, "apiVersion": wanted, "spec": {**spec, "unknown": 1}}


def answer(request: Json) -> Json:
    """Convert all; nothing but labels and annotations of the metadata may change."""
    made = [convert(each, request["desiredAPIVersion"]) for each in request["objects"]]
    for each in made:
        labels = {**(each["metadata"].get("labels") or {}), "seen": "yes"}
        each["metadata"] = {**each["metadata"], "labels": labels, "generation": 77}
    return {"result": {"status": "Success"}, "convertedObjects": made}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Webhook]:
    async with webhook.serving(tmp_path, answer) as found:
        yield found


def definition(server: Webhook, *, kept: str = "v1", **more: Any) -> Json:
    found = crd(ONE, selectableFields=[{"jsonPath": ".spec.hostPort"}])
    first = found["spec"]["versions"][0]
    second = {
        **crd(TWO)["spec"]["versions"][0],
        "name": "v2",
        "selectableFields": [{"jsonPath": ".spec.port"}],
        "subresources": {"status": {}},
    }
    first.update(storage=kept == "v1", subresources={"status": {}})
    second["storage"] = kept == "v2"
    found["spec"]["versions"] = [first, second]
    found["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": server.config(), "conversionReviewVersions": ["v1"], **more},
    }
    return found


def reviews(server: Webhook) -> list[tuple[str, int]]:
    return [(each["desiredAPIVersion"].rpartition("/")[2], len(each["objects"])) for each in server.seen]


async def test_objects_are_converted_when_they_are_read(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    made = await api.ok("POST", V1, crontab(hostPort="a:1"))
    assert server.seen == []
    found = await api.ok("GET", f"{V2}/mine")
    assert (found["apiVersion"], found["spec"]) == (f"{GROUP}/v2", {"host": "a", "port": "1"})
    meta = found["metadata"]
    assert (meta["labels"], meta["generation"], meta["uid"]) == ({"seen": "yes"}, 1, made["metadata"]["uid"])
    assert meta["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert (await api.ok("GET", f"{V1}/mine"))["spec"] == {"hostPort": "a:1"}


async def test_objects_are_converted_when_they_are_written(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    made = await api.ok("POST", V2, crontab(version="v2", host="b", port="2"))
    assert made["spec"] == {"host": "b", "port": "2"}
    assert (await api.ok("GET", f"{V1}/mine"))["spec"] == {"hostPort": "b:2"}
    changed = (await api.merge(f"{V2}/mine", {"spec": {"port": "3"}})).json()
    assert changed["spec"] == {"host": "b", "port": "3"}
    put = await api.ok("PUT", f"{V2}/mine", {**changed, "spec": {"host": "c", "port": "4"}})
    assert put["metadata"]["generation"] == 3
    assert (await api.ok("GET", f"{V1}/mine"))["spec"] == {"hostPort": "c:4"}
    assert (await api.merge(f"{V2}/mine/status", {"status": {"x": 1}})).json()["status"] == {"x": 1}
    gone = await api.ok("DELETE", f"{V2}/mine")
    assert gone["status"] == "Success"


async def test_apply_works_through_the_conversion(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    url, media = f"{V2}/mine?fieldManager=me", "application/apply-patch+yaml"
    for port in ("1", "2"):
        found = await api.ok("PATCH", url, crontab(version="v2", host="h", port=port), content_type=media)
        assert found["spec"] == {"host": "h", "port": port}
    assert (await api.ok("GET", f"{V1}/mine"))["spec"] == {"hostPort": "h:2"}


async def test_a_list_is_one_review_and_what_was_converted_is_remembered(api: Api, server: Webhook) -> None:
    await api.define(definition(server, kept="v2"))
    for number in range(5):
        await api.ok("POST", V2, crontab(f"c{number}", "v2", host="h", port=str(number)))
    assert server.seen == []
    listed = await api.ok("GET", V1)
    assert [each["spec"]["hostPort"] for each in listed["items"]] == ["h:0", "h:1", "h:2", "h:3", "h:4"]
    assert reviews(server) == [("v1", 5)]
    await api.ok("GET", V1)
    await api.ok("GET", f"{V1}/c3")
    assert reviews(server) == [("v1", 5)]
    await api.ok("POST", V2, crontab("c9", "v2", host="h", port="9"))
    await api.ok("GET", V1)
    assert reviews(server) == [("v1", 5), ("v1", 1)]


async def test_what_is_remembered_is_bounded(
    api: Api, server: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converting, "KEPT", 3)
    await api.define(definition(server))
    for number in range(5):
        await api.ok("POST", V1, crontab(f"c{number}", hostPort=f"h:{number}"))
        await api.ok("GET", f"{V2}/c{number}")
    kind = api.registry.served.table.find(GROUP, "v2", "crontabs")
    assert kind is not None
    assert isinstance(kind.versions, converting.WebhookVersions)
    assert len(kind.versions._known) == 3
    assert len((await api.ok("GET", V2))["items"]) == 5


async def test_a_watch_shows_the_version_that_was_asked_for(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab("before", hostPort="a:1"))
    watch = await api.stream(f"{V2}?watch=1")
    assert [each["object"]["spec"] for each in await watch.take(1)] == [{"host": "a", "port": "1"}]
    chosen = await api.stream(f"{V2}?watch=1&fieldSelector=spec.port%3D2")
    await asyncio.sleep(0.1)
    await api.ok("POST", V1, crontab("after", hostPort="b:2"))
    await api.ok("POST", V1, crontab("other", hostPort="c:3"))
    await api.ok("POST", V1, crontab("late", hostPort="d:2"))
    specs = [each["object"]["spec"] for each in await watch.take(3)]
    assert specs == [{"host": "b", "port": "2"}, {"host": "c", "port": "3"}, {"host": "d", "port": "2"}]
    names = [each["object"]["metadata"]["name"] for each in await chosen.take(2)]
    assert names == ["after", "late"]
    await watch.leave()
    await chosen.leave()


async def test_fields_are_selected_in_the_version_that_was_asked_for(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab("a", hostPort="a:1"))
    await api.ok("POST", V1, crontab("b", hostPort="b:2"))
    chosen = await api.ok("GET", f"{V2}?fieldSelector=spec.port%3D2")
    assert [each["metadata"]["name"] for each in chosen["items"]] == ["b"]
    await api.ok("DELETE", f"{V2}?fieldSelector=spec.port%3D2")
    assert [each["metadata"]["name"] for each in (await api.ok("GET", V1))["items"]] == ["a"]


async def test_the_control_plane_reads_any_version(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab("a", hostPort="a:1"))
    kind = api.registry.served.table.find(GROUP, "v2", "crontabs")
    assert kind is not None
    client = LocalClient(api.registry)
    assert (await client.get(kind, "a", "default"))["spec"]["port"] == "1"
    assert (await client.list(kind, fields="spec.port=1")).items[0]["spec"]["port"] == "1"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"result": {"status": "Failed", "message": "no way"}}, "failed: no way"),
        ({"result": {"status": "Failed"}}, "failed: response.result.status was 'Failed', not 'Success'"),
        ({"result": {"status": "Success"}}, "returned 0 objects, expected 1"),
        ({"uid": "x"}, "failed: expected response.uid="),
    ],
)
async def test_a_conversion_that_failed_is_told(api: Api, server: Webhook, reply: Json, said: str) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab(hostPort="a:1"))
    server.answer = lambda _: reply
    for method, url in (("GET", f"{V2}/mine"), ("GET", V2), ("DELETE", f"{V2}/mine")):
        refused = await api(method, url)
        assert refused.status == 500
        wanted = f"conversion webhook for {GROUP}/v1, Kind=CronTab {said}"
        assert refused.json()["message"].startswith(wanted)
    refused = await api("POST", V2, crontab("other", "v2", host="b", port="2"))
    assert refused.status == 500
    assert (await api.ok("GET", f"{V1}/mine"))["spec"] == {"hostPort": "a:1"}


async def test_what_an_answer_may_not_change_is_refused(api: Api, server: Webhook) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab(hostPort="a:1"))

    def renamed(request: Json) -> Json:
        found = answer(request)
        found["convertedObjects"][0]["metadata"]["name"] = "other"
        return found

    server.answer = renamed
    said = (await api("GET", f"{V2}/mine")).json()["message"]
    assert said.endswith("returned invalid object: must have the same name: other != mine")


async def test_nobody_answers(api: Api, server: Webhook) -> None:
    given = definition(server)
    given["spec"]["conversion"]["webhook"]["clientConfig"]["url"] = "https://127.0.0.1:1/convert"
    await api.define(given)
    await api.ok("POST", V1, crontab(hostPort="a:1"))
    refused = await api("GET", f"{V2}/mine")
    dial = 'Post "https://127.0.0.1:1/convert?timeout=30s": dial tcp 127.0.0.1:1: connect: connection refused'
    assert refused.json()["message"] == f"conversion webhook for {GROUP}/v1, Kind=CronTab failed: {dial}"


async def test_a_new_version_to_keep_objects_in_is_only_for_what_is_written(
    api: Api, server: Webhook
) -> None:
    await api.define(definition(server))
    await api.ok("POST", V1, crontab("old", hostPort="a:1"))
    name = f"{DEFINITIONS}/crontabs.{GROUP}"
    versions = definition(server, kept="v2")["spec"]["versions"]
    assert (await api.merge(name, {"spec": {"versions": versions}})).status == 200
    await api.ok("POST", V1, crontab("new", hostPort="b:2"))
    assert server.seen[-1]["desiredAPIVersion"] == f"{GROUP}/v2"
    collection = api.registry.feed.collection(api.registry.served.table.find(GROUP, "v1", "crontabs"))  # type: ignore[arg-type]
    kept = {entry.key[1]: entry.object["apiVersion"] for entry in collection.entries()}
    assert kept == {"old": f"{GROUP}/v1", "new": f"{GROUP}/v2"}
    assert [each["spec"]["hostPort"] for each in (await api.ok("GET", V1))["items"]] == ["b:2", "a:1"]
    await api.merge(f"{V1}/old", {"metadata": {"annotations": {"a": "b"}}})
    kept = {entry.key[1]: entry.object["apiVersion"] for entry in collection.entries()}
    assert set(kept.values()) == {f"{GROUP}/v2"}


async def test_admission_webhooks_get_custom_objects_in_their_version(
    api: Api, server: Webhook, tmp_path: Path
) -> None:
    await api.define(definition(server))
    async with webhook.serving(tmp_path, webhook.labelling("team", "blue")) as asked:
        rule = webhook.rule("crontabs", groups=GROUP, versions="v2")
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        await api.ok(
            "POST", path, webhook.configuration("Mutating", "m", webhook.hook(asked, "a.example.com", rule))
        )
        made = await api.ok("POST", V1, crontab(hostPort="a:1"))
        assert asked.seen[0]["object"]["spec"] == {"host": "a", "port": "1"}
        assert (made["apiVersion"], made["spec"]) == (f"{GROUP}/v1", {"hostPort": "a:1"})
        assert made["metadata"]["labels"]["team"] == "blue"
