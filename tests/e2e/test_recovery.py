"""What breaks a cluster from outside: it converges to what is wanted, without a human."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.e2e import apps
from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", autouse=True)
def running(cluster: Cluster) -> None:
    cluster.run("apply", "-f", "-", stdin=apps.WEB + "---" + apps.STORE)
    cluster.run("rollout", "status", "deploy/web", "--timeout=60s")
    cluster.run("rollout", "status", "sts/db", "--timeout=60s")
    eventually(lambda: serves(cluster))


def serves(cluster: Cluster) -> bool:
    """Tell whether a pod reaches the Service by its name."""
    return cluster.run("exec", "db-0", "--", "sh", "-c", apps.ASK, code=None).stdout.startswith("web-")


def pods(cluster: Cluster) -> dict[str, tuple[int, str]]:
    """Return restarts and address of each pod that is ready, by its name."""
    found = {}
    for pod in cluster.json("pods")["items"]:
        statuses: list[dict[str, Any]] = pod["status"].get("containerStatuses") or [{}]
        if statuses[0].get("ready"):
            found[pod["metadata"]["name"]] = int(statuses[0]["restartCount"]), str(pod["status"]["podIP"])
    return found


def container(cluster: Cluster, pod: str, name: str) -> str:
    """Return the id of a pod's running container ("POD" is the pause)."""
    words = [
        f"label=minikctl.dev/{key}={value}" for key, value in (("cluster", cluster.name), ("pod-name", pod))
    ]
    words.append("label=minikctl.dev/role=pause" if name == "POD" else f"label=minikctl.dev/container={name}")
    return docker("ps", "-q", "--no-trunc", *(part for word in words for part in ("--filter", word)))


def webs(cluster: Cluster) -> list[str]:
    return sorted(name for name in pods(cluster) if name.startswith("web-"))


def everything(cluster: Cluster) -> list[str]:
    return docker("ps", "-aq", "--filter", f"label=minikctl.dev/cluster={cluster.name}").split()


def kill_control_plane(cluster: Cluster) -> None:
    os.kill(int(cluster.status()["pid"]), signal.SIGKILL)
    eventually(lambda: not cluster.status()["running"])


