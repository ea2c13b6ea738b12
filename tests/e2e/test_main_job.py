"""The main job, as a user does it: apply the tour's manifests and reach the apps in every way there is."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.e2e.conftest import PROGRAM, ROOT, Cluster, curl, docker, eventually, spare_node_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NODE_PORT = str(spare_node_port())


@pytest.fixture(scope="module")
def tour(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Apply manifests/ with a NodePort of the tests' own, so that a demo may run beside them."""
    folder = tmp_path_factory.mktemp("manifests")
    for source in sorted((ROOT / "manifests").glob("*.yaml")):
        text = source.read_text().replace("nodePort: 30001", f"nodePort: {NODE_PORT}")
        (folder / source.name).write_text(text)
    said = cluster.out("apply", "-f", str(folder))
    assert "namespace/tour created" in said
    assert "deployment.apps/whale-a created" in said
    assert "ingress.extensions/whale-ingress created" in said
    for name in ("whale-a", "whale-b"):
        cluster.run("wait", "--for=condition=Available", f"deploy/{name}", "-n", "tour", "--timeout=90s")
    cluster.run("wait", "--for=condition=Ready", "pod/client", "-n", "tour", "--timeout=60s")
    return folder


def ingress_address(cluster: Cluster) -> str:
    found = eventually(
        lambda: (
            cluster.json("ingress", "whale-ingress", "-n", "tour")
            .get("status", {})
            .get("loadBalancer", {})
            .get("ingress")
        )
    )
    return str(found[0]["ip"])


def test_a_second_apply_changes_nothing(cluster: Cluster, tour: pathlib.Path) -> None:
    lines = cluster.out("apply", "-f", str(tour)).splitlines()
    assert lines
    assert [line for line in lines if not line.endswith(" unchanged")] == []


def test_the_two_hosts_of_the_ingress_are_two_services(cluster: Cluster, tour: pathlib.Path) -> None:
    address = ingress_address(cluster)
    answers = {
        host: curl(f"http://{host}.whale.hey/", "--resolve", f"{host}.whale.hey:80:{address}")
        for host in ("a", "b")
    }
    assert "whale A" in answers["a"]
    assert "whale B" in answers["b"]


def test_get_ingress_shows_what_kubectl_shows(cluster: Cluster, tour: pathlib.Path) -> None:
    address = ingress_address(cluster)
    header, row = cluster.out("get", "ingress", "whale-ingress", "-n", "tour").splitlines()
    assert header.split() == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert row.split()[:5] == ["whale-ingress", "minikctl", "a.whale.hey,b.whale.hey", address, "80"]


def test_path_types_and_a_wildcard_host(cluster: Cluster, tour: pathlib.Path) -> None:
    address = ingress_address(cluster)

    def status(host: str, path: str) -> str:
        words = [
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--resolve",
            f"{host}:80:{address}",
            f"http://{host}{path}",
        ]
        return subprocess.run(
            ["curl", "-s", "-m", "5", *words], capture_output=True, text=True, check=False
        ).stdout

    for target in ("/a", "/only-b"):  # of two Services
        eventually(lambda: status("x.pod.hey", target) == "200")  # noqa: B023
    assert status("x.pod.hey", "/a/deeper") == "200"
    assert status("x.pod.hey", "/ab") == "404"
    assert status("x.pod.hey", "/only-b") == "200"
    assert status("x.pod.hey", "/only-b/") == "404"
    assert status("x.y.pod.hey", "/a") == "404"
    assert status("pod.hey", "/a") == "404"


def test_node_port_and_load_balancer(cluster: Cluster, tour: pathlib.Path) -> None:
    assert "whale A" in curl(f"http://127.0.0.1:{NODE_PORT}/")
    found = eventually(
        lambda: (
            cluster.json("service", "whale-lb", "-n", "tour")["status"].get("loadBalancer", {}).get("ingress")
        )
    )
    assert "whale B" in curl(f"http://{found[0]['ip']}:8080/")


def test_a_pod_reaches_services_by_name(cluster: Cluster, tour: pathlib.Path) -> None:
    asking = ("exec", "-n", "tour", "client", "--", "wget", "-qO-", "http://whale-svc-a/")
    eventually(
        lambda: "whale A" in cluster.run(*asking, code=None).stdout
    )  # it is Available, its slice follows
    for name in ("whale-svc-a", "whale-svc-a.tour", "whale-svc-a.tour.svc.cluster.local"):
        said = cluster.out("exec", "-n", "tour", "client", "--", "wget", "-qO-", f"http://{name}/")
        assert "whale A" in said


def test_the_receiver_sees_the_pods_own_address(cluster: Cluster, tour: pathlib.Path) -> None:
    address = cluster.json("pod", "client", "-n", "tour")["status"]["podIP"]
    said = cluster.out("exec", "-n", "tour", "client", "--", "wget", "-qO-", "http://whale-svc-a/")
    assert address in said


def test_unknown_service_addresses_and_names_fail_at_once(cluster: Cluster, tour: pathlib.Path) -> None:
    begun = time.monotonic()
    done = cluster.run(
        "exec", "-n", "tour", "client", "--", "nc", "-w", "60", "10.96.255.254", "80", code=None
    )
    assert done.returncode != 0
    done = cluster.run(
        "exec", "-n", "tour", "client", "--", "nslookup", "nobody.tour.svc.cluster.local", code=None
    )
    assert done.returncode != 0
    assert "NXDOMAIN" in done.stdout + done.stderr
    assert time.monotonic() - begun < 40


