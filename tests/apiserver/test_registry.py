from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from minikctl.apiserver.options import DeleteOptions, ListOptions, PatchOptions, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.errors import StatusError
from minikctl.model import kinds
from minikctl.store.store import Store
from tests.apiserver import samples


async def test_create_fills_in_what_the_server_decides(registry: Registry) -> None:
    made = await registry.create(kinds.POD, "default", {**samples.pod(), "status": {"phase": "Running"}})
    meta = made["metadata"]
    assert all(meta[field] for field in ("uid", "creationTimestamp", "resourceVersion"))
    assert meta["generation"] == 1
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made["spec"]["serviceAccountName"] == "default"
    assert registry.get(kinds.POD, "default", "web") == made


async def test_create_generates_a_name(registry: Registry) -> None:
    body = samples.pod()
    body["metadata"] = {"generateName": "web-"}
    made = await registry.create(kinds.POD, "default", body)
    assert made["metadata"]["name"].startswith("web-")
    assert len(made["metadata"]["name"]) == 9


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"metadata": {}}, 422, "name or generateName is required"),
        ({"metadata": {"name": "Web"}}, 422, "metadata.name"),
        ({"metadata": {"name": "web", "resourceVersion": "3"}}, 400, "resourceVersion should not be set"),
        ({"metadata": {"name": "web", "namespace": "other"}}, 400, "does not match the namespace sent"),
        ({"spec": {"containers": []}}, 422, "spec.containers: Required value"),
    ],
)
async def test_create_refuses(registry: Registry, change: dict[str, Any], code: int, text: str) -> None:
    with pytest.raises(StatusError) as refusal:
        await registry.create(kinds.POD, "default", {**samples.pod(), **change})
    assert refusal.value.code == code
    assert text in refusal.value.message


async def test_create_twice_is_refused(registry: Registry) -> None:
    await registry.create(kinds.POD, "default", samples.pod())
    with pytest.raises(StatusError, match='pods "web" already exists'):
        await registry.create(kinds.POD, "default", samples.pod())


async def test_concurrent_creates_make_one(registry: Registry) -> None:
    tries = [registry.create(kinds.POD, "default", samples.pod()) for _ in range(8)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, dict) for each in done) == 1
    assert {each.reason for each in done if isinstance(each, StatusError)} == {"AlreadyExists"}


async def test_namespace_must_exist_and_not_end(registry: Registry) -> None:
    with pytest.raises(StatusError, match='namespaces "gone" not found'):
        await registry.create(kinds.POD, "gone", samples.pod())
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "ending"}})
    await registry.delete(kinds.NAMESPACE, "", "ending")
    with pytest.raises(StatusError, match="because it is being terminated") as refusal:
        await registry.create(kinds.POD, "ending", samples.pod())
    assert refusal.value.details["causes"][0]["reason"] == "NamespaceTerminating"


async def test_dry_run_stores_nothing(registry: Registry) -> None:
    before = registry.feed.revision
    made = await registry.create(kinds.SERVICE, "default", samples.service(), WriteOptions(dry_run=True))
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert registry.feed.revision == before


async def test_update_with_a_stale_version_conflicts(registry: Registry) -> None:
    made = await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(a="1"))
    newer = copy.deepcopy(made)
    newer["data"]["a"] = "2"
    await registry.update(kinds.CONFIG_MAP, "default", "settings", newer)
    stale = copy.deepcopy(made)
    stale["data"]["a"] = "3"
    with pytest.raises(StatusError) as refusal:
        await registry.update(kinds.CONFIG_MAP, "default", "settings", stale)
    assert refusal.value.message == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_update_of_nothing_is_not_found(registry: Registry) -> None:
    with pytest.raises(StatusError, match='configmaps "settings" not found'):
        await registry.update(kinds.CONFIG_MAP, "default", "settings", samples.config_map())


async def test_unchanged_update_writes_nothing(registry: Registry) -> None:
    made = await registry.create(kinds.DEPLOYMENT, "default", samples.deployment())
    again = await registry.update(kinds.DEPLOYMENT, "default", "web", samples.deployment())
    assert again == made


