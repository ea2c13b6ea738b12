"""Streams on real containers: ports inside pods, files in and out, debugging, and what passes through the API."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pexpect
import pytest

from tests.e2e.conftest import KUBECTL, PROGRAM, Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080, name: http}]}
      - name: inner
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "sleep 1; mkdir /tmp/w; head -c 3000000 /dev/zero > /tmp/w/big; exec httpd -f -p 127.0.0.1:9999 -h /tmp/w"]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http, name: http}]}
"""


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Cluster]:
    cluster.run("apply", "-f", "-", stdin=MANIFEST)
    cluster.run("rollout", "status", "deployment/web", "--timeout=60s")
    listening = [
        "exec",
        "deployment/web",
        "-c",
        "inner",
        "--",
        "wget",
        "-qO",
        "/dev/null",
        "127.0.0.1:9999/big",
    ]
    eventually(lambda: cluster.run(*listening, code=None).returncode == 0)
    yield cluster
    cluster.run("delete", "-f", "-", stdin=MANIFEST, code=None)


def pod(cluster: Cluster) -> str:
    """Return the name of the pod that serves."""
    found = cluster.json("pods", "-l", "app=web")["items"]
    return str(
        next(each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp"))
    )


@contextlib.contextmanager
def forwarding(cluster: Cluster, argv: list[str], ports: int, **env: str) -> Iterator[list[int]]:
    """Run a port-forward during the block; yields the local ports."""
    process = subprocess.Popen(
        [*argv, "--address=127.0.0.1"],
        env={**cluster.environment, "HOME": cluster.home, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(ports)]
        yield [int(re.findall(r":(\d+) ->", line)[0]) for line in lines]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def size(port: int, path: str = "/") -> int:
    """Return how many bytes a local port answers, -1 if it does not."""
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer,
    ):
        return len(answer.read())
    return -1


@pytest.mark.parametrize("way", ["true", "false"])
def test_kubectl_forwards_to_ports_that_only_the_pod_itself_reaches(web: Cluster, way: str) -> None:
    web.kubectl("version")
    argv = [
        KUBECTL,
        f"--kubeconfig={web.home}/kubectl.config",
        "port-forward",
        "deployment/web",
        ":http",
        ":9999",
    ]
    with forwarding(web, argv, 2, KUBECTL_PORT_FORWARD_WEBSOCKETS=way) as (http, inner):
        eventually(lambda: size(inner, "/big") == 3_000_000)
        eventually(lambda: size(http) > 0)
        assert all(size(http) > 0 for _ in range(5))
        refused = web.kubectl("exec", pod(web), "-c", "app", "--", "nc", "127.0.0.1", "1", code=1)
        assert "onnection refused" in refused.stderr


def test_our_own_forwarding_survives_its_pod(web: Cluster) -> None:
    with forwarding(web, [PROGRAM, "port-forward", "deployment/web", ":8080", ":9999"], 2) as (port, inner):
        eventually(lambda: size(port) > 0)
        eventually(lambda: size(inner, "/big") == 3_000_000)
        web.run("delete", "pod", pod(web))
        assert size(port) > 0  # waits for the next pod
        assert size(inner, "/big") == 3_000_000  # and until it listens
    web.run("rollout", "status", "deployment/web", "--timeout=60s")


@pytest.mark.parametrize("program", ["minikctl", "kubectl"])
def test_files_go_in_and_out(web: Cluster, tmp_path: pathlib.Path, program: str) -> None:
    run = web.run if program == "minikctl" else web.kubectl
    source = tmp_path / "source"
    (source / "below" / "empty").mkdir(parents=True)
    (source / "below" / "big").write_bytes(os.urandom(5_000_000))
    (source / "script").write_text("#!/bin/sh\n")
    (source / "script").chmod(0o755)
    (source / "link").symlink_to("script")
    name = pod(web)
    run("cp", "-c", "app", str(source), f"{name}:/tmp/{program}")
    assert web.out("exec", name, "-c", "app", "--", "readlink", f"/tmp/{program}/link") == "script\n"
    run("cp", "-c", "app", f"default/{name}:/tmp/{program}", str(tmp_path / "back"))
    back = tmp_path / "back"
    assert (back / "below" / "big").read_bytes() == (source / "below" / "big").read_bytes()
    assert (back / "below" / "empty").is_dir()
    if program == "minikctl":  # kubectl keeps neither modes nor links on the way out
        assert (back / "script").stat().st_mode & 0o777 == 0o755
        assert (back / "link").readlink() == pathlib.Path("script")
        web.run("exec", name, "-c", "app", "--", "ln", "-s", "/etc/passwd", f"/tmp/{program}/out")
        said = web.run("cp", "-c", "app", f"{name}:/tmp/{program}", str(tmp_path / "again")).stderr
        assert "warning: skipping symlink" in said
        assert not (tmp_path / "again" / "out").is_symlink()


def test_the_api_leads_to_pods_and_services(web: Cluster) -> None:
    base = "/api/v1/namespaces/default"
    for path in (
        f"pods/{pod(web)}/proxy/",
        f"pods/http:{pod(web)}:8080/proxy/x",
        "services/web:http/proxy/",
        "services/web:80/proxy/",
    ):
        asked = ("get", "--raw", f"{base}/{path}")
        eventually(lambda: "says: hello" in web.kubectl(*asked, code=None).stdout)  # noqa: B023 - it may be new
    refused = web.kubectl("get", "--raw", f"{base}/pods/{pod(web)}:1/proxy/", code=1).stderr
    assert "connect: connection refused" in refused


def test_a_debugger_joins_a_running_pod(web: Cluster) -> None:
    name = pod(web)
    words = ["debug", "-it", name, "--image=minikctl-demo:latest", "--image-pull-policy=IfNotPresent"]
    web.kubectl("version")
    terminal = pexpect.spawn(
        KUBECTL,
        [f"--kubeconfig={web.home}/kubectl.config", *words, "--target=app", "-c", "look", "--", "sh"],
        env={**web.environment, "HOME": web.home},
        timeout=60,
        encoding="utf-8",
    )
    terminal.expect("try pressing enter")
    terminal.sendline("")
    terminal.expect("#")
    terminal.sendline("ps; wget -qO- http://127.0.0.1:9999/big | wc -c")
    terminal.expect("haproxy")  # the target's processes
    terminal.expect("3000000")  # the pod's network
    terminal.sendline("exit 3")
    terminal.expect(pexpect.EOF)
    terminal.close()

    def ended() -> bool:
        [status] = web.json("pod", name)["status"]["ephemeralContainerStatuses"]
        return bool((status["state"].get("terminated") or {}).get("exitCode") == 3)

    eventually(ended)
    assert web.json("pod", name)["status"]["phase"] == "Running"
    again = web.kubectl(
        "patch",
        "pod",
        name,
        "--subresource=ephemeralcontainers",
        "-p",
        '{"spec":{"ephemeralContainers":null}}',
        code=1,
    )
    assert 'existing ephemeral containers "look" may not be removed' in again.stderr


@pytest.mark.parametrize("program", ["minikctl", "kubectl"])
def test_a_pod_is_run_exposed_and_attached_to(web: Cluster, program: str) -> None:
    """Its output is ours, its exit code too, and with --rm neither pod nor Service stays."""
    name = f"seen-{program}"
    run = web.kubectl if program == "kubectl" else web.run
    words = ["run", name, "--image=minikctl-demo:latest", "--image-pull-policy=IfNotPresent", "--port=8080"]
    words += ["--expose", "--attach", "--restart=Never"]
    talk = ["--", "sh", "-c", "sleep 3; echo said it; exit 3"]
    done = run(*words, *talk, code=None)
    assert (done.returncode, "said it" in done.stdout.splitlines()) == (3, True), done.stderr
    service = web.json("service", name)
    assert service["spec"]["selector"] == {"run": name}
    assert [port["port"] for port in service["spec"]["ports"]] == [8080]
    web.run("delete", f"pod/{name}", f"service/{name}")
    done = run(*words, "--rm", *talk, code=None)
    assert done.returncode == 3, done.stderr
    for kind in ("pod", "service"):
        assert f'{kind} "{name}" deleted from default namespace' in done.stdout
        assert web.run("get", kind, name, code=None).returncode == 1


@pytest.mark.parametrize("program", ["minikctl", "kubectl"])
def test_a_pod_with_a_terminal_is_heard_by_who_has_none(web: Cluster, program: str) -> None:
    run = web.kubectl if program == "kubectl" else web.run
    words = ["run", f"tty-{program}", "--image=minikctl-demo:latest", "--image-pull-policy=IfNotPresent"]
    done = run(*words, "--restart=Never", "--rm", "-it", "--", "sh", "-c", "sleep 3; echo said it")
    assert "said it" in [line.strip() for line in done.stdout.splitlines()], done.stderr
    assert "Unable to use a TTY - input is not a terminal" in done.stderr