def test_config_maps_and_secrets_reach_the_container(cluster: Cluster, tour: pathlib.Path) -> None:
    pod = cluster.json("pods", "-n", "tour", "-l", "app=whale-a")["items"][0]["metadata"]["name"]
    said = cluster.out(
        "exec",
        "-n",
        "tour",
        pod,
        "--",
        "sh",
        "-c",
        "echo $GREETING $TOKEN; cat /etc/whale/song.txt /work/log",
    )
    assert "hello from the deep krill" in said
    assert "a whale is singing" in said
    assert f"diving in {pod}" in said


def test_the_apps_outlive_the_control_plane(cluster: Cluster, tour: pathlib.Path) -> None:
    address = ingress_address(cluster)
    before = cluster.containers()

    def reach() -> None:
        assert "whale A" in curl("http://a.whale.hey/", "--resolve", f"a.whale.hey:80:{address}")
        assert "whale A" in curl(f"http://127.0.0.1:{NODE_PORT}/")
        client = docker(
            "ps", "-q", "-f", f"label=minikctl.dev/cluster={cluster.name}", "-f", "name=_client_shell_"
        )
        assert "whale B" in docker(
            "exec", client, "wget", "-qO-", "http://whale-svc-b.tour.svc.cluster.local/"
        )

    cluster.run("cluster", "stop")
    assert cluster.status()["running"] is False
    reach()
    cluster.run("cluster", "start")
    os.kill(cluster.status()["pid"], signal.SIGKILL)
    eventually(lambda: cluster.status()["running"] is False)
    reach()
    cluster.out("get", "pods", "-A")  # starts it again by itself
    cluster.run("wait", "--for=condition=Available", "deploy/whale-a", "-n", "tour", "--timeout=30s")
    time.sleep(3)
    reach()
    assert cluster.containers() == before


def test_a_second_control_plane_on_the_same_state_is_refused(cluster: Cluster, tour: pathlib.Path) -> None:
    python = str(pathlib.Path(PROGRAM).parent / "python")
    done = subprocess.run(
        [python, "-m", "minikctl.daemon", "--cluster", cluster.name],
        capture_output=True, text=True, env=cluster.environment, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert str(cluster.status()["pid"]) in done.stdout + done.stderr


def apply_and_kill(cluster: Cluster, text: str) -> str:
    """Return what an apply printed whose control plane was killed in its midst."""
    pid = cluster.status()["pid"]
    with subprocess.Popen(
        [PROGRAM, "apply", "-f", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=cluster.environment,
    ) as applying:  # fmt: skip
        assert applying.stdin is not None
        assert applying.stdout is not None
        applying.stdin.write(text)
        applying.stdin.close()
        said = [applying.stdout.readline() for _ in range(20)]
        os.kill(pid, signal.SIGKILL)
        return "".join([*said, *applying.stdout])


def test_nothing_acknowledged_is_lost_when_the_control_plane_is_killed(
    cluster: Cluster, tour: pathlib.Path
) -> None:
    many = "\n---\n".join(
        f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "c{number}", "namespace": "tour"}}}}'
        for number in range(300)
    )
    for _ in range(2):
        said = apply_and_kill(cluster, many)
        acknowledged = {
            line.split()[0] for line in said.splitlines() if line.endswith((" created", " unchanged"))
        }
        found = set(cluster.out("get", "configmaps", "-n", "tour", "-o", "name").split())
        assert acknowledged <= found
    cluster.run("apply", "-f", "-", stdin=many)


def test_a_killed_pause_brings_a_whole_new_sandbox(cluster: Cluster, tour: pathlib.Path) -> None:
    pauses = cluster.containers("label=minikctl.dev/role=pause", "label=minikctl.dev/pod-name=client")
    docker("kill", *pauses)

    def answers() -> bool:
        done = cluster.run(
            "exec", "-n", "tour", "client", "--", "wget", "-qO-", "http://whale-svc-a/", code=None
        )
        return "whale A" in done.stdout

    eventually(answers, 60, 1)
    fresh = cluster.containers("label=minikctl.dev/role=pause", "label=minikctl.dev/pod-name=client")
    assert set(fresh).isdisjoint(pauses)


def test_a_rolling_update_loses_no_request(cluster: Cluster, tour: pathlib.Path) -> None:
    address = ingress_address(cluster)
    url, host = "http://a.whale.hey/", f"a.whale.hey:80:{address}"
    curl(url, "--resolve", host)
    patch = '{"spec":{"template":{"metadata":{"annotations":{"round":"2"}}}}}'
    cluster.run("patch", "deployment", "whale-a", "-n", "tour", "-p", patch)
    deadline = time.monotonic() + 60
    asked = failed = 0
    rolling = subprocess.Popen(
        [PROGRAM, "rollout", "status", "deploy/whale-a", "-n", "tour"],
        stdout=subprocess.DEVNULL, env=cluster.environment,
    )  # fmt: skip
    while rolling.poll() is None and time.monotonic() < deadline:
        done = subprocess.run(
            ["curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--resolve", host, url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        asked += 1
        failed += done.stdout != "200"
    assert rolling.wait(timeout=30) == 0
    assert asked > 10
    assert failed == 0


def test_deleting_the_namespace_takes_everything_away(cluster: Cluster, tour: pathlib.Path) -> None:
    cluster.run("delete", "namespace", "tour", "--timeout=60s")
    told = cluster.run("get", "pods", "-n", "tour").stderr.splitlines()
    assert told[0] == "No resources found in tour namespace."
    assert told[1:] == ["hint: there is no namespace tour; `minikctl ns` lists those that are there"]
    eventually(lambda: not cluster.containers("label=minikctl.dev/pod-namespace=tour"))
    done = subprocess.run(
        ["curl", "-s", "-m", "3", f"http://127.0.0.1:{NODE_PORT}/"], capture_output=True, check=False
    )
    assert done.returncode != 0
