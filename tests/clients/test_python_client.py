"""The official Python client beyond plain reads and writes: watches, patches of every type, apply, streams, logs."""

from __future__ import annotations

import base64
import gc
import threading
import time
from typing import Any

import kubernetes
import pytest
import yaml
from kubernetes import dynamic, utils, watch
from kubernetes.client import ApiClient, ApiException, AppsV1Api, CoreV1Api
from kubernetes.stream import stream

from tests.clients.conftest import Cluster, eventually

pytestmark = pytest.mark.timeout(120)
LEAKY = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The client's streams never close their sockets."""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "minikctl-demo:latest", env: [{name: A, value: a}]}
"""


def config_map(name: str, **data: str) -> Any:
    return {"metadata": {"name": name}, "data": data}


def running(core: CoreV1Api, namespace: str, name: str, *command: str) -> None:
    """Return when a pod with that command runs."""
    container = {"name": "app", "image": "minikctl-demo:latest", "command": command}
    core.create_namespaced_pod(
        namespace, {"metadata": {"name": name}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    )
    eventually(lambda: core.read_namespaced_pod(name, namespace).status.phase != "Pending")


def test_watches_go_on_where_a_list_ended(core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("a"))
    listed = core.list_namespaced_config_map(namespace, label_selector="!x")
    core.create_namespaced_config_map(namespace, config_map("b"))
    core.patch_namespaced_config_map("b", namespace, {"data": {"k": "v"}})
    core.delete_namespaced_config_map("b", namespace)
    seen = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=listed.metadata.resource_version,
        timeout_seconds=10,
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]


def test_lists_in_pieces(core: CoreV1Api, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"c-{number}"))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(
            namespace, limit=2, _continue=token, field_selector="metadata.name!=kube-root-ca.crt"
        )
        names += [each.metadata.name for each in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"c-{number}" for number in range(5)]


def test_patches_of_every_type(client: ApiClient, namespace: str) -> None:
    apps = AppsV1Api(client)
    apps.create_namespaced_deployment(namespace, yaml.safe_load(DEPLOYMENT))

    def patch(body: Any, media: str, **more: Any) -> Any:
        return apps.patch_namespaced_deployment(
            "web", namespace, body, _content_type=media, **more
        ).spec.template.spec

    container = {"name": "app", "env": [{"name": "B", "value": "b"}]}
    merged = patch(
        {"spec": {"template": {"spec": {"containers": [container]}}}},
        "application/strategic-merge-patch+json",
    )
    assert [each.name for each in merged.containers[0].env] == ["B", "A"]
    whole = {"name": "app", "image": "minikctl-demo:latest", "env": [{"name": "C", "value": "c"}]}
    merged = patch({"spec": {"template": {"spec": {"containers": [whole]}}}}, "application/merge-patch+json")
    assert [each.name for each in merged.containers[0].env] == ["C"]
    path = "/spec/template/spec/containers/0/env/-"
    merged = patch(
        [{"op": "add", "path": path, "value": {"name": "D", "value": "d"}}], "application/json-patch+json"
    )
    assert [each.name for each in merged.containers[0].env] == ["C", "D"]
    with pytest.raises(ApiException, match="fieldManager: Required value"):
        patch(yaml.safe_load(DEPLOYMENT), "application/apply-patch+yaml")
    applied = patch(
        yaml.safe_load(DEPLOYMENT), "application/apply-patch+yaml", field_manager="me", force=True
    )
    assert [each.name for each in applied.containers[0].env] == ["C", "D", "A"]
    less = DEPLOYMENT.replace(", env: [{name: A, value: a}]", "")
    applied = patch(yaml.safe_load(less), "application/apply-patch+yaml", field_manager="me")
    assert [each.name for each in applied.containers[0].env] == ["C", "D"], "what is given up goes"


def test_the_dynamic_client_applies(client: ApiClient, namespace: str) -> None:
    config_maps = dynamic.DynamicClient(client).resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("c", a="1")}
    made = config_maps.server_side_apply(body=body, namespace=namespace, field_manager="one")
    assert [(each.manager, each.operation) for each in made.metadata.managedFields] == [("one", "Apply")]
    body["data"] = {"a": "2"}
    with pytest.raises(dynamic.exceptions.ConflictError, match=r'conflict with \\"one\\": \.data\.a'):
        config_maps.server_side_apply(body=body, namespace=namespace, field_manager="two")
    taken = config_maps.server_side_apply(
        body=body, namespace=namespace, field_manager="two", force_conflicts=True
    )
    assert taken.data.a == "2"
    assert [each.manager for each in taken.metadata.managedFields] == ["two"]
    assert config_maps.get(namespace=namespace, label_selector="none=such").items == []


def test_events(client: ApiClient, namespace: str) -> None:
    api = kubernetes.client.EventsV1Api(client)
    # The client leaves a fraction of zero out, and API servers take only times with six digits here.
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000001Z", time.gmtime())
    body = {
        "metadata": {"generateName": "said-"}, "eventTime": now, "type": "Normal", "reason": "Said", "action": "Say", "note": "hello",
        "reportingController": "example.com/me", "reportingInstance": "me-1", "regarding": {"kind": "Pod", "namespace": namespace, "name": "web"},
    }  # fmt: skip
    made = api.create_namespaced_event(namespace, body)
    core = CoreV1Api(client).read_namespaced_event(made.metadata.name, namespace)
    assert (core.message, core.involved_object.name, core.reporting_component) == (
        "hello",
        "web",
        "example.com/me",
    )
    found = CoreV1Api(client).list_namespaced_event(
        namespace, field_selector="reason=Said,involvedObject.kind=Pod"
    )
    assert len(found.items) == 1


@LEAKY
def test_commands_in_a_pod(core: CoreV1Api, namespace: str) -> None:
    running(core, namespace, "web", "sleep", "1000")
    connect, place = core.connect_get_namespaced_pod_exec, ("web", namespace)
    flags = {"stdin": False, "stdout": True, "stderr": True, "tty": False}
    assert stream(connect, *place, command=["echo", "a", "b"], **flags) == "a b\n"
    session = stream(
        connect, *place, command=["sh", "-c", "echo failed >&2; exit 3"], _preload_content=False, **flags
    )
    session.run_forever(timeout=10)
    assert (session.read_stderr(), session.returncode) == ("failed\n", 3)
    session.close()
    session = stream(connect, *place, command=["cat"], _preload_content=False, **{**flags, "stdin": True})
    session.write_stdin("through\n")
    assert session.readline_stdout(timeout=10) == "through"
    session.close()
    with pytest.raises(ApiException, match="not found"):
        stream(connect, "nobody", namespace, command=["true"], **flags)
    del session
    gc.collect()


def test_logs_that_are_followed(core: CoreV1Api, namespace: str) -> None:
    running(core, namespace, "web", "sh", "-c", "echo one; sleep 1; echo two")
    lines = list(watch.Watch().stream(core.read_namespaced_pod_log, "web", namespace))
    assert lines == ["one", "two"]
    assert core.read_namespaced_pod_log("web", namespace, tail_lines=1) == "two\n"
    with pytest.raises(ApiException, match="previous terminated container"):
        core.read_namespaced_pod_log("web", namespace, previous=True)


def test_other_subresources(client: ApiClient, namespace: str) -> None:
    apps, core = AppsV1Api(client), CoreV1Api(client)
    utils.create_from_dict(client, yaml.safe_load(DEPLOYMENT), namespace=namespace)
    eventually(lambda: apps.read_namespaced_deployment("web", namespace).status.ready_replicas == 1)
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    scale.spec.replicas = 2
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 2
    eventually(lambda: apps.read_namespaced_deployment_status("web", namespace).status.ready_replicas == 2)
    pod = core.list_namespaced_pod(namespace, label_selector="app=web").items[0]
    eviction = {"metadata": {"name": pod.metadata.name}}
    assert core.create_namespaced_pod_eviction(pod.metadata.name, namespace, eviction)
    eventually(
        lambda: (
            pod.metadata.uid not in [each.metadata.uid for each in core.list_namespaced_pod(namespace).items]
        )
    )
    wrong = kubernetes.client.V1DeleteOptions(preconditions={"uid": "another"})
    with pytest.raises(ApiException, match="does not match the UID in record"):
        apps.delete_namespaced_deployment("web", namespace, body=wrong)
    apps.delete_collection_namespaced_deployment(namespace, propagation_policy="Foreground")
    eventually(lambda: not core.list_namespaced_pod(namespace).items)


def test_a_service_account_sees_what_it_may(client: ApiClient, core: CoreV1Api, namespace: str) -> None:
    request = kubernetes.client.AuthenticationV1TokenRequest(spec={"audiences": [], "expirationSeconds": 600})
    answer = core.create_namespaced_service_account_token("default", namespace, request)
    configuration = kubernetes.client.Configuration()
    configuration.host, configuration.ssl_ca_cert = (
        client.configuration.host,
        client.configuration.ssl_ca_cert,
    )
    configuration.api_key = {"authorization": f"Bearer {answer.status.token}"}
    with ApiClient(configuration) as other:
        with pytest.raises(ApiException, match="403"):
            CoreV1Api(other).list_namespaced_pod(namespace)
        me = kubernetes.client.AuthenticationV1Api(other).create_self_subject_review({})
        assert me.status.user_info.username == f"system:serviceaccount:{namespace}:default"
        assert kubernetes.client.VersionApi(other).get_code().minor == "36"


def test_many_watches_share_one_client(cluster: Cluster, namespace: str) -> None:
    seen: list[str] = []

    def follow(number: int) -> None:
        with cluster.client() as client:
            for event in watch.Watch().stream(
                CoreV1Api(client).list_namespaced_secret, namespace, timeout_seconds=20
            ):
                seen.append(f"{number} {event['object'].metadata.name}")
                return

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    with cluster.client() as client:
        CoreV1Api(client).create_namespaced_secret(namespace, {"metadata": {"name": "s"}})
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(f"{number} s" for number in range(10))


def test_a_secret_with_the_token_of_an_account(client: ApiClient, core: CoreV1Api, namespace: str) -> None:
    metadata = {"name": "tok", "annotations": {"kubernetes.io/service-account.name": "default"}}
    core.create_namespaced_secret(
        namespace, {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
    )
    found = eventually(lambda: core.read_namespaced_secret("tok", namespace).data)
    assert base64.b64decode(found["namespace"]).decode() == namespace
    assert b"BEGIN CERTIFICATE" in base64.b64decode(found["ca.crt"])
    configuration = kubernetes.client.Configuration()
    configuration.host, configuration.ssl_ca_cert = (
        client.configuration.host,
        client.configuration.ssl_ca_cert,
    )
    configuration.api_key = {"authorization": f"Bearer {base64.b64decode(found['token']).decode()}"}
    with ApiClient(configuration) as other:
        me = kubernetes.client.AuthenticationV1Api(other).create_self_subject_review({})
        assert me.status.user_info.username == f"system:serviceaccount:{namespace}:default"
    core.delete_namespaced_service_account("default", namespace)
    eventually(
        lambda: "tok" not in [each.metadata.name for each in core.list_namespaced_secret(namespace).items]
    )
