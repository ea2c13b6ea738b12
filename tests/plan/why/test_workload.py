"""The walk of a workload names what keeps its pods from running, or from being made."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan.why import links, trouble, workload
from minikctl.plan.why.links import View
from tests.plan.proxy import cases
from tests.plan.why.test_why import crashing, pod, verdict

LABELS = {"app": "web"}
WEB = cases.service("web", selector=LABELS)


def deployment(replicas: int = 1, *conditions: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": "web", "uid": "uid-web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}},
            **spec,
        },
        "status": {"conditions": [*conditions]},
    }


def condition(kind: str, status: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "message": message}


def said(event: str) -> dict[str, Any]:
    return {"involvedObject": {"uid": "uid-web"}, "reason": "FailedCreate", "message": event}


def words(walked: list[links.Link]) -> list[str]:
    return [link.words for link in walked]


def test_a_workload_that_runs_has_no_broken_link() -> None:
    walked = workload.walk(deployment(), "Deployment", View(services=[WEB], pods=[pod()]))
    assert verdict(walked) == ("", "")
    assert words(walked) == [
        "it wants 1 pod",
        "there is 1 pod",
        "all run and are ready",
        "its pods are behind web: `minikctl why svc/web` walks on",
    ]


BROKEN = [
    (deployment(0), "Deployment", [], ("wanted", "it wants no pods: spec.replicas is 0")),
    (
        {**deployment(), "status": {"desiredNumberScheduled": 0}},
        "DaemonSet",
        [],
        ("wanted", "it wants no pods: no node is one for its pods"),
    ),
    (
        deployment(2, condition("ReplicaFailure", "True", "exceeded quota")),
        "Deployment",
        [pod()],
        ("made", "only 1 of 2 pods could be made: exceeded quota"),
    ),
    (deployment(2), "StatefulSet", [], ("made", "only 0 of 2 pods could be made: forbidden by a webhook")),
    (
        deployment(2),
        "Deployment",
        [pod("web-2"), pod("web-1", ready=False, **crashing(exitCode=3))],
        (
            "readiness",
            "pod web-1 has a container that does not run, c: CrashLoopBackOff (it ended with exit code 3)",
        ),
    ),
    (
        deployment(suspend=True),
        "Job",
        [],
        ("wanted", "it is suspended: no pods are made until spec.suspend is false"),
    ),
    (deployment(), "Job", [], ("made", "it has no pod: forbidden by a webhook")),
    (
        deployment(1, condition("Failed", "True", "too many tries")),
        "Job",
        [pod(status={"phase": "Failed"})],
        ("pods", "it has failed: too many tries"),
    ),
    (
        deployment(),
        "Job",
        [pod(ready=False, state={"waiting": {"reason": "Hopeless"}})],
        ("readiness", "pod web-1 has a container that does not run, c: Hopeless"),
    ),
]


@pytest.mark.parametrize(("found", "kind", "pods", "expected"), BROKEN, ids=[case[3][1] for case in BROKEN])
def test_what_ails_a_workload_is_told(found: Any, kind: str, pods: Any, expected: tuple[str, str]) -> None:
    view = View(pods=pods, events=[said("forbidden by a webhook")])
    assert verdict(workload.walk(found, kind, view)) == expected


def test_jobs_at_work_and_done_are_well() -> None:
    done = deployment(1, condition("Complete", "True", ""))
    assert words(workload.walk(done, "Job", View())) == ["it is complete"]
    working = workload.walk(
        deployment(), "Job", View(pods=[pod(), pod("web-2", status={"phase": "Succeeded"})])
    )
    assert words(working) == ["2 pods at work"]


def test_what_holds_a_rollout_back_is_noted() -> None:
    late = condition("Progressing", "False", "it has timed out progressing")
    gone = pod("old", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    broken = [pod(name, ready=False) for name in ("a", "b")]
    walked = workload.walk(deployment(1, late, paused=True), "Deployment", View(pods=[gone, *broken]))
    assert [link.words for link in walked if link.state is links.State.NOTE] == [
        "it is paused: changes of its template do nothing until `rollout resume`",
        "2 have trouble: a, b",
        "it has timed out progressing",
        "no Service selects its pods by their labels",
    ]


def test_members_are_found_by_either_form_of_a_selector() -> None:
    controller = deployment() | {"spec": {"selector": LABELS}}
    elsewhere = pod("other", metadata={"namespace": "other"})
    unlike = pod("unlike", metadata={"labels": {}})
    assert workload.members(controller, [pod(), elsewhere, unlike]) == [pod()]


def test_the_container_whose_last_words_count_is_found() -> None:
    assert trouble.crashed(pod()) == ("", False)
    assert trouble.crashed(pod(**crashing(exitCode=3, reason="Error"))) == ("c", True)
    assert trouble.crashed(pod(state={"terminated": {"exitCode": 3}})) == ("c", False)
    assert trouble.crashed(pod(**crashing(exitCode=128, reason="StartError"))) == ("", False)
