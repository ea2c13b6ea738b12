"""What a kubelet does with volumes, rights and files of its node, on real containers."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

IMAGE = "minikctl-infra:latest"


def pod(name: str, script: str, volumes: Any = (), mounts: Any = (), **more: Any) -> str:
    """Return the manifest of a pod that runs a script; ``resources`` and ``securityContext`` are its container's."""
    container: dict[str, Any] = {
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "volumeMounts": list(mounts),
        **{key: more.pop(key) for key in ("resources", "securityContext") if key in more},
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": list(volumes), **more}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def events(cluster: Cluster, name: str, reason: str) -> list[str]:
    found = cluster.json("events", f"--field-selector=involvedObject.name={name}")["items"]
    return [event["message"] for event in found if event["reason"] == reason]


@pytest.mark.parametrize("medium", ["", "Memory"])
def test_an_empty_dir_over_its_limit_has_its_pod_evicted(cluster: Cluster, medium: str) -> None:
    name = f"greedy{medium.lower()}"
    volume = {"name": "scratch", "emptyDir": {"sizeLimit": "2Mi", "medium": medium}}
    mount = {"name": "scratch", "mountPath": "/scratch"}
    script = "head -c 3000000 /dev/zero > /scratch/much; exec sleep 1000"
    cluster.run("apply", "-f", "-", stdin=pod(name, script, [volume], [mount]))
    eventually(lambda: cluster.json("pod", name)["status"].get("reason") == "Evicted")
    status = cluster.json("pod", name)["status"]
    message = 'Usage of EmptyDir volume "scratch" exceeds the limit "2Mi". '
    assert (status["phase"], status["message"]) == ("Failed", message)
    target = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
    assert eventually(lambda: events(cluster, name, "Evicted")) == [message]
    pods = f"label=minikctl.dev/pod-name={name}"
    eventually(lambda: not cluster.containers(pods))
    cluster.run("delete", "pod", name)


def test_a_container_that_writes_too_much_to_its_own_files_has_its_pod_evicted(cluster: Cluster) -> None:
    resources = {"limits": {"ephemeral-storage": "1Mi"}}
    script = "head -c 3000000 /dev/zero > /much; exec sleep 1000"
    cluster.run("apply", "-f", "-", stdin=pod("writer", script, resources=resources))
    eventually(lambda: cluster.json("pod", "writer")["status"].get("reason") == "Evicted")
    assert cluster.json("pod", "writer")["status"]["message"] == (
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "
    )
    cluster.run("delete", "pod", "writer")


def test_the_files_of_an_image_are_a_volume_that_nobody_changes(cluster: Cluster) -> None:
    volume = {"name": "files", "image": {"reference": IMAGE, "pullPolicy": "IfNotPresent"}}
    mounts = [
        {"name": "files", "mountPath": "/image"},
        {"name": "files", "mountPath": "/part", "subPath": "bin"},
    ]
    # One stream: the engine keeps no order between two.
    script = "exec 2>&1; ls -l /image/pause; ls /part/sh; touch /image/x; exec sleep 1000"
    cluster.run("apply", "-f", "-", stdin=pod("imaged", script, [volume], mounts))
    cluster.run("wait", "--for=condition=Ready", "pod/imaged", "--timeout=60s")
    said = eventually(lambda: "Read-only" in (text := cluster.out("logs", "imaged")) and text)
    assert "/image/pause" in said
    assert "/part/sh" in said
    volume["image"] = {"reference": "localhost:1/none:1", "pullPolicy": "Never"}
    cluster.run("apply", "-f", "-", stdin=pod("unimaged", script, [volume], mounts))
    told = eventually(lambda: events(cluster, "unimaged", "FailedMount"))
    assert 'Container image "localhost:1/none:1" is not present with pull policy of Never' in told[0]
    cluster.run("delete", "pod", "imaged", "unimaged")


def test_a_seccomp_profile_of_the_node(cluster: Cluster) -> None:
    directory = pathlib.Path(cluster.home, "clusters", cluster.name, "seccomp")
    directory.mkdir(exist_ok=True)
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    (directory / "nodirs.json").write_text(
        json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    )

    def with_profile(name: str, profile: str) -> str:
        context = {"seccompProfile": {"type": "Localhost", "localhostProfile": profile}}
        return pod(name, "mkdir /new && echo made; exec sleep 1000", securityContext=context)

    cluster.run("apply", "-f", "-", stdin=with_profile("filtered", "nodirs.json"))
    eventually(lambda: "Operation not permitted" in cluster.run("logs", "filtered", code=None).stdout)
    cluster.run("apply", "-f", "-", stdin=with_profile("unfiltered", "none.json"))

    def waiting() -> dict[str, str]:
        state = cluster.json("pod", "unfiltered")["status"].get("containerStatuses", [{}])[0]
        return dict(state.get("state", {}).get("waiting", {}))

    told = eventually(lambda: (found := waiting()).get("reason") == "CreateContainerError" and found)
    assert "cannot load seccomp profile" in told["message"]
    cluster.run("delete", "pod", "filtered", "unfiltered")


def test_static_pods_of_the_node(cluster: Cluster) -> None:
    directory = pathlib.Path(cluster.home, "clusters", cluster.name, "manifests")
    directory.mkdir(exist_ok=True)
    file = directory / "fixed.yaml"
    file.write_text(pod("fixed", "exec sleep 1000"))
    node = cluster.json("nodes")["items"][0]["metadata"]["name"]
    name = f"fixed-{node}"
    eventually(lambda: "1/1" in cluster.run("get", "pod", name, code=None).stdout)
    made = cluster.json("pod", name)["metadata"]
    assert made["annotations"]["kubernetes.io/config.source"] == "file"
    assert made["ownerReferences"][0]["kind"] == "Node"
    cluster.run("delete", "pod", name)
    eventually(lambda: "1/1" in cluster.run("get", "pod", name, code=None).stdout)
    assert cluster.json("pod", name)["metadata"]["uid"] != made["uid"], "the file brings it back"
    os.unlink(file)
    eventually(lambda: cluster.run("get", "pod", name, code=None).returncode == 1)


def test_a_runtime_class_is_refused_in_plain_words(cluster: Cluster) -> None:
    refused = cluster.run(
        "apply", "-f", "-", stdin=pod("boxed", "sleep 1", runtimeClassName="gvisor"), code=1
    )
    assert 'pods "boxed" is forbidden: pod rejected: RuntimeClass "gvisor" not found' in refused.stderr
    runtime = "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}"
    cluster.run("apply", "-f", "-", stdin=runtime)
    cluster.run("apply", "-f", "-", stdin=pod("boxed", "sleep 1", runtimeClassName="gvisor"))
    told = eventually(lambda: events(cluster, "boxed", "FailedCreatePodSandBox"))
    assert 'no runtime for RuntimeClass "gvisor" is configured' in told[0]
    cluster.run("delete", "pod/boxed", "runtimeclass/gvisor")


def test_pods_that_a_kubelet_would_refuse_and_what_it_would_not_wait_for(cluster: Cluster) -> None:
    node = cluster.json("nodes")["items"][0]["metadata"]["name"]
    tuned = json.loads(pod("tuned", "exec sleep 1000"))
    tuned["spec"]["securityContext"] = {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}
    hooked = json.loads(pod("hooked", "exec sleep 1000"))
    hooked["spec"]["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": ["sleep", "3000"]}}}
    huge = pod("huge", "exec sleep 1000", nodeName=node, resources={"requests": {"cpu": "1000"}})
    for made in (json.dumps(tuned), json.dumps(hooked), huge):
        cluster.run("apply", "-f", "-", stdin=made)
    aliases = [{"ip": "1.2.3.4", "hostnames": ["alias.test"]}]
    user = {"runAsUser": 1234}
    show = "cat /etc/hosts /proc/self/oom_score_adj; stat -Lc '%u %a' /var/run/secrets/kubernetes.io/serviceaccount/token; exec sleep 1000"
    cluster.run(
        "apply",
        "-f",
        "-",
        stdin=pod("aliased", show, hostNetwork=True, hostAliases=aliases, securityContext=user),
    )

    def status(name: str) -> dict[str, Any]:
        return dict(cluster.json("pod", name)["status"])

    eventually(lambda: status("tuned").get("reason") == "SysctlForbidden")
    eventually(lambda: status("huge").get("reason") == "OutOfcpu")
    assert status("huge")["message"].startswith("Pod was rejected: Node didn't have enough resource: cpu")
    mine = "1234 600\n" if os.getuid() == 0 else f"{os.getuid()} 644\n"
    last = f"1.2.3.4\talias.test\n1000\n{mine}"
    eventually(lambda: cluster.run("logs", "aliased", code=None).stdout.endswith(last))
    said = cluster.run("logs", "aliased").stdout
    assert said.startswith("# Kubernetes-managed hosts file (host network).\n")
    eventually(lambda: events(cluster, "hooked", "Started"))
    cluster.run("delete", "pod", "tuned", "huge", "aliased", "hooked", "--timeout=60s")
