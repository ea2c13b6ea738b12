from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.actions.api import RecordEvent, Update
from minikctl.plan.pod import eviction
from tests.plan.pod import cases

MI = 1 << 20


def pod(**more: Any) -> dict[str, Any]:
    spec = {
        "containers": [
            {"name": "app", "resources": {"limits": {"ephemeral-storage": "4Mi"}}},
            {"name": "side", "resources": {"limits": {"ephemeral-storage": "2Mi", "cpu": 1}}},
        ],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}},
            {"name": "mem", "emptyDir": {"medium": "Memory"}},
            {"name": "free", "emptyDir": None},
            {"name": "conf", "configMap": {"name": "c"}},
        ],
    }
    metadata = {"namespace": "default", "name": "p", "uid": cases.UID}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {**spec, **more}, "status": {}}


@pytest.mark.parametrize(
    ("volumes", "containers", "message"),
    [
        ({"scratch": MI, "free": MI}, {"app": 3 * MI}, ""),
        ({"scratch": MI + 1}, {}, 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '),
        (
            {"scratch": MI, "free": 4 * MI},
            {"app": 2 * MI},
            "Pod ephemeral local storage usage exceeds the total limit of containers 6Mi. ",
        ),
        ({"mem": 90 * MI}, {}, ""),
        (
            {},
            {"app": MI, "side": 3 * MI},
            'Container side exceeded its local ephemeral storage limit "2Mi". ',
        ),
    ],
    ids=["within", "volume", "pod", "memory is no disk", "container"],
)
def test_what_is_too_much(volumes: dict[str, int], containers: dict[str, int], message: str) -> None:
    found = eviction.limits(pod())
    assert found is not None
    assert eviction.verdict(pod(), found, eviction.Usage(volumes, containers)) == message


def test_sidecars_count_too() -> None:
    limited = {"resources": {"limits": {"ephemeral-storage": "1Mi"}}}
    given = pod(
        initContainers=[
            {"name": "proxy", "restartPolicy": "Always", **limited},
            {"name": "once", **limited},
        ]
    )
    found = eviction.limits(given)
    assert found is not None
    assert set(found.containers) == {"app", "side", "proxy"}
    said = eviction.verdict(given, found, eviction.Usage({}, {"proxy": 2 * MI}))
    assert said == 'Container proxy exceeded its local ephemeral storage limit "1Mi". '


def test_without_limits_of_containers_only_volumes_count() -> None:
    limited = pod(containers=[{"name": "app"}])
    found = eviction.limits(limited)
    assert found is not None
    assert not found.measures_containers
    assert eviction.verdict(limited, found, eviction.Usage({"free": 1 << 40}, {})) == ""
    assert list(eviction.directories(limited, found, cases.node())) == ["scratch"]


def test_what_has_no_limit_or_is_over_is_not_measured() -> None:
    assert (
        eviction.limits(
            pod(containers=[{"name": "app"}], volumes=[{"name": "v", "emptyDir": {"sizeLimit": "0"}}])
        )
        is None
    )
    assert eviction.limits({**pod(), "status": {"phase": "Failed"}}) is None
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    assert eviction.limits(leaving) is None


def test_where_volumes_are() -> None:
    found = eviction.limits(pod())
    assert found is not None
    assert eviction.directories(pod(), found, cases.node(memory_dir="/dev/shm/x")) == {
        "scratch": f"/state/pods/{cases.UID}/volumes/scratch",
        "free": f"/state/pods/{cases.UID}/volumes/free",
    }
    limited = pod(volumes=[{"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": 1}}])
    found = eviction.limits(limited)
    assert found is not None
    assert eviction.directories(limited, found, cases.node(memory_dir="/dev/shm/x")) == {
        "mem": f"/dev/shm/x/{cases.UID}/mem"
    }


def test_an_evicted_pod_fails_with_the_reason_and_gets_hardly_any_time() -> None:
    update, event = eviction.evict(pod(), "too much. ", cases.NOW)
    assert isinstance(update, Update)
    assert isinstance(event, RecordEvent)
    status = update.object["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", "too much. ")
    assert [(c["type"], c["status"], c["reason"]) for c in status["conditions"]] == [
        ("DisruptionTarget", "True", "TerminationByKubelet")
    ]
    assert (event.type, event.reason, event.message) == ("Warning", "Evicted", "too much. ")
    assert eviction.grace(update.object, 30) == 1
    assert eviction.grace(pod(), 30) == 30
