from __future__ import annotations

from datetime import UTC, datetime, timedelta

from minikctl.model import objects
from minikctl.model.actions.api import Delete
from minikctl.plan import pod_garbage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _metadata(name: str, age: int) -> dict[str, str]:
    stamp = objects.timestamp(NOW - timedelta(seconds=age))
    return {"name": name, "namespace": "default", "uid": name, "creationTimestamp": stamp}


def test_the_oldest_of_too_many_finished_pods_go() -> None:
    count = pod_garbage.MAX_FINISHED + 2
    pods = [
        {"metadata": _metadata(f"p{age:05}", age), "status": {"phase": "Succeeded"}} for age in range(count)
    ]
    plan = pod_garbage.desired(pod_garbage.View(tuple(pods)), NOW)
    deleted = [each.name for each in plan.actions if isinstance(each, Delete)]
    assert deleted == [f"p{count - 1:05}", f"p{count - 2:05}"]
