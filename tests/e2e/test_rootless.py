"""On a rootless engine, whose network this machine does not reach, apps have all that they have elsewhere."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from minikctl.drivers import images
from minikctl.drivers.docker import DockerEngine
from tests.e2e import rootless_engine
from tests.e2e.conftest import Cluster, curl, eventually, spare_node_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(rootless_engine.impossible()), reason=rootless_engine.impossible()),
]
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        startupProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
        livenessProbe: {exec: {command: ["true"]}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports:
  - {name: high, port: %(high)d, targetPort: 8080, nodePort: %(node)d}
  - {name: low, port: 80, targetPort: 8080}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: low}}}}]}
"""
SHUT = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a running cluster of the engine's own user."""
    with rootless_engine.running() as engine:
        home = f"{engine.address.removeprefix('unix://').removesuffix('/docker.sock')}/home"
        os.mkdir(home)
        os.chown(home, rootless_engine.USER, rootless_engine.USER)
        made = Cluster(home, f"t{uuid.uuid4().hex[:6]}", engine.before, engine.address)
        made.environment["HOME"] = home
        with asyncio.Runner() as runner:
            runner.run(_with_image(engine.address))
        try:
            told = made.out("cluster", "start", "--egress=false")
            assert "Ingress answers at 127." in told
            yield made
        finally:
            made.run("cluster", "delete", code=None)


async def _with_image(address: str) -> None:
    docker = DockerEngine("test", address)
    try:
        await images.ensure_demo(docker)
    finally:
        await docker.close()


def test_apps_are_probed_named_published_isolated_and_looked_into(cluster: Cluster) -> None:
    node, high = spare_node_port(), spare_node_port()
    cluster.out("apply", "-f", "-", stdin=MANIFEST % {"node": node, "high": high})
    cluster.ready("app in (web,client)")

    def asked(*words: str) -> str:
        found = cluster.run("exec", "client", "--", "curl", "-s", "-m", "3", *words, code=None)
        return found.stdout if found.returncode == 0 else ""

    assert "web-" in eventually(lambda: asked("http://web.default.svc.cluster.local/"))
    (address,) = cluster.json("service", "web")["status"]["loadBalancer"]["ingress"]
    assert "web-" in curl(f"http://127.0.0.1:{node}/")
    assert "web-" in curl(f"http://{address['ip']}:{high}/")
    (told,) = [each for each in cluster.json("events")["items"] if each["reason"] == "NotPublished"]
    assert "may not publish ports below" in told["message"]
    (place,) = eventually(lambda: cluster.json("ingress", "web")["status"]["loadBalancer"].get("ingress"))
    port = place["ports"][0]["port"]
    assert "web-" in curl(f"http://web.localhost:{port}/", "--resolve", f"web.localhost:{port}:{place['ip']}")
    assert f" {port} " in cluster.out("get", "ingress", "web")
    assert "web-" in cluster.out("get", "--raw", "/api/v1/namespaces/default/services/web:high/proxy/")
    assert cluster.run("why", "ingress/web").returncode == 0
    found = cluster.out("why", "svc/web", "--from", "client")
    assert not [line for line in found.splitlines() if line.startswith("  ?")]
    cluster.out("apply", "-f", "-", stdin=SHUT)
    eventually(lambda: not asked("http://web.default.svc.cluster.local/"))
    assert cluster.json("deployment", "web")["status"]["readyReplicas"] == 1


def test_a_cluster_that_is_deleted_leaves_nothing_in_the_engine(cluster: Cluster) -> None:
    cluster.run("cluster", "delete")
    host = ("docker", "--host", cluster.environment["DOCKER_HOST"])
    for kind in (("ps", "-aq"), ("network", "ls", "-qf", "name=minikctl")):
        assert subprocess.check_output([*host, *kind], text=True) == ""