async def test_generation_counts_changes_of_spec_only(registry: Registry) -> None:
    await registry.create(kinds.DEPLOYMENT, "default", samples.deployment())
    labelled = await registry.patch(
        kinds.DEPLOYMENT, "default", "web", {"metadata": {"labels": {"a": "b"}}}, PatchOptions("merge")
    )
    assert labelled["metadata"]["generation"] == 1
    scaled = await registry.patch(
        kinds.DEPLOYMENT, "default", "web", {"spec": {"replicas": 5}}, PatchOptions()
    )
    assert scaled["metadata"]["generation"] == 2


async def test_status_and_spec_are_written_apart(registry: Registry) -> None:
    made = await registry.create(kinds.DEPLOYMENT, "default", samples.deployment())
    changed = copy.deepcopy(made)
    changed["spec"]["replicas"], changed["status"] = 9, {"replicas": 2}
    after = await registry.update(kinds.DEPLOYMENT, "default", "web", changed, subresource="status")
    assert after["status"] == {"replicas": 2}
    assert after["spec"]["replicas"] == 2
    changed = copy.deepcopy(after)
    changed["spec"]["replicas"], changed["status"] = 9, {"replicas": 7}
    after = await registry.update(kinds.DEPLOYMENT, "default", "web", changed)
    assert after["status"] == {"replicas": 2}
    assert after["spec"]["replicas"] == 9


async def test_patches_do_not_touch_what_readers_hold(registry: Registry) -> None:
    made = await registry.create(kinds.DEPLOYMENT, "default", samples.deployment())
    before = copy.deepcopy(made)
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "other"}]}}}}
    for type in ("strategic", "merge"):
        await registry.patch(kinds.DEPLOYMENT, "default", "web", body, PatchOptions(type))
    operations = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "third"}]
    after = await registry.patch(kinds.DEPLOYMENT, "default", "web", operations, PatchOptions("json"))
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "third"
    assert made == before


async def test_concurrent_patches_all_arrive(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map())
    bodies = [{"data": {f"k{i}": str(i)}} for i in range(20)]
    await asyncio.gather(
        *(registry.patch(kinds.CONFIG_MAP, "default", "settings", body, PatchOptions()) for body in bodies)
    )
    assert len(registry.get(kinds.CONFIG_MAP, "default", "settings")["data"]) == 20


async def test_a_patch_with_a_version_is_not_retried(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map())
    body = {"metadata": {"resourceVersion": "1"}, "data": {"a": "b"}}
    with pytest.raises(StatusError, match="the object has been modified"):
        await registry.patch(kinds.CONFIG_MAP, "default", "settings", body, PatchOptions())


async def test_an_unscheduled_pod_goes_at_once(registry: Registry) -> None:
    await registry.create(kinds.POD, "default", samples.pod())
    _, gone = await registry.delete(kinds.POD, "default", "web")
    assert gone
    with pytest.raises(StatusError, match='pods "web" not found'):
        registry.get(kinds.POD, "default", "web")


async def test_a_scheduled_pod_waits_for_its_agent(registry: Registry) -> None:
    await registry.create(kinds.POD, "default", samples.pod(nodeName="one", terminationGracePeriodSeconds=7))
    left, gone = await registry.delete(kinds.POD, "default", "web")
    assert not gone
    assert left["metadata"]["deletionGracePeriodSeconds"] == 7
    again, _ = await registry.delete(kinds.POD, "default", "web")
    assert again == left
    sooner, _ = await registry.delete(kinds.POD, "default", "web", DeleteOptions(grace_seconds=2))
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 2
    _, gone = await registry.delete(kinds.POD, "default", "web", DeleteOptions(grace_seconds=0))
    assert gone


