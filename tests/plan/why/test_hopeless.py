"""Pods that cannot come to run any more, and those for which waiting may help."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan.why import hopeless


def pod(phase: str = "Pending", **status: Any) -> dict[str, Any]:
    """Return a pod in that state."""
    return {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": phase, **status}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """Return the status of a container that waits."""
    return {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}, **more}


ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(), ""),
        (pod("Running"), ""),
        (pod(containerStatuses=[waiting("ContainerCreating")]), ""),
        (
            pod(containerStatuses=[waiting("ImagePullBackOff", "no such image")]),
            "cannot start container c: ImagePullBackOff: no such image",
        ),
        (
            pod(initContainerStatuses=[waiting("InvalidImageName")]),
            "cannot start container c: InvalidImageName",
        ),
        (pod(containerStatuses=[waiting("CrashLoopBackOff", restartCount=1)]), ""),
        (pod(containerStatuses=[waiting("CrashLoopBackOff", restartCount=2)]), "crashes again and again"),
        (
            pod(containerStatuses=[waiting("CrashLoopBackOff", restartCount=5, lastState=ENDED)]),
            "crashes again and again: container c ended with exit code 3 (Error)",
        ),
        (pod("Failed", message="The node was low"), "has failed: The node was low"),
        (
            pod("Failed", containerStatuses=[{"name": "c", "state": ENDED}]),
            "has failed: container c ended with exit code 3 (Error)",
        ),
        (
            pod("Failed", containerStatuses=[{"name": "c", "state": {}}]),
            "has failed: its containers have ended",
        ),
        (pod("Succeeded"), "has ended"),
    ],
)
def test_the_reason_is_the_pods_own(found: dict[str, Any], why: str) -> None:
    assert hopeless.reason(found) == why


def test_an_end_may_be_what_is_wanted() -> None:
    assert hopeless.reason(pod("Succeeded"), wants_end=True) == ""


def test_a_pod_that_is_being_deleted_is_not_waited_for() -> None:
    found = pod("Failed")
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert hopeless.reason(found) == ""
