"""What the users' own admission costs a write: nothing where it is about something else, a call where not."""

from __future__ import annotations

import http.server
import json
import pathlib
import ssl
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.api import Api, Space, access, config_map, timed
from benchmarks.harness import Cluster, Row
from tests.extensions.webhook import certificate

ROUNDS = 5
CALLS = 200
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"


class _Allowing(http.server.BaseHTTPRequestHandler):
    """Allows everything, on connections that last."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # an answer is one packet: a second one would wait for the first to be acknowledged

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {"uid": asked["request"]["uid"], "allowed": True}
        data = json.dumps({**asked, "request": None, "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _webhook() -> Iterator[dict[str, str]]:
    """Yield the clientConfig of a webhook on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        path, bundle = certificate(pathlib.Path(folder), "127.0.0.1")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Allowing)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield {"url": f"https://127.0.0.1:{server.server_address[1]}/", "caBundle": bundle}
        finally:
            server.shutdown()
            server.server_close()


def _rule(resource: str) -> dict[str, Any]:
    return {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": [resource]}


def _hook(config: dict[str, str], resource: str) -> tuple[str, dict[str, Any]]:
    webhook = {
        "name": "bench.example.com",
        "clientConfig": config,
        "rules": [_rule(resource)],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return "validatingwebhookconfigurations", {"metadata": {"name": "bench"}, "webhooks": [webhook]}


def _policy(resource: str) -> list[tuple[str, dict[str, Any]]]:
    meta = {"name": "bench"}
    spec = {
        "matchConstraints": {"resourceRules": [_rule(resource)]},
        "validations": [{"expression": "object.data.n.size() > 0"}],
    }
    bound = {"policyName": "bench", "validationActions": ["Deny"]}
    return [
        ("validatingadmissionpolicies", {"metadata": meta, "spec": spec}),
        ("validatingadmissionpolicybindings", {"metadata": meta, "spec": bound}),
    ]


def _round(api: Api, made: list[tuple[str, dict[str, Any]]], name: str) -> float:
    """Return the median of creations, in ms, while these objects are there."""
    for resource, obj in made:
        api("POST", f"{REGISTRATION}/{resource}", obj)
    try:
        with Space(api, name) as space:
            timed(20, lambda number: api("POST", space.base, config_map(f"w{number}")))
            times = timed(CALLS, lambda number: api("POST", space.base, config_map(f"c{number}")))
            return statistics.median(times)
    finally:
        for resource, obj in reversed(made):
            api("DELETE", f"{REGISTRATION}/{resource}/{obj['metadata']['name']}")


def measure(cluster: Cluster) -> list[Row]:
    """Return the medians of creations with admission of each sort, beside those without any."""
    api = Api(*access(cluster))
    with _webhook() as config:
        ways = {
            "none": [],
            "a webhook and a policy for Secrets": [_hook(config, "secrets"), *_policy("secrets")],
            "a ValidatingAdmissionPolicy": _policy("configmaps"),
            "a validating webhook": [_hook(config, "configmaps")],
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            for index, (name, made) in enumerate(ways.items()):
                found[name].append(_round(api, made, f"admission-{number}-{index}"))
    bare = statistics.median(found.pop("none"))
    return [
        Row(
            f"create p50 of a ConfigMap with {name}",
            f"{statistics.median(times):.2f} ms",
            f"{bare:.2f} ms",
            statistics.median(times) / bare,
            "1.0" if "Secrets" in name else "",
        )
        for name, times in found.items()
    ]
