"""PodMetrics and NodeMetrics from samples, as the metrics server tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from minikctl.model.objects import Object
from minikctl.node.meter import Sample
from minikctl.plan import usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sample(cpus: float, memory: int, ago: float = 0) -> Sample:
    return Sample(cpus, memory, NOW - timedelta(seconds=ago), 15.0)


def pod(phase: str = "Running", **meta: object) -> Object:
    spec = {
        "containers": [{"name": "a"}],
        "initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "once"}],
    }
    return {"metadata": {"name": "p", "namespace": "n", **meta}, "spec": spec, "status": {"phase": phase}}


def test_a_pod_tells_what_its_containers_and_sidecars_use() -> None:
    found = usage.of_pod(
        pod(labels={"app": "x"}),
        {"a": sample(0.25, 4096, ago=5), "side": sample(0, 1024), "once": sample(1, 1)},
    )
    assert found is not None
    assert found["containers"] == [
        {"name": "a", "usage": {"cpu": "250000000n", "memory": "4Ki"}},
        {"name": "side", "usage": {"cpu": "0n", "memory": "1Ki"}},
    ]
    assert found["metadata"]["labels"] == {"app": "x"}
    assert (found["timestamp"], found["window"]) == ("2026-01-01T12:00:00Z", "15.000s")


def test_a_sidecar_that_was_not_measured_is_left_out() -> None:
    found = usage.of_pod(pod(), {"a": sample(1, 0)})
    assert found is not None
    assert [each["name"] for each in found["containers"]] == ["a"]
    assert "labels" not in found["metadata"]


def test_nothing_is_told_before_all_was_measured_or_while_a_pod_does_not_run() -> None:
    assert usage.of_pod(pod(), {}) is None
    assert usage.of_pod(pod("Pending"), {"a": sample(1, 0)}) is None


def test_a_node_uses_what_its_pods_use() -> None:
    node = {"metadata": {"name": "one", "labels": {"zone": "z"}}}
    found = usage.of_node(
        node, [{"a": sample(0.5, 1024)}, {"b": sample(0.25, 1024), "c": sample(0.25, 0)}], NOW
    )
    assert found["usage"] == {"cpu": "1000000000n", "memory": "2Ki"}
    assert found["metadata"]["labels"] == {"zone": "z"}


def test_a_node_without_pods_is_idle() -> None:
    found = usage.of_node({"metadata": {"name": "one"}}, [], NOW)
    assert found["usage"] == {"cpu": "0n", "memory": "0Ki"}
    assert found["timestamp"] == "2026-01-01T12:00:00Z"