async def test_finalizers_hold_an_object_until_they_are_gone(registry: Registry) -> None:
    body = samples.config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await registry.create(kinds.CONFIG_MAP, "default", body)
    left, gone = await registry.delete(kinds.CONFIG_MAP, "default", "settings")
    assert not gone
    assert left["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    with pytest.raises(StatusError, match="no new finalizers can be added"):
        await registry.patch(kinds.CONFIG_MAP, "default", "settings", more, PatchOptions())
    await registry.patch(
        kinds.CONFIG_MAP, "default", "settings", {"metadata": {"finalizers": None}}, PatchOptions()
    )
    with pytest.raises(StatusError, match="not found"):
        registry.get(kinds.CONFIG_MAP, "default", "settings")


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
async def test_propagation_leaves_a_finalizer(registry: Registry, policy: Any, finalizer: str) -> None:
    await registry.create(kinds.DEPLOYMENT, "default", samples.deployment())
    left, gone = await registry.delete(kinds.DEPLOYMENT, "default", "web", DeleteOptions(propagation=policy))
    assert not gone
    assert left["metadata"]["finalizers"] == [finalizer]


async def test_delete_checks_preconditions(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map())
    with pytest.raises(StatusError, match="the UID in the precondition"):
        await registry.delete(kinds.CONFIG_MAP, "default", "settings", DeleteOptions(uid="other"))
    with pytest.raises(StatusError, match="the ResourceVersion in the precondition"):
        await registry.delete(kinds.CONFIG_MAP, "default", "settings", DeleteOptions(resource_version="1"))


async def test_system_namespaces_stay(registry: Registry) -> None:
    with pytest.raises(StatusError, match="this namespace may not be deleted"):
        await registry.delete(kinds.NAMESPACE, "", "default")


async def test_delete_collection_takes_what_matches(registry: Registry) -> None:
    for name in ("a", "b"):
        await registry.create(kinds.POD, "default", samples.pod(name))
    page = await registry.delete_collection(kinds.POD, "default", ListOptions(labels="app=a"))
    gone = [entry.object for entry in page.entries]
    assert [each["metadata"]["name"] for each in gone] == ["a"]
    assert [entry.key for entry in registry.list(kinds.POD, "").entries] == [("default", "b")]


async def test_lists_select_by_labels_and_fields(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        await registry.create(kinds.POD, "default", samples.pod(name))

    def names(**options: Any) -> list[str]:
        return [entry.key[1] for entry in registry.list(kinds.POD, "default", ListOptions(**options)).entries]

    assert names(labels="app in (a,c)") == ["a", "c"]
    assert names(fields="metadata.name=b") == ["b"]
    assert names(fields="metadata.name!=b", labels="app!=a") == ["c"]
    with pytest.raises(StatusError, match=r"field label not supported: spec\.foo"):
        names(fields="spec.foo=b")


async def test_pages_are_of_one_moment(registry: Registry) -> None:
    for name in ("a", "b", "c", "d"):
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(name))
    first = registry.list(kinds.CONFIG_MAP, "default", ListOptions(limit=2))
    assert (first.remaining, [e.key[1] for e in first.entries]) == (2, ["a", "b"])
    await registry.delete(kinds.CONFIG_MAP, "default", "c")
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("e"))
    rest = registry.list(kinds.CONFIG_MAP, "default", ListOptions(limit=9, continuation=first.continuation))
    assert [e.key[1] for e in rest.entries] == ["c", "d"]
    assert rest.revision == first.revision


async def test_what_is_stored_survives(registry: Registry, store: Store) -> None:
    made = await registry.create(kinds.SERVICE, "default", samples.service())
    other = Registry(store)
    await other.start()
    assert other.get(kinds.SERVICE, "default", "web") == made
    ip = made["spec"]["clusterIP"]
    with pytest.raises(StatusError, match="provided IP is already allocated"):
        await other.create(kinds.SERVICE, "default", samples.service("two", clusterIP=ip))
    await other.close()


async def test_the_default_ingress_class_is_filled_in(registry: Registry) -> None:
    marked = {"ingressclass.kubernetes.io/is-default-class": "true"}
    body = {"metadata": {"name": "main", "annotations": marked}, "spec": {"controller": "example.com/main"}}
    await registry.create(kinds.INGRESS_CLASS, "", body)
    made = await registry.create(kinds.INGRESS, "default", samples.ingress())
    assert made["spec"]["ingressClassName"] == "main"


