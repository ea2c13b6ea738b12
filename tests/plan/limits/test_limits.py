from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from minikctl.model import quantity
from minikctl.model.objects import Object
from minikctl.plan import limits

CASES = yaml.safe_load((Path(__file__).parent / "violations.yaml").read_text())


def pod(**lists: list[dict[str, Any]]) -> Object:
    spec = {
        field: [{"name": f"{field[0]}{number}", "resources": each} for number, each in enumerate(found)]
        for field, found in lists.items()
    }
    return {"metadata": {"name": "p"}, "spec": spec}


def limit_range(*items: dict[str, Any]) -> Object:
    return {"spec": {"limits": list(items)}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_bounds(case: dict[str, Any]) -> None:
    given_range = limit_range(*case["limits"])
    if "claim" in case:
        claim = {"spec": {"resources": {"requests": case["claim"]}}}
        assert limits.violations("PersistentVolumeClaim", claim, [given_range]) == case["want"]
    else:
        lists = {field: case[field] for field in ("containers", "initContainers") if field in case}
        assert limits.violations("Pod", pod(**lists), [given_range]) == case["want"]


def test_defaults_are_given_to_containers_that_say_nothing() -> None:
    one = limit_range(
        {"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}
    )
    found = pod(containers=[{}, {"limits": {"cpu": "2"}}], initContainers=[{"requests": {"cpu": "1"}}])
    limits.complete(found, [one])
    assert [each["resources"] for each in found["spec"]["containers"]] == [
        {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
        {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
    ]
    assert found["spec"]["initContainers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "1"},
    }
    assert found["metadata"]["annotations"][limits.ANNOTATION] == (
        "LimitRanger plugin set: cpu request for container c0; cpu, memory limit for container c0; "
        "cpu request for container c1; memory limit for container c1; cpu, memory limit for init container i0"
    )


def test_nothing_is_written_where_nothing_was_given() -> None:
    found = pod(containers=[{"limits": {"cpu": "2"}}])
    before = copy.deepcopy(found)
    limits.complete(found, [limit_range({"type": "Container", "default": {"cpu": "1"}}, {"type": "Pod"})])
    assert found == before


def test_the_largest_step_of_a_pod_is_what_it_needs() -> None:
    """Sidecars run beside what starts after them and beside the containers; others run alone (KEP-753)."""
    found = pod(
        containers=[{"requests": {"cpu": "1"}}],
        initContainers=[{"requests": {"cpu": "1"}}, {"requests": {"cpu": "4"}}],
    )
    found["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    assert limits.pod_total(found, "requests") == {"cpu": "5"}
    found["spec"]["overhead"] = {"cpu": "500m"}
    assert limits.pod_total(found, "requests") == {"cpu": "5500m"}
    found["spec"]["resources"] = {"requests": {"cpu": "7"}}
    assert limits.pod_total(found, "requests") == {"cpu": "7500m"}


def test_overhead_alone_is_no_request() -> None:
    found = pod(containers=[{}])
    found["spec"]["overhead"] = {"cpu": "500m"}
    assert limits.pod_total(found, "requests") == {}


AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.integers(1, 9).map(str))


@given(st.lists(AMOUNTS, max_size=4), st.lists(AMOUNTS, max_size=3))
def test_a_pod_needs_no_less_than_any_container(
    containers: list[dict[str, str]], first: list[dict[str, str]]
) -> None:
    found = pod(
        containers=[{"requests": each} for each in containers],
        initContainers=[{"requests": each} for each in first],
    )
    total = limits.pod_total(found, "requests")
    assert all(
        quantity.compare(total[name], amount) >= 0
        for each in (*containers, *first)
        for name, amount in each.items()
    )
