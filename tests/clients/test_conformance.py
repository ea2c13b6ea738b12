"""Walks of Kubernetes' conformance suite that are about the API, step by step, with the official Python client.

Each test does what the suite's test of that name does (test/e2e: apps/job.go, common/node/pods.go,
common/node/sysctl.go, network/service.go, node/pods.go), on a cluster whose containers are simulated.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.client import ApiClient, ApiException, BatchV1Api, CoreV1Api

from tests.clients.conftest import eventually

pytestmark = pytest.mark.timeout(120)
LABEL = {"walk": "conformance"}
CHOSEN = "walk=conformance"


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": LABEL},
        "spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.10"}], **spec},
    }


def until(call: Callable[..., Any], since: str, enough: Callable[[str, Any], bool], *words: Any) -> Any:
    """Return the object of the first event since then that is enough."""
    for event in watch.Watch().stream(
        call, *words, resource_version=since, label_selector=CHOSEN, timeout_seconds=30
    ):
        if enough(event["type"], event["object"]):
            return event["object"]
    raise AssertionError("the watch ended without it")


def replaced(
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


# --- pods -------------------------------------------------------------------------------------------------


def test_a_collection_of_pods_is_deleted(core: CoreV1Api, namespace: str) -> None:
    for number in (1, 2, 3):
        core.create_namespaced_pod(namespace, pod(f"p{number}", terminationGracePeriodSeconds=1))
    listed = core.list_namespaced_pod(namespace, label_selector=CHOSEN)
    assert len(listed.items) == 3
    core.delete_collection_namespaced_pod(namespace, label_selector=CHOSEN, grace_period_seconds=1)
    eventually(lambda: not core.list_namespaced_pod(namespace, label_selector=CHOSEN).items)


def test_the_lifecycle_of_pods_and_their_status(core: CoreV1Api, namespace: str) -> None:
    start = core.list_namespaced_pod(namespace).metadata.resource_version
    core.create_namespaced_pod(namespace, pod("web"))
    ready = until(
        core.list_namespaced_pod, start, lambda type, obj: type != "DELETED" and is_ready(obj), namespace
    )
    patch = {"metadata": {"labels": {"patched": "true"}}, "spec": {"terminationGracePeriodSeconds": None}}
    patched = core.patch_namespaced_pod("web", namespace, {"metadata": patch["metadata"]})
    assert (patched.metadata.labels["patched"], patched.metadata.generation) == ("true", 1)
    image = {"spec": {"containers": [{"name": "main", "image": "registry.k8s.io/pause:3.9"}]}}
    assert core.patch_namespaced_pod("web", namespace, image).metadata.generation == 2
    eventually(lambda: core.read_namespaced_pod("web", namespace).status.observed_generation == 2)

    status = {"metadata": {"annotations": {"patched": "true"}}, "status": {"message": "Patched by a walk"}}
    told = core.patch_namespaced_pod_status("web", namespace, status)
    assert told.status.message == "Patched by a walk"
    assert told.metadata.annotations["patched"] == "true"
    assert told.metadata.generation == 2

    def add(obj: Any) -> None:
        obj.status.conditions += [{"type": "StatusUpdate", "status": "True", "reason": "E2E"}]

    read, write = core.read_namespaced_pod_status, core.replace_namespaced_pod_status
    after = replaced(read, write, "web", namespace, change=add)
    assert {each.type: each.reason for each in after.status.conditions}["StatusUpdate"] == "E2E"
    core.delete_collection_namespaced_pod(namespace, label_selector=CHOSEN, grace_period_seconds=0)
    until(
        core.list_namespaced_pod,
        ready.metadata.resource_version,
        lambda type, _: type == "DELETED",
        namespace,
    )


def is_ready(obj: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in obj.status.conditions or ())


def test_invalid_sysctls_are_refused_and_no_others(core: CoreV1Api, namespace: str) -> None:
    names = ("foo-", "kernel.shmmax", "safe-and-unsafe", "bar..")
    wanted = [{"name": name, "value": "42"} for name in names]
    with pytest.raises(ApiException) as refusal:
        core.create_namespaced_pod(namespace, pod("tuned", securityContext={"sysctls": wanted}))
    said = refusal.value.body
    assert [rf"Invalid value: \"{name}\"" in said for name in names] == [True, False, False, True]


# --- jobs -------------------------------------------------------------------------------------------------


def job(name: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABEL}, "spec": {**pod("x")["spec"], "restartPolicy": "Never"}}
    return {"metadata": {"name": name, "labels": LABEL}, "spec": {"template": template, **spec}}


def test_the_status_of_a_job_is_patched_and_replaced(client: ApiClient, namespace: str) -> None:
    batch = BatchV1Api(client)
    batch.create_namespaced_job(namespace, job("counted", parallelism=2, completions=4, suspend=True))
    eventually(lambda: batch.read_namespaced_job_status("counted", namespace).status.conditions)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    condition = {
        "type": "Walked",
        "status": "True",
        "lastTransitionTime": now.isoformat(),
        "message": "by hand",
    }
    body = {"metadata": {"annotations": {"patched": "true"}}, "status": {"conditions": [condition]}}
    patched = batch.patch_namespaced_job_status("counted", namespace, body)
    assert patched.metadata.annotations["patched"] == "true"
    assert {each.type: each.message for each in patched.status.conditions}["Walked"] == "by hand"
    read, write = batch.read_namespaced_job_status, batch.replace_namespaced_job_status
    mark = {"replaced": "true"}
    after = replaced(
        read, write, "counted", namespace, change=lambda obj: obj.metadata.annotations.update(mark)
    )
    assert after.metadata.annotations["replaced"] == "true"
    assert "Walked" in {each.type for each in after.status.conditions}
    assert after.metadata.generation == 1


def test_the_lifecycle_of_a_job(client: ApiClient, core: CoreV1Api, namespace: str) -> None:
    batch = BatchV1Api(client)
    made = batch.create_namespaced_job(namespace, job("cycle", parallelism=2, completions=2, suspend=True))
    since = made.metadata.resource_version
    batch.patch_namespaced_job("cycle", namespace, {"metadata": {"labels": {"patched": "true"}}})

    def is_patched(type: str, obj: Any) -> bool:
        return type == "MODIFIED" and (obj.metadata.labels or {}).get("patched") == "true"

    until(batch.list_namespaced_job, since, is_patched, namespace)
    assert not core.list_namespaced_pod(namespace, label_selector=CHOSEN).items

    def resume(obj: Any) -> None:
        obj.spec.suspend = False

    replaced(batch.read_namespaced_job, batch.replace_namespaced_job, "cycle", namespace, change=resume)
    eventually(lambda: len(core.list_namespaced_pod(namespace, label_selector=CHOSEN).items) == 2)
    assert [
        each.metadata.name for each in batch.list_job_for_all_namespaces(label_selector=CHOSEN).items
    ] == ["cycle"]
    batch.delete_collection_namespaced_job(
        namespace, label_selector=CHOSEN, body={"propagationPolicy": "Background"}
    )
    until(batch.list_namespaced_job, since, lambda type, _: type == "DELETED", namespace)
    assert not batch.list_namespaced_job(namespace, label_selector=CHOSEN).items
    eventually(lambda: not core.list_namespaced_pod(namespace, label_selector=CHOSEN).items)


def test_a_job_adopts_orphans_and_releases_what_does_not_match(
    client: ApiClient, core: CoreV1Api, namespace: str
) -> None:
    BatchV1Api(client).create_namespaced_job(namespace, job("adopting", parallelism=1))
    [first] = eventually(lambda: core.list_namespaced_pod(namespace, label_selector=CHOSEN).items)
    name = first.metadata.name

    def owners() -> list[str]:
        found = core.read_namespaced_pod(name, namespace).metadata.owner_references
        return [each.name for each in found or () if each.controller]

    core.patch_namespaced_pod(name, namespace, {"metadata": {"ownerReferences": [{"$patch": "replace"}]}})
    eventually(lambda: owners() == ["adopting"])
    labels = dict.fromkeys(core.read_namespaced_pod(name, namespace).metadata.labels)
    core.patch_namespaced_pod(name, namespace, {"metadata": {"labels": labels}})
    eventually(lambda: not owners())
    core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


# --- services ---------------------------------------------------------------------------------------------


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": LABEL},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}], **spec},
    }


def test_the_lifecycle_of_a_services_status(core: CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_service(namespace, service("shown", type="LoadBalancer"))
    since = made.metadata.resource_version
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}
    body = {"metadata": {"annotations": {"patchedstatus": "true"}}, **ingress}
    patched = core.patch_namespaced_service_status("shown", namespace, body)
    assert patched.metadata.annotations["patchedstatus"] == "true"
    assert [each.ip for each in patched.status.load_balancer.ingress] == ["203.0.113.1"]

    def add(obj: Any) -> None:
        told = {"reason": "E2E", "message": "Set from a walk", "lastTransitionTime": "2020-01-01T00:00:00Z"}
        obj.status.conditions = [{"type": "StatusUpdate", "status": "True", **told}]

    read, write = core.read_namespaced_service_status, core.replace_namespaced_service_status
    after = replaced(read, write, "shown", namespace, change=add)
    assert [each.message for each in after.status.conditions] == ["Set from a walk"]
    core.patch_namespaced_service("shown", namespace, {"metadata": {"labels": {"patched": "true"}}})

    def is_patched(type: str, obj: Any) -> bool:
        return type == "MODIFIED" and obj.metadata.labels.get("patched") == "true"

    until(core.list_namespaced_service, since, is_patched, namespace)
    core.delete_namespaced_service("shown", namespace)
    until(core.list_namespaced_service, since, lambda type, _: type == "DELETED", namespace)


def test_affinity_is_switched_on_and_off(core: CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_service(namespace, service("sticky"))
    assert (made.spec.session_affinity, made.spec.session_affinity_config) == ("None", None)
    made.spec.session_affinity = "ClientIP"
    kept = core.replace_namespaced_service("sticky", namespace, made)
    assert kept.spec.session_affinity_config.client_ip.timeout_seconds == 10800
    kept.spec.session_affinity_config.client_ip.timeout_seconds = 86401
    with pytest.raises(ApiException, match="must be greater than 0 and less than 86400"):
        core.replace_namespaced_service("sticky", namespace, kept)
    off = core.patch_namespaced_service(
        "sticky", namespace, {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}}
    )
    assert (off.spec.session_affinity, off.spec.session_affinity_config) == ("None", None)


def test_services_are_found_in_all_namespaces_and_deleted_together(core: CoreV1Api, namespace: str) -> None:
    found = {
        (each.metadata.namespace, each.metadata.name) for each in core.list_service_for_all_namespaces().items
    }
    assert ("default", "kubernetes") in found
    for number in (1, 2, 3):
        core.create_namespaced_service(namespace, service(f"s{number}"))
    core.delete_collection_namespaced_service(namespace, label_selector=CHOSEN)
    assert not core.list_namespaced_service(namespace, label_selector=CHOSEN).items