def recovered(cluster: Cluster, before: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """Return the pods once all of them are ready again and reach one another."""

    def whole() -> dict[str, tuple[int, str]] | None:
        found = pods(cluster)
        return found if len(found) == len(before) and serves(cluster) else None

    return dict(eventually(whole))


def test_a_killed_control_plane_takes_up_what_happened_without_it(cluster: Cluster) -> None:
    before, started = pods(cluster), cluster.containers()
    web = webs(cluster)[0]
    kill_control_plane(cluster)
    lost = container(cluster, web, "app")
    docker("kill", lost)
    cluster.run("cluster", "start")
    eventually(lambda: pods(cluster).get(web, (0, ""))[0] == before[web][0] + 1)
    assert recovered(cluster, before) == {**before, web: (before[web][0] + 1, before[web][1])}
    now = cluster.containers()
    assert {one: now.get(one) for one in started if one != lost} == {
        one: when for one, when in started.items() if one != lost
    }, "whatever ran on was left alone"


@pytest.mark.parametrize("how", ["kill", "rm"])
def test_a_pause_that_is_gone_takes_the_pod_along_and_it_comes_back(cluster: Cluster, how: str) -> None:
    before = pods(cluster)
    # Each time a pod that has not been restarted yet: the second time it would have to wait.
    pod = "db-0" if how == "kill" else webs(cluster)[1]
    pause = container(cluster, pod, "POD")
    docker("kill", pause) if how == "kill" else docker("rm", "-f", pause)
    eventually(lambda: pods(cluster).get(pod, (0, ""))[0] == before[pod][0] + 1)
    recovered(cluster, before)
    assert container(cluster, pod, "POD") not in ("", pause)
    told = cluster.json("events", f"--field-selector=involvedObject.name={pod}")["items"]
    # A kubelet, too, says so only if there is something left of the sandbox.
    assert ("SandboxChanged" in {event["reason"] for event in told}) == (how == "kill")


def test_a_pod_that_is_taken_off_its_network_comes_back_at_once(cluster: Cluster) -> None:
    before = pods(cluster)
    pod = webs(cluster)[0]
    pause = container(cluster, pod, "POD")
    docker("network", "disconnect", f"minikctl-{cluster.name}", pause)
    eventually(lambda: container(cluster, pod, "POD") not in ("", pause), 30)
    recovered(cluster, before)


def test_what_is_paused_or_stopped_by_hand_is_told_and_not_ready(cluster: Cluster) -> None:
    def said(part: str) -> str:
        return str(cluster.status()["systemPods"][part])

    def found(name: str) -> str:
        words = f"label=minikctl.dev/cluster={cluster.name}", f"name={name}"
        return docker("ps", "-q", *(part for word in words for part in ("--filter", word)))

    server, relay = found("_named_"), found("api-relay.*_haproxy_")
    docker("kill", "-s", "STOP", relay)
    docker("pause", server)
    try:
        eventually(lambda: "Container named is paused in the engine" in said("dns"))
        # A stopped process still has its connections accepted: only its own answer tells.
        eventually(lambda: "Readiness probe failed" in said("api-relay"), 40)
    finally:
        docker("unpause", server)
        docker("kill", "-s", "CONT", relay)
    eventually(lambda: said("dns") == said("api-relay") == "ready", 40)
    eventually(lambda: serves(cluster))


def test_a_container_that_is_removed_behind_our_back_is_made_anew(cluster: Cluster) -> None:
    before = pods(cluster)
    docker("rm", "-f", lost := container(cluster, "db-0", "app"))
    eventually(lambda: container(cluster, "db-0", "app") not in ("", lost))
    after = recovered(cluster, before)
    assert after["db-0"][1] == before["db-0"][1], "the sandbox stayed"


def test_an_image_that_is_deleted_is_missed_at_the_next_start_only(cluster: Cluster) -> None:
    image = f"minikctl-test-{cluster.name}:1"
    docker("tag", "minikctl-infra:latest", image)
    command = "['sh', '-c', 'exec sleep 10000']"
    cluster.run(
        "apply",
        "-f",
        "-",
        stdin="apiVersion: v1\nkind: Pod\nmetadata: {name: imaged}\nspec:\n  terminationGracePeriodSeconds: 0\n"
        f"  containers: [{{name: app, image: '{image}', imagePullPolicy: Never, command: {command}}}]\n",
    )
    cluster.run("wait", "--for=condition=Ready", "pod/imaged", "--timeout=60s")
    docker("rmi", "-f", image)
    assert pods(cluster)["imaged"][0] == 0
    docker("kill", container(cluster, "imaged", "app"))

    def reason() -> str:
        state = cluster.json("pod", "imaged")["status"]["containerStatuses"][0]["state"]
        return str(state.get("waiting", {}).get("reason", ""))

    eventually(lambda: reason() == "ErrImageNeverPull")
    docker("tag", "minikctl-infra:latest", image)
    eventually(lambda: "imaged" in pods(cluster))
    cluster.run("delete", "pod", "imaged")
    docker("rmi", image)


@pytest.mark.parametrize("how", ["stopped", "gone"])
def test_a_machine_that_was_rebooted(cluster: Cluster, how: str) -> None:
    before = pods(cluster)
    uids = {pod["metadata"]["uid"] for pod in cluster.json("pods")["items"]}
    kill_control_plane(cluster)
    if how == "stopped":
        # One may have ended by itself meanwhile, which is told of and harms none of the others.
        running = docker("ps", "-q", "--filter", f"label=minikctl.dev/cluster={cluster.name}").split()
        subprocess.run(["docker", "kill", *running], capture_output=True, check=False)
    else:
        for each in everything(cluster):  # one by one: of many at a time the engine may lose count
            docker("rm", "-f", each)
        docker("network", "rm", f"minikctl-{cluster.name}")
    cluster.run("cluster", "start")
    after = recovered(cluster, before)
    assert {pod["metadata"]["uid"] for pod in cluster.json("pods")["items"]} == uids
    if how == "stopped":
        assert all(after[name][0] == before[name][0] + 1 for name in before)
    assert cluster.out("exec", "db-0", "--", "cat", "/data/log").count("start") > 1, (
        "claims keep their content"
    )
