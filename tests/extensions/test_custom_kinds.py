"""Custom kinds over HTTP: as their users meet them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tests.apiserver.asgi import Answer
from tests.extensions.conftest import DEFINITIONS, Api, eventually, running
from tests.extensions.definitions import GROUP, crd, crontab

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["schedule"],
    "properties": {
        "schedule": {"type": "string", "minLength": 3},
        "replicas": {"type": "integer", "default": 2, "maximum": 5},
        "image": {"type": "string"},
        "ready": {"type": "string"},
    },
}


async def test_objects_of_a_custom_kind_are_completed_and_pruned(api: Api) -> None:
    path = await api.define(crd(SPEC))
    made = await api.ok("POST", path, crontab(schedule="hourly", nonsense=1))
    assert made["spec"] == {"schedule": "hourly", "replicas": 2}
    assert made["metadata"]["generation"] == 1
    assert "status" not in made
    listed = await api.ok("GET", path)
    assert (listed["kind"], listed["items"]) == ("CronTabList", [made])
    warned = await api("POST", path, crontab("other", schedule="hourly", nonsense=1))
    assert 'unknown field \\"spec.nonsense\\"' in warned.header("warning")
    strict = await api(
        "POST", f"{path}?fieldValidation=Strict", crontab("third", schedule="hourly", nonsense=1)
    )
    assert strict.json()["message"] == (
        'CronTab in version "v1" cannot be handled as a CronTab: '
        'strict decoding error: unknown field "spec.nonsense"'
    )


async def test_refusals_are_in_kubernetes_words(api: Api) -> None:
    path = await api.define(crd(SPEC))
    assert await api.refused("POST", path, crontab(replicas=7, image=3)) == [
        "spec.schedule: Required value",
        "spec.replicas: Invalid value: 7: spec.replicas in body should be less than or equal to 5",
        'spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"',
    ]
    named = {**crontab(schedule="hourly"), "metadata": {"name": "Upper"}}
    assert "metadata.name: Invalid value" in (await api.refused("POST", path, named))[0]
    labelled = {**crontab(schedule="hourly"), "metadata": {"name": "x", "labels": {"a": 1}}}
    assert (await api("POST", path, labelled)).json()["message"] == (
        'CronTab in version "v1" cannot be handled as a CronTab: json: cannot unmarshal number '
        "into Go struct field ObjectMeta.metadata.labels of type string"
    )


async def test_finalizers_without_a_domain_are_kept_and_warned_of_once(api: Api) -> None:
    path = await api.define(crd(SPEC))
    mine = {**crontab(schedule="hourly"), "metadata": {"name": "x", "finalizers": ["resources.example.com"]}}
    made = await api("POST", path, mine)
    assert (made.status, made.json()["metadata"]["finalizers"]) == (201, ["resources.example.com"])
    assert made.header("warning") == (
        '299 - "metadata.finalizers: \\"resources.example.com\\": prefer a domain-qualified finalizer name '
        'including a path (/) to avoid accidental conflicts with other finalizer writers"'
    )
    more = {**made.json(), "spec": {"schedule": "daily"}}
    assert (await api("PUT", f"{path}/x", more)).header("warning") == ""
    told = {**more, "metadata": {"name": "x", "finalizers": ["resources.example.com", "a.b/c"]}}
    assert (
        await api("PUT", f"{path}/x", {**told, "metadata": {**told["metadata"], "resourceVersion": "0"}})
    ).header("warning") == ""


async def test_status_is_a_part_of_its_own_only_where_the_definition_says_so(api: Api) -> None:
    path = await api.define(crd(SPEC, subresources={"status": {}}))
    made = await api.ok("POST", path, {**crontab(schedule="hourly"), "status": {"phase": "x"}})
    assert "status" not in made
    told = await api.merge(f"{path}/mine/status", {"status": {"phase": "Up"}, "spec": {"replicas": 4}})
    assert (told.json()["status"], told.json()["spec"]["replicas"]) == ({"phase": "Up"}, 2)
    assert told.json()["metadata"]["generation"] == 1
    changed = await api.merge(f"{path}/mine", {"status": {"phase": "Down"}, "spec": {"replicas": 4}})
    assert (changed.json()["status"], changed.json()["metadata"]["generation"]) == ({"phase": "Up"}, 2)

    plain = await api.define(crd(SPEC, kind="Plain"))
    await api.ok("POST", plain, {**crontab(kind="Plain", schedule="hourly"), "status": {"phase": "x"}})
    assert (await api("GET", f"{plain}/mine/status")).status == 404
    changed = await api.merge(f"{plain}/mine", {"status": {"phase": "y"}})
    assert (changed.json()["status"], changed.json()["metadata"]["generation"]) == ({"phase": "y"}, 2)


async def test_scale_reads_and_writes_where_the_definition_says(api: Api) -> None:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.count",
        "labelSelectorPath": ".status.selector",
    }
    path = await api.define(crd(SPEC, subresources={"status": {}, "scale": scale}))
    await api.ok("POST", path, crontab(schedule="hourly"))
    await api.merge(f"{path}/mine/status", {"status": {"count": 1, "selector": "app=x"}})
    found = await api.ok("GET", f"{path}/mine/scale")
    assert (found["kind"], found["spec"]) == ("Scale", {"replicas": 2})
    assert found["status"] == {"replicas": 1, "selector": "app=x"}
    await api.merge(f"{path}/mine/scale", {"spec": {"replicas": 5}})
    assert (await api.ok("GET", f"{path}/mine"))["spec"]["replicas"] == 5
    assert (await api.merge(f"{path}/mine/scale", {"spec": {"replicas": 6}})).status == 422


async def test_tables_have_the_columns_of_the_definition(api: Api) -> None:
    columns = [
        {"name": "Schedule", "type": "string", "jsonPath": ".spec.schedule"},
        {"name": "Count", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    ]
    path = await api.define(crd(SPEC, additionalPrinterColumns=columns))
    await api.ok(
        "POST",
        path,
        {**crontab(schedule="hourly"), "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )
    table = await api.ok("GET", path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Schedule", "Count", "Ready"]
    assert table["rows"][0]["cells"] == ["mine", "hourly", 2, "True"]


async def test_fields_can_be_selected_if_the_definition_says_so(api: Api) -> None:
    path = await api.define(crd(SPEC, selectableFields=[{"jsonPath": ".spec.schedule"}]))
    await api.ok("POST", path, crontab("a", schedule="hourly"))
    await api.ok("POST", path, crontab("b", schedule="daily"))
    found = await api.ok("GET", f"{path}?fieldSelector=spec.schedule%3Ddaily")
    assert [each["metadata"]["name"] for each in found["items"]] == ["b"]
    assert (await api("GET", f"{path}?fieldSelector=spec.image%3Dx")).status == 400


async def test_discovery_and_openapi_follow_the_definitions(api: Api) -> None:
    path = await api.define(crd(SPEC, subresources={"status": {}}))
    listed = await api.ok("GET", f"/apis/{GROUP}/v1")
    assert [each["name"] for each in listed["resources"]] == ["crontabs", "crontabs/status"]
    assert (await api.ok("GET", f"/apis/{GROUP}"))["preferredVersion"]["version"] == "v1"
    document = await api.ok("GET", f"/openapi/v3/apis/{GROUP}/v1")
    shape = document["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert shape["properties"]["spec"]["properties"]["schedule"]["minLength"] == 3
    assert shape["properties"]["metadata"]["allOf" if "allOf" in shape["properties"]["metadata"] else "$ref"]
    assert f"apis/{GROUP}/v1" in (await api.ok("GET", "/openapi/v3"))["paths"]
    version_2 = await api.ok("GET", "/openapi/v2")
    metadata = version_2["definitions"]["com.example.stable.v1.CronTab"]["properties"]["metadata"]
    assert metadata["description"].startswith("Standard object's metadata. More info: https://")

    await api.ok("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")

    async def gone() -> bool:
        return (await api("GET", path)).status == 404

    await eventually(gone)
    assert (await api("GET", f"/apis/{GROUP}")).status == 404
    assert (await api("GET", f"/openapi/v3/apis/{GROUP}/v1")).status == 404


async def test_deleting_a_definition_deletes_its_objects_first(api: Api) -> None:
    path = await api.define(crd(SPEC))
    held = crontab(schedule="hourly")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    await api.ok("POST", path, held)
    await api.ok("POST", path, crontab("free", schedule="hourly"))
    left = await api.ok("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")
    assert left["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]

    async def only_the_held_one_is_there() -> bool:
        found = (await api.ok("GET", path))["items"]
        return [each["metadata"]["name"] for each in found] == ["mine"]

    await eventually(only_the_held_one_is_there)
    assert (await api("POST", path, crontab("late", schedule="hourly"))).status == 405
    await api.merge(f"{path}/mine", {"metadata": {"finalizers": None}})

    async def gone() -> bool:
        return (await api("GET", f"{DEFINITIONS}/crontabs.{GROUP}")).status == 404

    await eventually(gone)
    again = await api.define(crd(SPEC))
    assert (await api.ok("GET", again))["items"] == []


async def test_owners_and_namespaces_of_custom_objects(api: Api) -> None:
    path = await api.define(crd(SPEC))
    owner = await api.ok("POST", path, crontab("owner", schedule="hourly"))
    reference = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "CronTab",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    owned = crontab("owned", schedule="hourly")
    owned["metadata"]["ownerReferences"] = [reference]
    await api.ok("POST", path, owned)
    settings = {"metadata": {"name": "settings", "ownerReferences": [reference]}}
    await api.ok("POST", "/api/v1/namespaces/default/configmaps", settings)
    await api.ok("DELETE", f"{path}/owner")

    async def gone() -> bool:
        settings = await api("GET", "/api/v1/namespaces/default/configmaps/settings")
        return (await api("GET", f"{path}/owned")).status == 404 and settings.status == 404

    await eventually(gone)
    await api.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    inside = path.replace("/default/", "/shop/")
    await api.ok("POST", inside, crontab(schedule="hourly"))
    await api.ok("DELETE", "/api/v1/namespaces/shop")

    async def empty() -> bool:
        return (await api("GET", "/api/v1/namespaces/shop")).status == 404

    await eventually(empty)
    assert (await api("GET", f"{inside}/mine")).status == 404


async def test_a_version_is_read_as_any_other(api: Api) -> None:
    definition = crd(SPEC)
    first = definition["spec"]["versions"][0]
    later = {**first, "name": "v2", "storage": False, "deprecated": True}
    later["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "schedule": {"type": "string"}, "replicas": {"type": "integer"}, "mode": {"type": "string", "default": "Fast"},
    }}}}}  # fmt: skip
    definition["spec"]["versions"] = [first, later]
    path = await api.define(definition)
    newer = path.replace("/v1/", "/v2/")
    await api.ok("POST", path, crontab(schedule="hourly", image="x"))
    found = await api("GET", f"{newer}/mine")
    assert f'"{GROUP}/v2 CronTab is deprecated"' in found.header("warning")
    assert found.json()["apiVersion"] == f"{GROUP}/v2"
    assert found.json()["spec"] == {"schedule": "hourly", "replicas": 2, "mode": "Fast"}
    await api.ok("POST", newer, crontab("second", "v2", schedule="daily", mode="Slow"))
    assert (await api.ok("GET", f"{path}/second"))["spec"] == {"schedule": "daily", "replicas": 2}
    watch = await api.stream(f"{newer}?watch=1")
    events = await watch.take(2)
    await watch.leave()
    assert {each["object"]["apiVersion"] for each in events} == {f"{GROUP}/v2"}
    table = api.registry.served.table
    assert table.groups[GROUP] == ["v2", "v1"]


async def test_another_storage_version_is_remembered(api: Api) -> None:
    definition = crd(SPEC)
    path = await api.define(definition)
    await api.ok("POST", path, crontab(schedule="hourly"))
    versions = definition["spec"]["versions"]
    changed = [{**versions[0], "storage": False}, {**versions[0], "name": "v2"}]
    name = f"{DEFINITIONS}/crontabs.{GROUP}"
    answer = await api.merge(name, {"spec": {"versions": changed}})
    assert answer.json()["status"]["storedVersions"] == ["v1", "v2"]
    assert (await api.ok("GET", f"{path}/mine"))["apiVersion"] == f"{GROUP}/v1"
    newer = path.replace("/v1/", "/v2/")
    assert (await api.ok("GET", f"{newer}/mine"))["apiVersion"] == f"{GROUP}/v2"
    dropped = await api.merge(name, {"spec": {"versions": [changed[1]]}})
    assert "status.storedVersions[0]" in dropped.json()["message"]


async def test_a_changed_schema_holds_for_what_is_there(api: Api) -> None:
    path = await api.define(crd(SPEC))
    await api.ok("POST", path, crontab(schedule="hourly"))
    watch = await api.stream(f"{path}?watch=1")
    await watch.take(1)
    stricter = {**SPEC, "properties": {**SPEC["properties"], "replicas": {"type": "integer", "maximum": 1},
                                       "mode": {"type": "string", "default": "Fast"}}}  # fmt: skip
    versions = crd(stricter)["spec"]["versions"]
    await api.merge(f"{DEFINITIONS}/crontabs.{GROUP}", {"spec": {"versions": versions}})

    async def completed() -> bool:
        return bool((await api.ok("GET", f"{path}/mine"))["spec"].get("mode") == "Fast")

    await eventually(completed)
    assert await watch.take(1) == [], "who watched begins anew"
    assert (await api.merge(f"{path}/mine", {"spec": {"image": "x"}})).status == 200, (
        "what was there is tolerated"
    )
    assert (await api.merge(f"{path}/mine", {"spec": {"replicas": 3}})).status == 422


async def test_names_that_are_taken_are_not_accepted(api: Api) -> None:
    await api.define(crd(SPEC))
    other = crd(SPEC, kind="Other")
    other["spec"]["names"]["shortNames"] = ["crontab"]
    made = await api.ok("POST", DEFINITIONS, other)
    name = f"{DEFINITIONS}/{made['metadata']['name']}"

    async def told() -> Any:
        status = (await api.ok("GET", name))["status"]
        return {
            each["type"]: (each["status"], each["reason"], each["message"])
            for each in status.get("conditions") or ()
        }

    async def judged() -> bool:
        return bool(await told())

    await eventually(judged)
    assert await told() == {
        "NamesAccepted": ("False", "ShortNamesConflict", '"crontab" is already in use'),
        "Established": ("False", "NotAccepted", "not all names are accepted"),
    }
    await api.ok("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")

    async def accepted() -> bool:
        return (await told())["Established"][0] == "True"

    await eventually(accepted)


async def test_custom_kinds_are_there_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path / "store.db") as api:
        path = await api.define(crd(SPEC))
        made = await api.ok("POST", path, crontab(schedule="hourly"))
    async with running(tmp_path / "store.db") as api:
        assert await api.ok("GET", f"{path}/mine") == made


async def test_a_kind_named_like_one_of_kubernetes_is_nothing_special(api: Api) -> None:
    path = await api.define(crd(kind="Pod"))
    made = await api.ok("POST", path, crontab(kind="Pod"))
    assert "serviceAccountName" not in (made.get("spec") or {})
    assert (await api.ok("DELETE", f"{path}/mine"))["status"] == "Success"
    assert (await api("GET", f"{path}/mine/log")).status == 404


async def test_what_was_applied_in_one_version_is_owned_in_all(api: Api) -> None:
    definition = crd(SPEC)
    first = definition["spec"]["versions"][0]
    definition["spec"]["versions"] = [first, {**first, "name": "v2", "storage": False}]
    old = await api.define(definition)
    new = old.replace("/v1/", "/v2/")
    media = {"content_type": "application/apply-patch+yaml"}

    async def apply(path: str, manager: str, **spec: Any) -> Answer:
        body = crontab(version=path.split("/")[3], **spec)
        return await api("PATCH", f"{path}/mine?fieldManager={manager}", body, **media)

    assert (await apply(old, "one", schedule="hourly", image="x", ready="yes")).status == 201
    refused = await apply(new, "two", schedule="daily")
    assert refused.status == 409
    assert 'conflict with "one": .spec.schedule' in refused.json()["message"]
    merged = await api.merge(f"{new}/mine", {"spec": {"image": "y"}})
    owned = {
        each["manager"]: each["fieldsV1"]["f:spec"] for each in merged.json()["metadata"]["managedFields"]
    }
    assert owned["one"] == {"f:schedule": {}, "f:ready": {}}, (
        "a write in a newer version takes what it changed"
    )
    less = await apply(new, "one", schedule="hourly")
    assert less.status == 200, less.json()
    assert less.json()["spec"] == {"schedule": "hourly", "image": "y", "replicas": 2}, "given up, and taken"


async def test_version_2_says_what_it_can_of_a_custom_kind(api: Api) -> None:
    spec = {
        "type": "object",
        "required": ["mode", "maybe"],
        "properties": {
            "mode": {"type": "string", "pattern": "in|out", "default": "in", "oneOf": [{"minLength": 1}]},
            "share": {"type": "number", "maximum": 0.5, "enum": [0.25, 0.5]},
            "maybe": {"type": "object", "nullable": True, "properties": {"x": {"type": "string"}}},
            "open": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"x": {"type": "string"}},
            },
        },
    }
    await api.define(crd(spec))
    document = await api.ok("GET", "/openapi/v2")
    said = document["definitions"]["com.example.stable.v1.CronTab"]["properties"]["spec"]
    assert said == {
        "type": "object",
        "required": ["mode"],
        "properties": {
            "mode": {"type": "string", "pattern": "in|out", "default": "in"},
            "share": {"type": "number", "maximum": 0.5, "enum": [0.25, 0.5]},
            "maybe": {},
            "open": {"x-kubernetes-preserve-unknown-fields": True},
        },
    }
    packed = await api(
        "GET", "/openapi/v2", accept="application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    )
    assert b"in|out" in packed.body
    assert b'"in"' in packed.body
    assert struct.pack("<d", 0.5) in packed.body


async def test_version_2_says_nothing_of_a_kind_whose_fields_are_not_known(api: Api) -> None:
    definition = crd(SPEC)
    version = definition["spec"]["versions"][0]
    version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    await api.define(definition)
    document = await api.ok("GET", "/openapi/v2")
    said = document["definitions"]["com.example.stable.v1.CronTab"]
    assert said == {
        "type": "object",
        "x-kubernetes-group-version-kind": said["x-kubernetes-group-version-kind"],
    }


async def test_a_quota_counts_what_is_defined_after_it_and_again(api: Api) -> None:
    quotas = "/api/v1/namespaces/default/resourcequotas"
    name = f"count/crontabs.{GROUP}"
    await api.ok("POST", quotas, {"metadata": {"name": "few"}, "spec": {"hard": {name: "5"}}})

    async def used() -> Any:
        found = await api.ok("GET", f"{quotas}/few")
        return (found.get("status") or {}).get("used", {}).get(name)

    async def none() -> bool:
        return await used() == "0"

    async def one() -> bool:
        return await used() == "1"

    async def gone() -> bool:
        return (await api("GET", f"{DEFINITIONS}/crontabs.{GROUP}")).status == 404

    for _ in range(2):
        path = await api.define(crd(SPEC))
        await eventually(none, "no object yet")
        await api.ok("POST", path, crontab(schedule="hourly"))
        await eventually(one, "the object is counted")
        await api.ok("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}")
        await eventually(gone, "the definition is gone")