async def test_a_pod_needs_its_service_account(registry: Registry) -> None:
    with pytest.raises(StatusError, match="error looking up service account default/robot"):
        await registry.create(kinds.POD, "default", samples.pod(serviceAccountName="robot"))


async def test_an_unknown_priority_class_is_refused(registry: Registry) -> None:
    with pytest.raises(StatusError, match="no PriorityClass with name high was found"):
        await registry.create(kinds.POD, "default", samples.pod(priorityClassName="high"))


async def test_what_is_empty_is_kept_as_absent(registry: Registry) -> None:
    deployment = samples.deployment()
    deployment["metadata"] |= {"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": []}
    pod = deployment["spec"]["template"]["spec"]
    pod |= {"nodeSelector": {}, "tolerations": [], "volumes": [{"name": "v", "emptyDir": {}}]}
    pod["containers"][0] |= {"command": [], "resources": {"limits": {}}}
    made = await registry.create(kinds.DEPLOYMENT, "default", deployment)
    assert not {"labels", "annotations", "finalizers", "ownerReferences"} & made["metadata"].keys()
    kept = made["spec"]["template"]["spec"]
    assert not {"nodeSelector", "tolerations"} & kept.keys()
    assert kept["volumes"] == [{"name": "v", "emptyDir": {}}], "an empty struct says something"
    assert (kept["containers"][0]["resources"], "command" in kept["containers"][0]) == ({}, False)
    marked = copy.deepcopy(made)
    marked["metadata"]["annotations"] = {}
    same = await registry.update(kinds.DEPLOYMENT, "default", "web", marked)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    role: dict[str, Any] = {"metadata": {"name": "none"}, "rules": []}
    assert (await registry.create(kinds.ROLE, "default", role))["rules"] == []
    slice_: dict[str, Any] = {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [], "ports": []}
    kept = await registry.create(kinds.ENDPOINT_SLICE, "default", slice_)
    assert (kept["endpoints"], kept["ports"]) == ([], []), "clients rely on them"


async def test_what_is_cached_is_never_changed_in_place(registry: Registry) -> None:
    made = await registry.create(kinds.POD, "default", samples.pod())
    entry = registry.entry(kinds.POD, "default", "web")
    entry.object["status"]["conditions"] = []  # as an earlier release may have kept it
    entry.object["spec"]["tolerations"] = []
    before = copy.deepcopy(entry.object)
    labelled = copy.deepcopy(made)
    labelled["metadata"]["labels"] = {"a": "b"}
    await registry.update(kinds.POD, "default", "web", copy.deepcopy(labelled), WriteOptions(dry_run=True))
    running = {**labelled, "status": {"phase": "Running"}}
    await registry.update(
        kinds.POD, "default", "web", running, WriteOptions(dry_run=True), subresource="status"
    )
    assert entry.object == before


async def test_a_generation_is_the_servers_where_it_counts_and_else_the_makers(registry: Registry) -> None:
    body = samples.config_map("counted")
    body["metadata"].update(generation=5, deletionTimestamp="2020-01-01T00:00:00Z", uid="mine")
    made = await registry.create(kinds.CONFIG_MAP, "default", body)
    assert (made["metadata"]["generation"], made["metadata"].get("deletionTimestamp")) == (5, None)
    again = {**made, "metadata": {**made["metadata"], "generation": 9}, "data": {"a": "b"}}
    changed = await registry.update(kinds.CONFIG_MAP, "default", "counted", again)
    assert changed["metadata"]["generation"] == 5
    counted = samples.deployment()
    counted["metadata"]["generation"] = 7
    made = await registry.create(kinds.DEPLOYMENT, "default", counted)
    assert made["metadata"]["generation"] == 1


async def test_a_strategic_patch_is_not_asked_for_its_kind(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("a"))
    for body, type in (({"kind": "Secret"}, "strategic"), ({"kind": None, "apiVersion": None}, "merge")):
        options = PatchOptions(type)  # type: ignore[arg-type]
        left = await registry.patch(kinds.CONFIG_MAP, "default", "a", body, options)
        assert (left["apiVersion"], left["kind"]) == ("v1", "ConfigMap")
