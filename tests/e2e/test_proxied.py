"""The command line behind real proxies: streams of real containers go through them, both ways."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
import yaml

from tests.client import test_proxying as proxies
from tests.e2e.conftest import PROGRAM, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: minikctl-demo:latest
    imagePullPolicy: IfNotPresent
    ports: [{containerPort: 8080}]
    readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1, timeoutSeconds: 10}
  - name: reader
    image: minikctl-demo:latest
    imagePullPolicy: IfNotPresent
    stdin: true
    command: [sh, -c, "while read line; do echo got $line; done; sleep 1000"]
"""


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Cluster]:
    cluster.run("apply", "-f", "-", stdin=POD)
    cluster.run("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    yield cluster
    cluster.run("delete", "pod", "web", "--ignore-not-found", "--wait=false")


@pytest.fixture(params=["http", "https", "socks5"])
def behind(web: Cluster, tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Yield a command line's beginning: the server stands behind a proxy that asks for a password."""
    pki = pathlib.Path(web.home, "clusters", web.name, "pki")
    files = str(pki / "apiserver.crt"), str(pki / "apiserver.key")
    proxy: proxies.Proxy = {
        "http": lambda: proxies.Connecting(secret=True),
        "https": lambda: proxies.Encrypted(*files, secret=True),
        "socks5": lambda: proxies.Socks(secret=True),
    }[request.param]()
    proxy.start()
    config = yaml.safe_load(web.out("cluster", "kubeconfig"))
    config["clusters"][0]["cluster"]["proxy-url"] = f"{request.param}://me:secret%20word@{proxy.place}"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    yield [PROGRAM, "--kubeconfig", str(path)]
    assert proxy.asked, "nothing went through it"
    proxy.listener.close()


def _run(behind: list[str], *words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run([*behind, *words], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_streams_go_through_a_proxy(behind: list[str], tmp_path: pathlib.Path) -> None:
    much = os.urandom(3_000_000)
    assert _run(behind, "exec", "-i", "web", "-c", "app", "--", "cat", stdin=much) == much
    source, back = tmp_path / "much", tmp_path / "back"
    source.write_bytes(much)
    _run(behind, "cp", str(source), "web:/tmp/much", "-c", "app")
    _run(behind, "cp", "web:/tmp/much", str(back), "-c", "app")
    assert back.read_bytes() == much
    assert b"got" not in _run(behind, "logs", "web", "-c", "app")


def test_an_attached_process_is_spoken_to_through_a_proxy(behind: list[str]) -> None:
    words = [*behind, "attach", "-i", "web", "-c", "reader"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as attached:
        try:
            assert attached.stdin
            assert attached.stdout
            attached.stdin.write(b"hello\n")
            attached.stdin.flush()
            assert b"got hello" in attached.stdout.readline()
        finally:
            attached.kill()


def test_ports_are_forwarded_through_a_proxy(behind: list[str]) -> None:
    words = [*behind, "port-forward", "pod/web", ":8080"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            assert forwarding.stdout
            told = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
            assert told
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{told[1]}/", timeout=20) as answer:
                    assert answer.status == 200
        finally:
            forwarding.kill()
