from __future__ import annotations

from datetime import UTC, datetime

from minikctl import errors
from minikctl.apiserver import http_metrics
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.node.meter import Sample, Samples
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client

BASE = "/apis/metrics.k8s.io/v1beta1"
PODS = "/api/v1/namespaces/default/pods"
MERGE = {"content-type": "application/merge-patch+json"}


class Fixed:
    """Measures what the test says."""

    def __init__(self) -> None:
        self.found: Samples = {}

    async def measure(self) -> Samples:
        """Return it."""
        return self.found


class Broken:
    """Measures nothing, because no engine answers."""

    async def measure(self) -> Samples:
        """Fail."""
        raise errors.EngineUnavailable("no Docker engine answers")


def asking(registry: Registry, meter: http_metrics.Meter | None) -> Client:
    """Return a client of an API with that meter."""
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN), meter=meter))


async def test_what_pods_and_nodes_use_is_told(registry: Registry) -> None:
    meter = Fixed()
    client = asking(registry, meter)
    for name in ("one", "idle"):
        await client("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    uids = {}
    for name in ("web", "starts"):
        made = await client("POST", PODS, samples.pod(name, nodeName="one"))
        uids[name] = made.json()["metadata"]["uid"]
        await client("PATCH", f"{PODS}/{name}/status", {"status": {"phase": "Running"}}, MERGE)
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    meter.found = {uids["web"]: {"app": Sample(0.25, 3 << 20, at, 15.0)}}

    (pod,) = (await client("GET", f"{BASE}/namespaces/default/pods")).json()["items"]
    assert pod["metadata"]["name"] == "web"
    assert pod["containers"] == [{"name": "app", "usage": {"cpu": "250000000n", "memory": "3072Ki"}}]
    assert (pod["timestamp"], pod["window"]) == ("2026-01-01T12:00:00Z", "15.000s")
    assert (await client("GET", f"{BASE}/pods?labelSelector=app%3Dother")).json()["items"] == []

    nodes = (await client("GET", f"{BASE}/nodes")).json()["items"]
    used = {each["metadata"]["name"]: each["usage"] for each in nodes}
    assert used == {"idle": {"cpu": "0n", "memory": "0Ki"}, "one": {"cpu": "250000000n", "memory": "3072Ki"}}
    assert (await client("GET", f"{BASE}/namespaces/default/pods/web")).json()["kind"] == "PodMetrics"
    missing = await client("GET", f"{BASE}/namespaces/default/pods/starts")
    assert (missing.status, missing.json()["message"]) == (
        404,
        'pods.metrics.k8s.io "default/starts" not found',
    )
    assert (await client("POST", f"{BASE}/nodes", {})).status == 405


async def test_it_is_discovered(registry: Registry) -> None:
    listed = (await asking(registry, None)("GET", BASE)).json()["resources"]
    assert [(each["name"], each["kind"], each["verbs"]) for each in listed] == [
        ("nodes", "NodeMetrics", ["get", "list"]),
        ("pods", "PodMetrics", ["get", "list"]),
    ]


async def test_without_an_engine_it_says_so(registry: Registry) -> None:
    answer = await asking(registry, Broken())("GET", f"{BASE}/nodes")
    assert (answer.status, answer.json()["message"]) == (503, "no Docker engine answers")
    assert (await asking(registry, None)("GET", f"{BASE}/nodes")).status == 503
    late = http_metrics.LateMeter()
    assert (await asking(registry, late)("GET", f"{BASE}/nodes")).status == 503
    late.target = Fixed()
    assert (await asking(registry, late)("GET", f"{BASE}/nodes")).status == 200
