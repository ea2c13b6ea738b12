"""A node in which every action succeeds at once: what plans lead to, step by step."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any, assert_never

from minikctl.model import objects
from minikctl.model.actions import node as actions
from minikctl.model.actions.api import Plan
from minikctl.model.containers import Container, ContainerSpec
from minikctl.plan import pod as planner
from minikctl.plan.pod import names
from minikctl.plan.pod.view import ImageState, MadeAhead, PodView, ProbeState

ROUNDS = 60


class World:
    """Applies plans to a view; init containers end by themselves after each round."""

    def __init__(self, view: PodView, now: datetime) -> None:
        self.view = view
        self.now = now
        self._serial = 0

    def change(self, **fields: Any) -> None:
        self.view = dataclasses.replace(self.view, **fields)

    def step(self, only: int | None = None) -> Plan:
        """Plan and apply, only the first actions if that is given; return the plan."""
        plan = planner.desired(self.view, self.now)
        for action in plan.actions[:only]:
            self.apply(action)
        if only is None and plan.status is not None and self.view.pod is not None:
            self.change(pod={**self.view.pod, "status": plan.status})
        self.now += timedelta(seconds=1)
        self._end_init_containers()
        self.change(containers=tuple(c for c in self.view.containers if c.status != "removing"))
        return plan

    def settle(self, only: int | None = None) -> list[Plan]:
        """Step until a plan has no actions and waits for nothing but probes and people."""
        plans: list[Plan] = []
        for _ in range(ROUNDS):
            before = self.view
            plan = self.step(only)
            plans.append(plan)
            if not plan.actions and self.view == before:
                if plan.wake_in is None or plan.wake_in > 400:
                    return plans
                self.now += timedelta(seconds=plan.wake_in)
        raise AssertionError(f"no end in sight: {[summary(a) for a in plans[-1].actions]}")

    def forget(self, container_id: str) -> None:
        self.change(
            containers=tuple(c for c in self.view.containers if c.id != container_id),
            made={name: made for name, made in self.view.made.items() if made.id != container_id},
        )

    def _put(self, container: Container) -> None:
        others = tuple(each for each in self.view.containers if each.id != container.id)
        self.change(containers=(*others, container))

    def _end_init_containers(self) -> None:
        spec = objects.spec(self.view.pod or {})
        sidecars = {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
        for container in self.view.containers:
            role, name = container.labels[names.ROLE], container.labels[names.CONTAINER]
            if role == names.INIT_ROLE and name not in sidecars and container.status == "running":
                self._put(dataclasses.replace(container, status="exited", finished_at=self.now))

    def _created(self, spec: ContainerSpec) -> Container:
        self._serial += 1
        pause = spec.labels[names.ROLE] == names.PAUSE_ROLE
        return Container(
            id=f"new-{self._serial}-{spec.labels[names.CONTAINER]}",
            name=spec.name,
            labels=spec.labels,
            image=spec.image,
            image_id="sha256:1",
            status="running",
            pid=4000 + self._serial,
            started_at=self.now,
            created_at=self.now,
            ip="10.201.0.9" if pause and spec.network != "host" else "",
        )

    def apply(self, action: actions.NodeAction) -> None:
        view = self.view
        match action:
            case actions.EnsureImage():
                state = ImageState(action.image, "sha256:1", "1000")
                self.change(images={**view.images, action.container: state})
            case actions.CreateSandbox():
                self._put(self._created(action.spec))
            case actions.AttachNetwork():
                self.change(attached=view.attached | {action.container_id})
            case actions.WriteVolume():
                self.change(volumes={**view.volumes, action.volume.name: action.volume}, has_directory=True)
                due = {action.volume.name: self.now + timedelta(hours=1)}
                self.change(renewals={**view.renewals, **due} if _has_token(action.volume) else view.renewals)
            case actions.MakeContainer():
                made = dataclasses.replace(self._created(action.spec), status="created", pid=0)
                self._put(made)
                kept_made = MadeAhead(made.id, action.sandbox, action.spec)
                self.change(made={**view.made, action.container: kept_made})
            case actions.RunContainer():
                others = {c.name for c in view.containers if c.id != action.made}
                assert action.spec.name not in others, action.spec.name
                self.forget(action.made)
                self._put(self._created(action.spec))
                kept = {name: image for name, image in view.images.items() if name != action.container}
                self.change(images=kept)
            case actions.ResizeContainer():
                self.change(resized={**view.resized, action.container_id: action.resources})
            case actions.StopContainer():
                found = next(c for c in view.containers if c.id == action.container_id)
                self._put(dataclasses.replace(found, status="exited", exit_code=143, finished_at=self.now))
            case actions.AbandonHook():
                self.change(hooks=view.hooks - {action.container})
            case actions.RunPreStop():
                assert action.container_id not in view.stopping
                self.change(stopping=view.stopping | {action.container_id})
            case actions.RemoveContainer():
                self.forget(action.container_id)
            case actions.RemovePodDir():
                self.change(has_directory=False, volumes={})
            case actions.StartProbe():
                key = (action.container_id, action.probe.kind)
                self.change(probes={**view.probes, key: ProbeState(True)})
            case actions.StopProbe():
                gone = (action.container_id, action.kind)
                self.change(probes={key: state for key, state in view.probes.items() if key != gone})
            case actions.Report():
                assert action.token not in view.reported
                self.change(reported=view.reported | {action.token})
            case actions.FinishDeletion():
                assert not view.containers
                self.change(pod=None)
            case _:
                assert_never(action)

    def outcome(self) -> tuple[Any, ...]:
        """Return what counts in the end: which containers run and ended, and the phase."""
        found = sorted(
            (c.labels[names.CONTAINER], c.status) for c in self.view.containers if c.status == "running"
        )
        pod = self.view.pod
        return found, None if pod is None else objects.status(pod).get("phase"), self.view.has_directory


def _has_token(volume: actions.Volume) -> bool:
    return isinstance(volume, actions.FilesVolume) and bool(volume.tokens)


def summary(action: actions.NodeAction) -> str:
    """Return an action as cases name it."""
    kind = type(action).__name__
    match action:
        case actions.StopContainer():
            return f"{kind} {action.container} {action.grace_seconds}/{action.asked}"
        case actions.RunPreStop():
            return f"{kind} {action.container} {action.grace_seconds}/{action.asked}"
        case actions.Report():
            return f"{action.event.type} {action.event.reason}: {action.event.message}"
        case actions.CreateSandbox():
            return f"{kind} {action.spec.labels[names.ATTEMPT]}"
        case actions.RunContainer():
            return f"{kind} {action.container} {action.spec.labels[names.ATTEMPT]}"
        case actions.RemovePodDir() | actions.FinishDeletion():
            return kind
        case actions.StartProbe():
            return f"{kind} {action.container_id} {action.probe.kind}"
        case actions.StopProbe():
            return f"{kind} {action.container_id} {action.kind}"
        case _:
            return f"{kind} {action.key[1]}"
