"""HorizontalPodAutoscalers in v1 and v2: what v1 has no field for is kept in annotations."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikctl.model import autoscaling
from minikctl.model.objects import Object

MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
}
PODS = {
    "type": "Pods",
    "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}},
}


def cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def v2(status: dict[str, Any] | None = None, meta: dict[str, Any] | None = None, **spec: Any) -> Object:
    found = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", **(meta or {})},
        "spec": {"maxReplicas": 3, **spec},
    }
    return found if status is None else {**found, "status": status}


METRICS = st.lists(st.sampled_from([MEMORY, PODS]), max_size=2, unique_by=str)


@given(
    METRICS,
    st.none() | st.integers(1, 200).map(cpu),
    st.none() | st.just({"scaleDown": {"selectPolicy": "Disabled"}}),
    st.none() | st.just([{"type": "AbleToScale", "status": "True"}]),
    st.booleans(),
)
def test_there_and_back_nothing_is_lost(
    metrics: list[dict[str, Any]], first: Any, behavior: Any, conditions: Any, labelled: bool
) -> None:
    spec: dict[str, Any] = {}
    if first or metrics:
        spec["metrics"] = [*([first] if first else []), *metrics]
    if behavior:
        spec["behavior"] = behavior
    status: dict[str, Any] = {"currentReplicas": 1, "desiredReplicas": 2}
    if conditions:
        status["conditions"] = conditions
    if first:
        status["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}
        ]
    given_object = v2(status, {"annotations": {"a": "b"}} if labelled else None, **spec)
    before = copy.deepcopy(given_object)
    shown = autoscaling.to_v1(given_object)
    assert given_object == before
    assert shown["apiVersion"] == "autoscaling/v1"
    assert "metrics" not in shown["spec"]
    assert autoscaling.to_v2(shown) == given_object


def test_v1_has_a_field_for_the_cpu_target() -> None:
    shown = autoscaling.to_v1(v2(metrics=[MEMORY, cpu(70)]))
    assert shown["spec"] == {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}
    assert list(shown["metadata"]["annotations"]) == ["autoscaling.alpha.kubernetes.io/metrics"]


@pytest.mark.parametrize("text", ["{", '{"not": "a list"}'])
def test_annotations_that_cannot_be_read_are_dropped(text: str) -> None:
    given_object = v2(meta={"annotations": {"autoscaling.alpha.kubernetes.io/metrics": text}})
    given_object["apiVersion"] = "autoscaling/v1"
    found = autoscaling.to_v2(given_object)
    assert "metrics" not in found["spec"]
    assert "annotations" not in found["metadata"]


def test_defaults() -> None:
    found = v2(behavior={"scaleDown": {"stabilizationWindowSeconds": 5}})
    autoscaling.default(found)
    assert found["spec"]["minReplicas"] == 1
    assert found["spec"]["metrics"] == [cpu(80)]
    assert found["spec"]["behavior"] == {
        "scaleUp": {
            "selectPolicy": "Max",
            "stabilizationWindowSeconds": 0,
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "selectPolicy": "Max",
            "stabilizationWindowSeconds": 5,
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    }


def test_what_is_said_stays() -> None:
    found = v2(minReplicas=2, metrics=[MEMORY])
    autoscaling.default(found)
    assert found["spec"] == {"maxReplicas": 3, "minReplicas": 2, "metrics": [MEMORY]}
