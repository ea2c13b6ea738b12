"""Bad input and trouble: each gets a clear answer, and nothing else is harmed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually, spare_node_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: %(name)s}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "%(image)s", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080%(port)s}]}
"""


def pod(name: str, image: str = "minikctl-demo:latest", port: str = "") -> str:
    return POD % {"name": name, "image": image, "port": port}


def waiting(cluster: Cluster, name: str) -> str:
    statuses = cluster.json("pod", name).get("status", {}).get("containerStatuses") or [{}]
    return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))


def events(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    return list(cluster.json("events", f"--field-selector=involvedObject.name={name}")["items"])


def test_a_bad_document_is_named_and_the_others_go_through(cluster: Cluster, tmp_path: Any) -> None:
    good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    source = tmp_path / "mixed.yaml"
    wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n"
    broken = "apiVersion: v1\nkind: [unclosed\n"
    source.write_text("---\n".join([good % "first", wrong, broken, good % "last"]))
    done = cluster.run("apply", "-f", str(source), code=1)
    assert "configmap/first created" in done.stdout
    assert "configmap/last created" in done.stdout
    assert "mixed.yaml" in done.stderr
    assert "document 2" in done.stderr
    assert "metadata.name" in done.stderr
    assert "document 3" in done.stderr
    assert "line" in done.stderr


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n",
            'no matches for kind "Nonsense" in version "v1"',
        ),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatta: {a: b}\n", 'unknown field "datta"'),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: two, selector: {matchLabels: {a: b}}, "
            "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}\n",
            "replicas",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {matchLabels: {a: b}}, "
            "template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: i}]}}}\n",
            "`selector` does not match template `labels`",
        ),
        (pod("x").replace("8080", "80800"), "must be between 1 and 65535"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c, image: i, "
            "resources: {requests: {cpu: many}}}]}\n",
            "quantities must match",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: NodePort, ports: [{port: 80, nodePort: 99}]}\n",
            "spec.ports[0].nodePort",
        ),
    ],
    ids=["kind", "field", "type", "selector", "port", "quantity", "node port range"],
)
def test_bad_input_gets_a_clear_message_and_changes_nothing(
    cluster: Cluster, manifest: str, expected: str
) -> None:
    done = cluster.run("apply", "-f", "-", stdin=manifest, code=1)
    assert expected in done.stderr
    assert done.stdout == ""


def test_an_immutable_field_and_a_duplicate_node_port(cluster: Cluster) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {type: NodePort, ports: [{port: 80, nodePort: %d}]}\n"
    port = spare_node_port()
    cluster.run("apply", "-f", "-", stdin=service % ("one", port))
    done = cluster.run("apply", "-f", "-", stdin=service % ("two", port), code=1)
    assert "provided port is already allocated" in done.stderr
    secret = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed}\nimmutable: true\ndata: {a: %s}\n"
    cluster.run("apply", "-f", "-", stdin=secret % "one")
    done = cluster.run("apply", "-f", "-", stdin=secret % "two", code=1)
    assert "field is immutable when `immutable` is set" in done.stderr
    cluster.run("delete", "service", "one")


def test_a_missing_image_is_told_and_heals(cluster: Cluster) -> None:
    cluster.run("apply", "-f", "-", stdin=pod("noimage", "localhost:1/nobody/nothing:1"))
    eventually(lambda: waiting(cluster, "noimage") in ("ErrImagePull", "ImagePullBackOff"))
    eventually(
        lambda: any(
            event["reason"] == "Failed" and "nothing:1" in event["message"]
            for event in events(cluster, "noimage")
        )
    )
    eventually(
        lambda: "ErrImagePull" in (said := cluster.out("get", "pod", "noimage")) or "ImagePullBackOff" in said
    )
    cluster.run(
        "patch",
        "pod",
        "noimage",
        "-p",
        '{"spec":{"containers":[{"name":"app","image":"minikctl-demo:latest"}]}}',
    )
    cluster.run("wait", "--for=condition=Ready", "pod/noimage", "--timeout=60s")
    cluster.run("delete", "pod", "noimage")


def test_a_taken_host_port_is_told(cluster: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        cluster.run("apply", "-f", "-", stdin=pod("porter", port=f", hostPort: {number}, hostIP: 127.0.0.1"))
        eventually(
            lambda: any(
                str(number) in e["message"] and e["type"] == "Warning" for e in events(cluster, "porter")
            )
        )
    cluster.run("wait", "--for=condition=Ready", "pod/porter", "--timeout=60s")
    cluster.run("delete", "pod", "porter")


def test_a_crashing_container_backs_off(cluster: Cluster) -> None:
    manifest = pod("crasher").replace("ports:", 'command: ["sh", "-c", "echo going down; exit 3"], ports:')
    cluster.run("apply", "-f", "-", stdin=manifest)
    eventually(lambda: waiting(cluster, "crasher") == "CrashLoopBackOff")
    status = cluster.json("pod", "crasher")["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert "going down" in cluster.out("logs", "crasher", "--previous")
    eventually(lambda: "CrashLoopBackOff" in cluster.out("get", "pods", "crasher"))
    eventually(lambda: "Back-off restarting failed container" in cluster.out("describe", "pod", "crasher"))
    cluster.run("delete", "pod", "crasher", "--now")


def test_what_is_not_there_is_said_as_kubectl_says_it(cluster: Cluster) -> None:
    assert (
        cluster.run("get", "pod", "nobody", code=1).stderr
        == 'Error from server (NotFound): pods "nobody" not found\n'
    )
    assert (
        'the server doesn\'t have a resource type "nothing"' in cluster.run("get", "nothing", code=1).stderr
    )
    done = cluster.run("get", "pods", "-n", "empty")
    hint = "hint: there is no namespace empty; `minikctl ns` lists those that are there\n"
    assert (done.stdout, done.stderr) == ("", f"No resources found in empty namespace.\n{hint}")
    done = cluster.run("get", "services", "-n", "kube-public")
    assert (done.stdout, done.stderr) == ("", "No resources found in kube-public namespace.\n")
