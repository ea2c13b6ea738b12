"""Containers that are made while their sandbox starts: which are, what becomes of them, and when they go."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minikctl.model.actions import node as actions
from minikctl.model.containers import Container
from minikctl.plan import pod as planner
from minikctl.plan.pod import names
from minikctl.plan.pod.view import ImageState, MadeAhead, PodView
from tests.plan.pod import cases
from tests.plan.pod.world import summary

IMAGES = {"app": "demo:1"}
BUSY = frozenset({("sandbox",)})


def making(container: dict[str, Any] | None = None, **more: Any) -> PodView:
    """Return a pod whose sandbox is being started, and whose image is at hand."""
    spec = {"containers": [{"name": "app", **(container or {})}], **more}
    view = cases.view({"pod": {"spec": spec}, "images": IMAGES})
    return dataclasses.replace(view, making="POD-0", busy=BUSY)


def planned(view: PodView) -> list[str]:
    return [summary(action) for action in planner.desired(view, cases.NOW).actions]


def make(view: PodView) -> actions.MakeContainer:
    (action,) = planner.desired(view, cases.NOW).actions
    assert isinstance(action, actions.MakeContainer)
    return action


def created(**more: Any) -> Container:
    return cases.container({"name": "app", "status": "created", **more})


def after(view: PodView, *containers: Container, **more: Any) -> PodView:
    """Return the view once the container was made, and its sandbox runs on its network."""
    made = MadeAhead("app-0", "POD-0", make(view).spec)
    found = (cases.container({"name": "POD"}), *(containers or (created(),)))
    fresh: dict[str, Any] = {"making": "", "busy": frozenset(), "attached": frozenset({"POD-0"})}
    return dataclasses.replace(view, containers=found, **{**fresh, "made": {"app": made}, **more})


def test_a_container_is_made_while_its_sandbox_starts_and_started_after_it() -> None:
    view = making()
    action = make(view)
    assert (action.container, action.sandbox, action.spec.network) == ("app", "POD-0", "container:POD-0")
    assert action.spec.labels[names.SANDBOX] == "POD-0"
    (run,) = planner.desired(after(view), cases.NOW).actions
    assert isinstance(run, actions.RunContainer)
    assert (run.made, run.spec) == ("app-0", action.spec)


def test_it_is_made_once() -> None:
    view = making()
    assert planned(dataclasses.replace(view, busy=BUSY | {("make", "app")}, containers=(created(),))) == []
    made = {"app": MadeAhead("app-0", "POD-0", make(view).spec)}
    assert planned(dataclasses.replace(view, made=made, containers=(created(),))) == []


def test_its_start_waits_until_it_is_made() -> None:
    view = making()
    assert planned(after(view, busy=frozenset({("make", "app")}), made={})) == []


@pytest.mark.parametrize(
    "container",
    [
        {"env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
        {"env": [{"name": "IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}}]},
        {"volumeMounts": [{"name": "work", "mountPath": "/work", "subPath": "part"}]},
    ],
    ids=["address", "addresses", "sub-path"],
)
def test_what_depends_on_the_running_sandbox_is_not_made_ahead(container: dict[str, Any]) -> None:
    view = making(container, volumes=[{"name": "work", "hostPath": {"path": "/srv"}}])
    written = cases.view({"pod": {"spec": view.pod["spec"]}, "written": ["work"]}) if view.pod else view
    assert planned(dataclasses.replace(view, volumes=written.volumes)) == []


def test_it_waits_for_its_volumes() -> None:
    assert planned(making(volumes=[{"name": "work", "hostPath": {"path": "/srv"}}])) == ["WriteVolume work"]


def test_ephemeral_containers_are_not_made_ahead() -> None:
    view = making(ephemeralContainers=[{"name": "debug", "image": "demo:1"}])
    view = dataclasses.replace(view, images={"debug": ImageState("demo:1", "sha256:1")})
    assert planned(view) == ["EnsureImage app"]


def test_of_init_containers_the_first_is_made() -> None:
    inits = [{"name": name, "image": "demo:1"} for name in ("one", "two")]
    images = {name: ImageState("demo:1", "sha256:1") for name in ("one", "two", "app")}
    view = dataclasses.replace(making(initContainers=inits), images=images)
    assert make(view).container == "one"


def test_what_was_made_of_another_spec_is_taken_away_first() -> None:
    view = after(making())
    service = {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 1}]},
    }
    assert planned(dataclasses.replace(view, services=(service,))) == ["RemoveContainer app-0"]


def test_what_was_made_for_a_lost_sandbox_is_taken_away() -> None:
    view = after(making(), created(), attached=frozenset())
    lost = cases.container({"name": "POD", "status": "exited"})
    view = dataclasses.replace(view, containers=(lost, created()), reported=frozenset({"sandbox/POD-0"}))
    assert "RemoveContainer app-0" in planned(view)


def test_what_nobody_remembers_making_is_taken_away() -> None:
    assert planned(dataclasses.replace(after(making()), made={})) == ["RemoveContainer app-0"]


def test_what_failed_to_start_is_an_end_and_not_made_ahead() -> None:
    view = after(making(), created(error="no such program", started=0))
    plan = planner.desired(view, cases.NOW)
    assert plan.status is not None
    assert plan.status["containerStatuses"][0]["state"]["waiting"]["reason"] == "RunContainerError"


def test_a_deleted_pod_waits_for_what_is_being_made_and_takes_it_away() -> None:
    view = making()
    assert view.pod is not None
    metadata = {**view.pod["metadata"], "deletionTimestamp": cases.ago(0), "deletionGracePeriodSeconds": 1}
    view = dataclasses.replace(view, pod={**view.pod, "metadata": metadata})
    assert planned(dataclasses.replace(view, busy=frozenset({("make", "app")}))) == []
    found = dataclasses.replace(view, busy=frozenset(), making="", containers=(created(),))
    assert planned(found) == ["RemoveContainer app-0"]
