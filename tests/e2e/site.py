"""A cluster with pods that say what they were asked, and a way to ask them through its Ingress."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.e2e import echo
from tests.e2e.conftest import Cluster, eventually
from tests.e2e.test_network import NAMESPACE, World, idle, meta, self_signed, service

NGINX = "nginx.ingress.kubernetes.io/"
BACKENDS = "abcd"


def path(text: str, target: str, type: str = "Prefix", port: Any = 80) -> dict[str, Any]:
    number = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": text, "pathType": type, "backend": {"service": {"name": target, "port": number}}}


def rule(host: str, *paths: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"http": {"paths": list(paths)}}
    return {"host": host, **found} if host else found


def ingress(
    name: str, *rules: Any, annotations: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    metadata = {**meta(name), "annotations": {NGINX + key: text for key, text in (annotations or {}).items()}}
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata}
    return {**head, "spec": {**({"rules": list(rules)} if rules else {}), **spec}}


def annotated(name: str, annotations: Mapping[str, str], *paths: Any, **spec: Any) -> dict[str, Any]:
    return ingress(name, rule(f"{name}.test", *(paths or [path("/", "a")])), annotations=annotations, **spec)


class Site(World):
    """A cluster with four echoing pods, each behind its Service, and a way to ask the Ingress."""

    address = ""

    def ask(self, host: str, path: str = "/", *words: str, scheme: str = "http") -> tuple[int, Any, str]:
        """Return status, what the pod says it was asked (or the text), and the headers."""
        port = 443 if scheme == "https" else 80
        resolve = f"{host}:{port}:{self.address}"
        argv = ["curl", "-sSk", "-m", "10", "-i", "--resolve", resolve, "--path-as-is", *words]
        done = subprocess.run(
            [*argv, f"{scheme}://{host}{path}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        pieces = done.stdout.replace("\r\n", "\n").split("\n\n")
        while len(pieces) > 2 and pieces[0].startswith(("HTTP/1.1 100", "HTTP/2 100")):
            pieces.pop(0)
        head, body = pieces[0], "\n\n".join(pieces[1:])
        status = int(head.split()[1])
        try:
            return status, json.loads(body), head
        except ValueError:
            return status, body, head

    def to(self, host: str, path: str = "/", *words: str) -> str:
        """Return the pod that answered, else the status."""
        status, said, _ = self.ask(host, path, *words)
        return str(said["pod"]) if isinstance(said, dict) else str(status)

    def settled(self, name: str) -> None:
        """Return once the routes of an Ingress are served; endpoints of new Services may come later."""
        self.address = self.balancer("ingress", name)


@contextlib.contextmanager
def opened(cluster: Cluster, *ingresses: Any) -> Iterator[Site]:
    """Yield the site once it serves these Ingresses."""
    made = Site(cluster)
    ports = [
        {"name": "http", "port": 80, "targetPort": 8080},
        {"name": "grpc", "port": 81, "targetPort": 8081, "appProtocol": "kubernetes.io/h2c"},
        {"name": "plain", "port": 82, "targetPort": 8081},
        {"name": "safe", "port": 83, "targetPort": 8444},
    ]
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *(idle(name) for name in BACKENDS),
        *(service(name, name, ports=ports) for name in BACKENDS),
        *ingresses,
        ingress("each", *(rule(f"{name}.each.test", path("/", name)) for name in BACKENDS)),
    )
    for name in BACKENDS:
        cluster.ready(f"app={name}", NAMESPACE, 90)
    servers = _echoing(made)
    try:
        made.settled(ingresses[-1]["metadata"]["name"])
        for name in BACKENDS:
            eventually(lambda: made.to(f"{name}.each.test") == name)  # noqa: B023
        yield made
    finally:
        for server in servers:
            with server:
                server.kill()


def _echoing(site: Site) -> list[subprocess.Popen[str]]:
    """Start a server in each pod; they have read their certificate, which nobody knows, when this returns."""
    with tempfile.TemporaryDirectory() as folder:
        self_signed(Path(folder), "echo.test")
        files = [f"{folder}/echo.test.{kind}" for kind in ("crt", "key")]
        servers = [site.inside(echo.SCRIPT, name, *files, pod=name) for name in BACKENDS]
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
    return servers
