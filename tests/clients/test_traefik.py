"""Traefik as an Ingress controller: client-go's informers with a ServiceAccount's token and no more than its roles."""

from __future__ import annotations

import base64
import http.client
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import programs
from tests.clients.conftest import Cluster, eventually
from tests.clients.traefik import RIGHTS
from tests.fakes.ports import free_port

pytestmark = [
    pytest.mark.skipif(not programs.RUNS_HERE, reason="Traefik is fetched for Linux on x86-64"),
    pytest.mark.timeout(120),
]

SITE = """
apiVersion: v1
kind: Service
metadata: {name: hello}
spec: {type: ExternalName, externalName: localhost, ports: [{port: %(port)d}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: hello}
spec:
  ingressClassName: %(class)s
  rules:
  - host: hello.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: hello, port: {number: %(port)d}}}}]}
"""


class Hello(http.server.BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


@pytest.fixture
def backend() -> Iterator[int]:
    """Yield the port of a server on loopback, which is where a simulated cluster's traffic can go."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int) -> tuple[int, bytes]:
    """Return status and body of hello.example at a port, (0, b"") if nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": "hello.example"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def words(cluster: Cluster, folder: Path, token: str, port: int) -> list[str]:
    """Return the arguments of a Traefik that follows the cluster's Ingresses from outside."""
    with cluster.client() as client:
        server = client.configuration.host
        (folder / "ca.crt").write_bytes(Path(client.configuration.ssl_ca_cert).read_bytes())
    provider = {
        "endpoint": server,
        "token": token,
        "certauthfilepath": folder / "ca.crt",
        "ingressclass": "traefik",
        "ingressendpoint.ip": "127.0.0.1",
        "allowexternalnameservices": "true",
    }
    return [
        f"--entrypoints.web.address=127.0.0.1:{port}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=INFO",
        *(f"--providers.kubernetesingress.{name}={value}" for name, value in provider.items()),
    ]


def test_an_ingress_of_its_class(cluster: Cluster, namespace: str, tmp_path: Path, backend: int) -> None:
    programs.ensure("traefik")

    def kubectl(*line: str, stdin: str = "") -> str:
        return cluster.kubectl("-n", namespace, *line, stdin=stdin)

    site = SITE % {"port": backend, "class": "traefik"}
    address = ("get", "ingress", "hello", "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}")
    kubectl("apply", "-f", "-", stdin=RIGHTS % {"namespace": namespace})
    kubectl("apply", "-f", "-", stdin=site)
    token = kubectl("create", "token", "traefik").strip()
    assert base64.urlsafe_b64decode(token.split(".")[1] + "==")
    port, log = free_port(), tmp_path / "log"
    with cluster.background(programs.TRAEFIK, *words(cluster, tmp_path, token, port), log=log):
        eventually(lambda: ask(port) == (200, b"hello"))
        eventually(lambda: kubectl(*address) == "127.0.0.1")
        kubectl(
            "patch",
            "ingress",
            "hello",
            "--type=json",
            "-p",
            '[{"op":"replace","path":"/spec/rules/0/host","value":"x.example"}]',
        )
        eventually(lambda: ask(port)[0] == 404)
        kubectl("apply", "-f", "-", stdin=site)
        eventually(lambda: ask(port)[0] == 200)
        kubectl("delete", "ingress", "hello")
        eventually(lambda: ask(port)[0] == 404)
        kubectl("apply", "-f", "-", stdin=SITE % {"port": backend, "class": "another"})
        assert ask(port)[0] == 404
    assert "forbidden" not in log.read_text()
