"""Walks of newer conformance tests (1.21 to 1.36) about single kinds, step by step, with the official Python client.

Sources: Kubernetes' test/e2e: apimachinery/namespace.go and resource_quota.go, apps/controller_revision.go,
auth/service_accounts.go and subjectreviews.go, network/service_cidrs.go, node/node_lifecycle.go and pods.go,
storage/csi_inline.go, persistent_volumes.go and volume_attachment.go, common/storage/*_volume.go.
docs/conformance.md has the whole list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    AuthenticationV1Api,
    AuthorizationV1Api,
    CoreV1Api,
    NetworkingV1Api,
    PolicyV1Api,
    StorageV1Api,
)

from tests.clients.conftest import Cluster, eventually

pytestmark = pytest.mark.timeout(120)
PAUSE = "registry.k8s.io/pause:3.10"
MERGE = {"_content_type": "application/merge-patch+json"}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": PAUSE}], **spec}}


def refused(code: int, call: Callable[..., Any], *words: Any, **more: Any) -> str:
    """Return what the refusal of a call says; it must have that code."""
    with pytest.raises(ApiException) as refusal:
        call(*words, **more)
    assert refusal.value.status == code, refusal.value.body
    return str(refusal.value.body)


def updated(
    read: Callable[..., Any], write: Callable[..., Any], *words: str, change: Callable[[Any], None]
) -> Any:
    """Read, change and write until nobody else was faster."""
    while True:
        found = read(*words)
        change(found)
        try:
            return write(*words, found)
        except ApiException as refusal:
            if refusal.status != 409:
                raise


def is_gone(read: Callable[..., Any], *words: str) -> bool:
    try:
        read(*words)
    except ApiException as refusal:
        if refusal.status != 404:
            raise
        return True
    return False


# --- namespaces and quotas --------------------------------------------------------------------------------


def test_a_namespace_has_conditions_and_finalizers_of_others(core: CoreV1Api, namespace: str) -> None:
    assert core.read_namespace_status(namespace).status.phase == "Active"
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched"}
    body = {"metadata": {"annotations": {"patched": "yes"}}, "status": {"conditions": [condition]}}
    patched = core.patch_namespace_status(namespace, body, **MERGE)
    assert patched.metadata.annotations["patched"] == "yes"
    assert [each.reason for each in patched.status.conditions] == ["E2E"]

    def add(obj: Any) -> None:
        obj.status.conditions = [*obj.status.conditions, {**condition, "type": "StatusUpdate"}]

    after = updated(core.read_namespace_status, core.replace_namespace_status, namespace, change=add)
    assert [each.type for each in after.status.conditions] == ["StatusPatch", "StatusUpdate"]

    def label(obj: Any) -> None:
        obj.metadata.labels[namespace] = "updated"

    after = updated(core.read_namespace, core.replace_namespace, namespace, change=label)
    assert after.metadata.labels[namespace] == "updated"

    def hold(obj: Any) -> None:
        obj.spec.finalizers.append("e2e.example.com/fakeFinalizer")

    held = updated(core.read_namespace, core.replace_namespace_finalize, namespace, change=hold)
    assert held.spec.finalizers == ["kubernetes", "e2e.example.com/fakeFinalizer"]

    def release(obj: Any) -> None:
        obj.spec.finalizers.remove("e2e.example.com/fakeFinalizer")

    freed = updated(core.read_namespace, core.replace_namespace_finalize, namespace, change=release)
    assert freed.spec.finalizers == ["kubernetes"]


def test_pods_go_before_all_else_in_a_namespace(core: CoreV1Api) -> None:
    namespace = "ordered"
    core.create_namespace({"metadata": {"name": namespace}})
    eventually(lambda: not is_gone(core.read_namespaced_service_account, "default", namespace))
    held = pod("held")
    held["metadata"]["finalizers"] = ["e2e.example.com/finalizer"]
    core.create_namespaced_pod(namespace, held)
    eventually(lambda: core.read_namespaced_pod("held", namespace).status.phase == "Running")
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "kept"}, "data": {"a": "b"}})
    core.delete_namespace(namespace)

    def waits() -> bool:
        assert core.read_namespaced_config_map("kept", namespace).data == {"a": "b"}
        if core.read_namespaced_pod("held", namespace).metadata.deletion_timestamp is None:
            return False
        status = core.read_namespace_status(namespace).status
        assert status.phase == "Terminating"
        return "NamespaceDeletionContentFailure" in {each.type for each in status.conditions or ()}

    eventually(waits)

    def release(obj: Any) -> None:
        obj.metadata.finalizers = []

    updated(core.read_namespaced_pod, core.replace_namespaced_pod, "held", namespace, change=release)
    eventually(lambda: is_gone(core.read_namespace, namespace), 40)


def test_a_quota_is_told_and_patched(core: CoreV1Api, namespace: str) -> None:
    body = {
        "metadata": {"name": "q", "labels": {"q": "q"}},
        "spec": {"hard": {"cpu": "500m", "memory": "500Mi"}},
    }
    core.create_namespaced_resource_quota(namespace, body)
    eventually(
        lambda: core.read_namespaced_resource_quota_status("q", namespace).status.hard == body["spec"]["hard"]
    )

    def more(obj: Any) -> None:
        obj.spec.hard.update(cpu="1", memory="1Gi")
        obj.status.hard.update(cpu="1", memory="1Gi")

    read, write = core.read_namespaced_resource_quota_status, core.replace_namespaced_resource_quota_status
    told = updated(read, write, "q", namespace, change=more)
    assert told.status.hard == {"cpu": "1", "memory": "1Gi"}
    assert told.spec.hard == {"cpu": "500m", "memory": "500Mi"}, (
        "the spec is not changed by way of the status"
    )
    spec = {"metadata": {"labels": {"p": "p"}}, "spec": {"hard": {"cpu": "2", "memory": "2Gi"}}}
    assert core.patch_namespaced_resource_quota("q", namespace, spec).spec.hard == spec["spec"]["hard"]
    eventually(lambda: read("q", namespace).status.hard == {"cpu": "2", "memory": "2Gi"})
    status = {"status": {"hard": {"cpu": "2", "memory": "2Gi"}}, "spec": {"hard": {"cpu": "9"}}}
    again = core.patch_namespaced_resource_quota_status("q", namespace, status)
    assert again.spec.hard == {"cpu": "2", "memory": "2Gi"}
    listed = core.list_resource_quota_for_all_namespaces(label_selector="p=p,q=q")
    assert [each.metadata.namespace for each in listed.items] == [namespace]
    core.delete_collection_namespaced_resource_quota(namespace, label_selector="p=p")
    assert not core.list_namespaced_resource_quota(namespace).items


# --- workloads --------------------------------------------------------------------------------------------


def template(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}


def test_revisions_of_a_daemon_set_are_objects_like_others(
    client: ApiClient, core: CoreV1Api, namespace: str
) -> None:
    apps = AppsV1Api(client)
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template("d")}
    made = apps.create_namespaced_daemon_set(namespace, {"metadata": {"name": "d"}, "spec": spec})

    def listed() -> Any:
        return apps.list_controller_revision_for_all_namespaces(label_selector="app=d").items

    [first] = eventually(lambda: [each for each in listed() if each.metadata.namespace == namespace])
    assert first.metadata.owner_references[0].uid == made.metadata.uid
    name = first.metadata.name
    labels = {"metadata": {"labels": {name: "patched"}}}
    assert (
        apps.patch_namespaced_controller_revision(name, namespace, labels).metadata.labels[name] == "patched"
    )
    second = {
        "metadata": {
            "name": "d-other",
            "labels": {"app": "d", "controller-revision-hash": "other"},
            "ownerReferences": client.sanitize_for_serialization(first.metadata.owner_references),
        },
        "data": client.sanitize_for_serialization(first.data),
        "revision": first.revision + 1,
    }
    apps.create_namespaced_controller_revision(namespace, second)
    assert len(listed()) == 2
    apps.delete_namespaced_controller_revision(name, namespace)
    eventually(lambda: [each.metadata.name for each in listed()] == ["d-other"])

    def mark(obj: Any) -> None:
        obj.metadata.labels["d-other"] = "updated"

    read, write = apps.read_namespaced_controller_revision, apps.replace_namespaced_controller_revision
    updated(read, write, "d-other", namespace, change=mark)
    change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    apps.patch_namespaced_daemon_set("d", namespace, change)
    eventually(lambda: len(listed()) == 2)
    apps.delete_collection_namespaced_controller_revision(namespace, label_selector="d-other=updated")
    eventually(lambda: [each.revision for each in listed()] == [3])


@pytest.mark.parametrize("kind", ["deployment", "replica_set", "stateful_set", "replication_controller"])
def test_scale_is_read_replaced_and_patched(
    client: ApiClient, core: CoreV1Api, namespace: str, kind: str
) -> None:
    api: Any = core if kind == "replication_controller" else AppsV1Api(client)
    selector = {"app": "s"} if kind == "replication_controller" else {"matchLabels": {"app": "s"}}
    body = {
        "metadata": {"name": "s"},
        "spec": {"replicas": 1, "selector": selector, "template": template("s")},
    }
    getattr(api, f"create_namespaced_{kind}")(namespace, body)
    read, write = (getattr(api, f"{verb}_namespaced_{kind}_scale") for verb in ("read", "replace"))
    scale = read("s", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (1, "app=s")
    scale.metadata.resource_version, scale.spec.replicas = "", 2
    assert write("s", namespace, scale).spec.replicas == 2
    assert getattr(api, f"read_namespaced_{kind}")("s", namespace).spec.replicas == 2
    patched = getattr(api, f"patch_namespaced_{kind}_scale")("s", namespace, {"spec": {"replicas": 4}})
    assert patched.spec.replicas == 4
    assert getattr(api, f"read_namespaced_{kind}")("s", namespace).spec.replicas == 4


def test_an_eviction_waits_for_its_budget(client: ApiClient, core: CoreV1Api, namespace: str) -> None:
    policy = PolicyV1Api(client)
    apps = AppsV1Api(client)
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "e"}}, "template": template("e")}
    apps.create_namespaced_replica_set(namespace, {"metadata": {"name": "e"}, "spec": spec})
    budget = {
        "metadata": {"name": "e"},
        "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "e"}}},
    }
    policy.create_namespaced_pod_disruption_budget(namespace, budget)

    def status() -> Any:
        return policy.read_namespaced_pod_disruption_budget_status("e", namespace).status

    eventually(lambda: status().current_healthy == 3)
    victim = core.list_namespaced_pod(namespace, label_selector="app=e").items[0].metadata.name
    said = refused(
        429, core.create_namespaced_pod_eviction, victim, namespace, {"metadata": {"name": victim}}
    )
    assert '"reason":"DisruptionBudget"' in said

    def allow(obj: Any) -> None:
        obj.spec.min_available = 2

    read, write = (
        policy.read_namespaced_pod_disruption_budget,
        policy.replace_namespaced_pod_disruption_budget,
    )
    updated(read, write, "e", namespace, change=allow)
    eventually(lambda: status().disruptions_allowed == 1)
    core.create_namespaced_pod_eviction(victim, namespace, {"metadata": {"name": victim}})
    evicted = {"metadata": {"name": "e"}, "status": {"disruptedPods": {victim: "2030-01-01T00:00:00Z"}}}
    policy.patch_namespaced_pod_disruption_budget_status("e", namespace, evicted, **MERGE)


# --- pods and nodes ---------------------------------------------------------------------------------------


def is_observed(obj: Any) -> bool:
    return bool(obj.status.observed_generation == obj.metadata.generation)


def test_generations_of_a_pod(core: CoreV1Api, namespace: str) -> None:
    new = pod("g", terminationGracePeriodSeconds=30)
    new["metadata"]["generation"] = 100
    assert core.create_namespaced_pod(namespace, new).metadata.generation == 1
    eventually(lambda: core.read_namespaced_pod("g", namespace).status.phase == "Running")

    def change(number: int) -> Callable[[Any], None]:
        def apply(obj: Any) -> None:
            match number:
                case 2:
                    added = {
                        "key": "e2e",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 60,
                    }
                    obj.spec.tolerations = [*obj.spec.tolerations, added]
                case 3:
                    obj.spec.containers[0].image = "registry.k8s.io/pause:3.9"
                case 4:
                    obj.spec.active_deadline_seconds = 5000
                case _:
                    obj.metadata.annotations = {"key": "value"}
                    obj.metadata.generation = 1

        return apply

    for number in (2, 3, 4, 5):
        read, write = core.read_namespaced_pod, core.replace_namespaced_pod
        updated(read, write, "g", namespace, change=change(number))
        assert core.read_namespaced_pod("g", namespace).metadata.generation == min(number, 4)
        eventually(lambda: is_observed(core.read_namespaced_pod("g", namespace)))
    since = core.read_namespaced_pod("g", namespace).metadata.resource_version
    core.delete_namespaced_pod("g", namespace, grace_period_seconds=30)
    for event in watch.Watch().stream(
        core.list_namespaced_pod, namespace, resource_version=since, timeout_seconds=20
    ):
        if event["object"].metadata.deletion_timestamp:
            assert event["object"].metadata.generation == 5
            break
    else:
        raise AssertionError("no deletion was seen")


def test_a_pod_with_an_inline_volume_of_a_driver(core: CoreV1Api, namespace: str) -> None:
    volume = {"name": "v", "csi": {"driver": "e2e.example.com", "volumeAttributes": {"a": "b"}}}
    made = core.create_namespaced_pod(namespace, pod("inline", volumes=[volume]))
    assert "AlreadyExists" in refused(
        409, core.create_namespaced_pod, namespace, pod("inline", volumes=[volume])
    )
    assert core.read_namespaced_pod("inline", namespace).metadata.uid == made.metadata.uid
    assert len(core.list_namespaced_pod(namespace).items) == 1
    mark = {"metadata": {"annotations": {"patched": "true"}}}
    assert (
        core.patch_namespaced_pod("inline", namespace, mark, **MERGE).metadata.annotations["patched"]
        == "true"
    )
    core.delete_namespaced_pod("inline", namespace)
    eventually(lambda: is_gone(core.read_namespaced_pod, "inline", namespace), 40)


def test_the_life_of_a_node_that_nobody_runs(core: CoreV1Api) -> None:
    name = "e2e-fake-node"
    ready = {"type": "Ready", "status": "True", "reason": "E2E", "message": "Set from a walk"}
    body = {
        "metadata": {"name": name},
        "spec": {"unschedulable": True},
        "status": {"phase": "Running", "conditions": [ready]},
    }
    made = core.create_node(body)
    assert core.read_node(name).metadata.name == name
    patched = core.patch_node(name, {"metadata": {"labels": {name: "patched"}}})
    assert patched.metadata.labels[name] == "patched"
    assert int(patched.metadata.resource_version) > int(made.metadata.resource_version)
    assert len(core.list_node(label_selector=f"{name}=patched").items) == 1

    def label(obj: Any) -> None:
        obj.metadata.labels[name] = "updated"

    after = updated(core.read_node, core.replace_node, name, change=label)
    assert after.metadata.labels[name] == "updated"
    core.delete_node(name)
    eventually(lambda: is_gone(core.read_node, name))


def test_resizing_by_replacing(core: CoreV1Api, namespace: str) -> None:
    wanted = {"requests": {"cpu": "20m", "memory": "20Mi"}, "limits": {"cpu": "50m", "memory": "50Mi"}}
    new = pod("r")
    new["spec"]["containers"][0]["resources"] = wanted
    core.create_namespaced_pod(namespace, new)
    eventually(lambda: core.read_namespaced_pod("r", namespace).status.phase == "Running")
    more = {"requests": {"cpu": "30m", "memory": "30Mi"}, "limits": {"cpu": "60m", "memory": "60Mi"}}

    def grow(obj: Any) -> None:
        obj.spec.containers[0].resources = more

    updated(core.read_namespaced_pod_resize, core.replace_namespaced_pod_resize, "r", namespace, change=grow)

    def is_done() -> bool:
        found = core.read_namespaced_pod("r", namespace)
        told = found.status.container_statuses[0].resources
        return told is not None and told.limits == more["limits"] and told.requests == more["requests"]

    eventually(is_done)
    first, second = core.read_namespaced_pod("r", namespace), core.read_namespaced_pod_resize("r", namespace)
    assert first.to_dict() == second.to_dict()


# --- who and what -----------------------------------------------------------------------------------------


def test_reviews_say_what_happens(
    cluster: Cluster, client: ApiClient, core: CoreV1Api, namespace: str
) -> None:
    account = core.create_namespaced_service_account(namespace, {"metadata": {"name": "e2e"}})
    user = f"system:serviceaccount:{namespace}:e2e"
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    asked = {"verb": "list", "resource": "configmaps", "namespace": namespace, "version": "v1"}
    spec = {"resourceAttributes": asked, "user": user, "groups": groups, "uid": account.metadata.uid}
    reviews = AuthorizationV1Api(client)
    assert reviews.create_subject_access_review({"spec": spec}).status.allowed is False
    local = {"metadata": {"namespace": namespace}, "spec": {**spec, "user": "e2e"}}
    assert reviews.create_namespaced_local_subject_access_review(namespace, local).status.allowed is False
    with cluster.client() as other:
        other.default_headers |= {"Impersonate-User": user, "Impersonate-Uid": account.metadata.uid}
        other.default_headers |= {"Impersonate-Group": "system:authenticated"}
        refused(403, CoreV1Api(other).list_namespaced_config_map, namespace)


def test_a_token_is_issued_and_known(client: ApiClient, core: CoreV1Api, namespace: str) -> None:
    account = core.create_namespaced_service_account(namespace, {"metadata": {"name": "asked"}})
    request = {"metadata": {"name": "asked"}, "spec": {"audiences": []}}
    issued = core.create_namespaced_service_account_token("asked", namespace, request)
    assert issued.status.token
    review = {"metadata": {"name": "asked"}, "spec": {"token": issued.status.token}}
    told = AuthenticationV1Api(client).create_token_review(review)
    assert (told.status.authenticated, told.status.error) == (True, None)
    assert told.status.user.username == f"system:serviceaccount:{namespace}:asked"
    assert told.status.user.uid == account.metadata.uid

    def change(obj: Any) -> None:
        obj.automount_service_account_token = True

    read, write = core.read_namespaced_service_account, core.replace_namespaced_service_account
    assert updated(read, write, "asked", namespace, change=change).automount_service_account_token is True


def test_addresses_of_anybody(client: ApiClient) -> None:
    api = NetworkingV1Api(client)
    parent = {"group": "mygroup", "resource": "myresources", "namespace": "foo", "name": "bar"}

    def address(name: str, kind: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {"type": kind}}, "spec": {"parentRef": parent}}

    made = api.create_ip_address(address("255.255.255.255", "broadcast"))
    api.create_ip_address(address("fe80::42:1dff:fe84:f9e2", "link-local"))
    mark = {"metadata": {"annotations": {"patched": "true"}}}
    patched = api.patch_ip_address("255.255.255.255", mark, **MERGE)
    assert int(patched.metadata.resource_version) > int(made.metadata.resource_version)

    def update(obj: Any) -> None:
        obj.metadata.annotations["updated"] = "true"

    after = updated(api.read_ip_address, api.replace_ip_address, "255.255.255.255", change=update)
    assert after.metadata.annotations == {"patched": "true", "updated": "true"}
    assert len(api.list_ip_address(label_selector="type=broadcast").items) == 1
    api.delete_ip_address("255.255.255.255")
    api.delete_collection_ip_address(label_selector="type=link-local")
    assert not api.list_ip_address(label_selector="type in (link-local, broadcast)").items

    [default] = [each for each in api.list_service_cidr().items if each.metadata.name == "kubernetes"]
    assert api.read_service_cidr_status("kubernetes").metadata.uid == default.metadata.uid


# --- storage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["config_map", "secret"])
def test_what_is_immutable_stays_so(core: CoreV1Api, namespace: str, kind: str) -> None:
    read, write = (getattr(core, f"{verb}_namespaced_{kind}") for verb in ("read", "replace"))
    body = {"metadata": {"name": "i"}, "data": {"data-1": "dmFsdWUtMQ=="}}
    getattr(core, f"create_namespaced_{kind}")(namespace, body)

    def data(text: str) -> Callable[[Any], None]:
        return lambda obj: obj.data.update({"data-1": text})

    updated(read, write, "i", namespace, change=data("dmFsdWUtMg=="))

    def freeze(obj: Any, value: bool | None = True) -> None:
        obj.immutable = value

    updated(read, write, "i", namespace, change=freeze)
    for change in (data("dmFsdWUtMw=="), lambda obj: freeze(obj, None), lambda obj: freeze(obj, False)):
        said = refused(422, updated, read, write, "i", namespace, change=change)
        assert "field is immutable when `immutable` is set" in said

    def label(obj: Any) -> None:
        obj.metadata.labels = {"label1": "value1"}

    assert updated(read, write, "i", namespace, change=label).metadata.labels == {"label1": "value1"}
    getattr(core, f"delete_namespaced_{kind}")("i", namespace)


def test_the_status_of_volumes_and_claims(core: CoreV1Api, namespace: str) -> None:
    name = f"pv-{namespace}"
    size = {"storage": "1Gi"}
    volume = {
        "metadata": {"name": name, "labels": {"e2e": name}},
        "spec": {
            "capacity": size,
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "e2e.example.com", "volumeHandle": name},
            "storageClassName": "e2e",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": "claim"},
        },
    }
    core.create_persistent_volume(volume)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": size}, "storageClassName": "e2e"}
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "claim"}, "spec": spec})
    read = core.read_namespaced_persistent_volume_claim_status
    eventually(lambda: read("claim", namespace).status.phase == "Bound")
    eventually(lambda: core.read_persistent_volume_status(name).status.phase == "Bound")
    condition = {"type": "StatusPatched", "status": "True", "reason": "E2E patchedStatus", "message": "Set"}
    patched = core.patch_namespaced_persistent_volume_claim_status(
        "claim", namespace, {"status": {"conditions": [condition]}}, **MERGE
    )
    assert [each.type for each in patched.status.conditions] == ["StatusPatched"]
    told = core.patch_persistent_volume_status(
        name, {"status": {"message": "StatusPatched", "reason": "E2E patchStatus"}}, **MERGE
    )
    assert (told.status.message, told.status.reason) == ("StatusPatched", "E2E patchStatus")

    def add(obj: Any) -> None:
        obj.status.conditions = [*obj.status.conditions, {**condition, "type": "StatusUpdate"}]

    write = core.replace_namespaced_persistent_volume_claim_status
    after = updated(read, write, "claim", namespace, change=add)
    assert [each.type for each in after.status.conditions] == ["StatusPatched", "StatusUpdate"]

    def tell(obj: Any) -> None:
        obj.status.reason, obj.status.message = "E2E updateStatus", "StatusUpdated"

    written = updated(
        core.read_persistent_volume_status, core.replace_persistent_volume_status, name, change=tell
    )
    assert (written.status.message, written.status.reason) == ("StatusUpdated", "E2E updateStatus")
    core.delete_namespaced_persistent_volume_claim("claim", namespace)
    eventually(lambda: is_gone(read, "claim", namespace))
    core.delete_persistent_volume(name)
    eventually(lambda: is_gone(core.read_persistent_volume, name))


def test_an_attachment_is_attached_by_its_status(client: ApiClient) -> None:
    api = StorageV1Api(client)
    spec = {"attacher": "e2e.example.com", "nodeName": "nobody", "source": {"persistentVolumeName": "none"}}
    api.create_volume_attachment({"metadata": {"name": "e2e-va"}, "spec": spec})
    label = {"metadata": {"labels": {"e2e-va": "patched"}}}
    assert api.patch_volume_attachment("e2e-va", label).metadata.labels == {"e2e-va": "patched"}
    assert api.read_volume_attachment_status("e2e-va").status.attached is False
    body = {"metadata": {"annotations": {"e2e": "patched"}}, "status": {"attached": True}}
    patched = api.patch_volume_attachment_status("e2e-va", body, **MERGE)
    assert patched.status.attached is True

    def detach(obj: Any) -> None:
        obj.status.attached = False

    after = updated(api.read_volume_attachment, api.replace_volume_attachment_status, "e2e-va", change=detach)
    assert after.status.attached is False
    api.delete_volume_attachment("e2e-va")
    eventually(lambda: is_gone(api.read_volume_attachment, "e2e-va"))
