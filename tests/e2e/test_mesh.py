"""A service mesh of a user's own: proxies beside the apps or on the node, with what Kubernetes has for it."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.e2e.test_network import NAMESPACE, World, container, meta, self_signed, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CONFIG = """
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  retries 3
  option redispatch 1
frontend out
  bind :3128
  use_backend %[req.hdr(host),host_only]
backend shop
  server a shop-a:80 weight 75 ssl crt /mesh/proxy.pem ca-file /mesh/ca.crt verify required verifyhost mesh.test
  server b shop-b:80 weight 25 ssl crt /mesh/proxy.pem ca-file /mesh/ca.crt verify required verifyhost mesh.test
frontend in
  bind :8443 ssl crt /mesh/proxy.pem ca-file /mesh/ca.crt verify required
  http-response set-header X-Peer %[ssl_c_s_dn(cn)]
  default_backend app
backend app
  server app 127.0.0.1:8080
frontend metrics
  bind :9101
  http-request use-service prometheus-exporter if { path /metrics }
"""
PROXY = {
    "name": "proxy",
    "image": "minikctl-infra:latest",
    "imagePullPolicy": "IfNotPresent",
    "command": ["haproxy", "-db", "-f", "/mesh/haproxy.cfg"],
    "startupProbe": {"tcpSocket": {"port": 9101}, "periodSeconds": 1},
    "volumeMounts": [{"name": "mesh", "mountPath": "/mesh"}],
}
SOURCES = [{"configMap": {"name": "mesh"}}, {"secret": {"name": "mesh"}}]
VOLUMES = [{"name": "mesh", "projected": {"sources": SOURCES}}]


def pod(name: str, *, proxied_by: str = "", **app: Any) -> dict[str, Any]:
    """Return a pod of an app; with ``proxied_by`` its requests go there, without it there is a sidecar."""
    env = [{"name": "http_proxy", "value": f"http://{proxied_by or '127.0.0.1'}:3128"}]
    spec: dict[str, Any] = {"terminationGracePeriodSeconds": 0}
    spec["containers"] = [container(**{"env": env, **app})]
    if not proxied_by:
        spec |= {"initContainers": [{**PROXY, "restartPolicy": "Always"}], "volumes": VOLUMES}
    metadata = {**meta(name), "labels": {"app": name, "part": name.partition("-")[0]}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def node_proxy() -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "node-proxy"}},
        "spec": {"containers": [PROXY], "volumes": VOLUMES},
    }
    spec = {"selector": {"matchLabels": {"app": "node-proxy"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta("node-proxy"), "spec": spec}


def identity(folder: Path) -> dict[str, Any]:
    """Return the Secret by which the mesh's proxies know each other."""
    self_signed(folder, "mesh-ca")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-CA", f"{folder}/mesh-ca.crt", "-CAkey", f"{folder}/mesh-ca.key", "-subj", "/CN=mesh.test"]
    words += ["-addext", "subjectAltName=DNS:mesh.test", "-addext", "basicConstraints=critical,CA:FALSE"]
    words += ["-keyout", f"{folder}/own.key", "-out", f"{folder}/own.crt"]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    given = {"proxy.pem": ("own.crt", "own.key"), "ca.crt": ("mesh-ca.crt",)}
    data = {name: "".join((folder / one).read_text() for one in parts) for name, parts in given.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta("mesh"), "stringData": data}


def closed() -> dict[str, Any]:
    """Return the policy that leaves the shop's own port to its proxy."""
    ports = [{"port": 8443}, {"port": 9101}]
    spec = {"podSelector": {"matchLabels": {"part": "shop"}}, "ingress": [{"ports": ports}]}
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("closed")}
    return {**head, "spec": spec}


@pytest.fixture(scope="module")
def mesh(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(cluster)
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta("mesh"),
        "data": {"haproxy.cfg": CONFIG},
    }
    inner = [{"port": 80, "targetPort": 8443}]
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        config,
        identity(tmp_path_factory.mktemp("mesh")),
        closed(),
        *(service(name, name, ports=inner) for name in ("shop-a", "shop-b")),
        service("node-proxy", "node-proxy", ports=[{"port": 3128}], internalTrafficPolicy="Local"),
        node_proxy(),
        *(pod(name, env=[{"name": "MESSAGE", "value": f"this is {name}"}]) for name in ("shop-a", "shop-b")),
        pod("client"),
        pod("visitor", proxied_by="node-proxy"),
    )
    for name in ("shop-a", "shop-b", "client", "visitor", "node-proxy"):
        if name == "node-proxy":
            cluster.rolled_out("ds/node-proxy", NAMESPACE)
        cluster.ready(f"app={name}", NAMESPACE, 90)
    # Apps are Ready once they run, and Services lead there a moment later.
    for client in ("client", "visitor"):
        eventually(lambda: serve(made, client))  # noqa: B023
    return made


def serve(mesh: World, pod: str) -> bool:
    """Tell whether both shops answer the pod, and nobody else does."""
    said = [answer(mesh, pod) for _ in range(8)]
    return all(sum(f"this is {shop}" in one for one in said) for shop in ("shop-a", "shop-b")) and all(
        "this is shop-" in one for one in said
    )


def answer(mesh: World, pod: str) -> str:
    """Return what the pod's app is answered by the shop."""
    return mesh.exec("curl", "-sS", "-m", "10", "-i", "http://shop/", pod=pod, code=None).stdout


def ask(mesh: World, pod: str) -> tuple[str, str]:
    """Return which shop answered the pod's app, and as whom that knows the proxy that asked."""
    said = answer(mesh, pod)
    (peer,) = [line.split()[1] for line in said.splitlines() if line.lower().startswith("x-peer:")]
    (shop,) = [name for name in ("shop-a", "shop-b") if f"this is {name}" in said]
    return shop, peer


@pytest.mark.parametrize("pod", ["client", "visitor"])
def test_apps_are_part_of_a_mesh_by_a_variable_and_their_requests_are_shared_out(
    mesh: World, pod: str
) -> None:
    found = Counter(ask(mesh, pod) for _ in range(40))
    assert set(found) == {("shop-a", "mesh.test"), ("shop-b", "mesh.test")}
    assert found["shop-a", "mesh.test"] > found["shop-b", "mesh.test"]


def test_who_is_not_of_the_mesh_is_kept_out(mesh: World) -> None:
    inside = str(mesh.field("pod", "shop-a")["status"]["podIP"])
    direct = ("curl", "-sSk", "-m", "3", "--noproxy", "*")
    assert mesh.exec(*direct, f"http://{inside}:8080/", code=None).returncode == 28
    refused = mesh.exec(*direct, "https://shop-a:80/", code=None)
    assert refused.returncode not in (0, 28)
    assert "certificate required" in refused.stderr


def test_requests_are_counted_on_each_way(mesh: World) -> None:
    ask(mesh, "client")

    def counted() -> bool:
        address = mesh.field("pod", "client")["status"]["podIP"]
        text = mesh.exec("curl", "-sS", "--noproxy", "*", f"http://{address}:9101/metrics").stdout
        wanted = 'haproxy_backend_http_responses_total{proxy="shop",code="2xx"} '
        return any(line.startswith(wanted) and float(line.split()[-1]) > 0 for line in text.splitlines())

    eventually(counted)
