"""What is said of changes to objects that could not be made so: they were made before a rule, or step by step."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minikctl.model import admission, kinds
from minikctl.model.validation import apiservice

Object = dict[str, Any]


def pod(*debuggers: Object) -> Object:
    spec: Object = {"containers": [{"name": "a", "image": "i"}], "ephemeralContainers": list(debuggers)}
    made: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}}
    return {**made, "spec": spec}


@pytest.mark.parametrize(
    ("debuggers", "said"),
    [
        ([{"name": "d", "image": "i"}, {"name": "e", "image": "k"}], []),
        ([], ['Forbidden: existing ephemeral containers "d" may not be removed\n']),
        (
            [{"name": "d", "image": "j"}],
            ['Forbidden: existing ephemeral containers "d" may not be changed\n'],
        ),
    ],
)
def test_debuggers_stay_as_they_are(debuggers: list[Object], said: list[str]) -> None:
    found = kinds.POD.parts["ephemeralcontainers"](pod(*debuggers), pod({"name": "d", "image": "i"}))
    assert [cause["message"] for cause in found] == said


def cron_job(schedule: str) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}}
    meta = {"name": "a", "namespace": "default"}
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": template}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}


def test_a_zone_within_a_schedule_may_stay_alone() -> None:
    old = cron_job("0 0 * * *")
    assert admission.prepare(kinds.CRON_JOB, old, None) == []
    old["spec"]["schedule"] = "TZ=UTC * * * * *"
    same = json.loads(json.dumps(old))
    assert admission.prepare(kinds.CRON_JOB, same, old) == []
    other = json.loads(json.dumps(old))
    other["spec"]["schedule"] = "TZ=UTC 1 * * * *"
    assert admission.prepare(kinds.CRON_JOB, other, old) == []
    (cause,) = admission.prepare(kinds.CRON_JOB, other, cron_job("0 0 * * *"))
    assert cause["message"].endswith("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    other["spec"]["timeZone"] = "Etc/UTC"
    (cause,) = admission.prepare(kinds.CRON_JOB, other, old)
    assert cause["message"].endswith("cannot use both timeZone field and TZ or CRON_TZ in schedule")


def test_an_api_that_is_served_here_is_available_at_once() -> None:
    made = "2026-01-01T00:00:00Z"
    new: Object = {"metadata": {"creationTimestamp": made}, "spec": {"group": "a.io"}}
    apiservice.prepare(new, None)
    (condition,) = new["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")
    assert condition["lastTransitionTime"] == made
    served_elsewhere: Object = {"metadata": {}, "spec": {"service": {"name": "s", "namespace": "d"}}}
    apiservice.prepare(served_elsewhere, None)
    assert "status" not in served_elsewhere
