"""The start of one container: its back-off, its image, its configuration, then the start itself."""

from __future__ import annotations

from typing import Literal

from minikctl.model.actions.node import EnsureImage, RemoveContainer, RunContainer
from minikctl.plan.pod import ahead, backoff, build, events, images
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.state import ContainerState, PodState, failed_to_start
from minikctl.plan.pod.view import Failure, ImageState

Stage = Literal["early", "making", "ready"]
"""How far the pod is: no container may be made yet, its sandbox is being started, containers may run."""


def start(state: PodState, draft: Draft, container: ContainerState, stage: Stage) -> None:
    """Add the next step to the container's start, as far as the pod's ``stage`` allows."""
    if _crash_loop(state, draft, container):
        return
    image = _image(state, draft, container)
    if image is None or stage == "early":
        return
    try:
        action = build.run(state, container, image)
    except ConfigError as problem:
        draft.wait(container.name, problem.reason, problem.message)
        _report(state, draft, container, "Failed", f"Error: {problem.message}")
        return
    failure = draft.failure(action.key)
    if failure is not None:
        draft.wait(container.name, failure.reason, failure.message)
    if stage == "ready":
        _run(draft, action)
    elif container.name not in draft.view.made and ahead.possible(container.spec, container.role, action):
        draft.add(ahead.make(action, state.sandbox_id))


def _run(draft: Draft, action: RunContainer) -> None:
    """Add the start, of what was made ahead if it fits; what does not is taken away first."""
    if ahead.key(action.container) in draft.view.busy:
        return
    found = ahead.used(draft.view, action)
    draft.add(found or RemoveContainer(draft.view.made[action.container].id))


def tell_of_failure(draft: Draft, container: ContainerState) -> None:
    """Have a container whose last start failed say so, until there is something newer to say."""
    ended = container.ended
    if ended is not None and failed_to_start(ended):
        draft.wait(container.name, "RunContainerError", ended.error)


def _path(container: ContainerState) -> str:
    return events.container_path(container.name, container.role)


def _report(
    state: PodState, draft: Draft, container: ContainerState, reason: str, message: str, again: str = ""
) -> None:
    event = events.warning(state.pod, reason, message, _path(container))
    draft.report(f"{reason}/{container.name}/{message}/{again}", event)


def _crash_loop(state: PodState, draft: Draft, container: ContainerState) -> bool:
    """Tell whether the container has to wait after its last end."""
    ended = container.ended
    began = state.view.node.began
    left = backoff.crash_wait(ended, began, draft.now) if ended is not None else 0.0
    if ended is None or left <= 0 or (failed_to_start(ended) and not state.here(ended)):
        return False  # a sandbox that ended meanwhile is not the container's fault
    shown = backoff.START_ERROR_SECONDS - (draft.now - (ended.created_at or draft.now)).total_seconds()
    if failed_to_start(ended) and shown > 0:
        draft.wake(min(shown, left))
        return True
    view = state.view
    pod = events.pod_text(view.name, view.namespace, view.uid)
    length = _duration(backoff.crash_delay(ended, began))
    message = f"back-off {length} restarting failed container={container.name} pod={pod}"
    draft.wait(container.name, "CrashLoopBackOff", message)
    text = f"Back-off restarting failed container {container.name} in pod {pod}"
    _report(state, draft, container, "BackOff", text, ended.id)
    draft.wake(left)
    return True


def _duration(seconds: int) -> str:
    """Return seconds as Go prints a duration."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _image(state: PodState, draft: Draft, container: ContainerState) -> ImageState | None:
    """Return the image if it is at hand for this start; else add what gets it."""
    name = str(container.spec.get("image") or "")
    if not images.valid(name):
        message = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": '
        message += "invalid reference format"
        draft.wait(container.name, "InvalidImageName", message)
        _report(state, draft, container, "InspectFailed", message)
        _report(state, draft, container, "Failed", "Error: InvalidImageName")
        return None
    found = draft.view.images.get(container.name)
    if found is not None and found.reference == name:
        return found
    action = EnsureImage(
        container=container.name,
        image=name,
        policy=images.policy(container.spec),
        auths=images.credentials(state.view, name),
        field_path=_path(container),
    )
    failure = draft.failure(action.key)
    if failure is not None:
        _show_pull_failure(state, draft, container, failure)
    draft.add(action)
    return None


def _show_pull_failure(state: PodState, draft: Draft, container: ContainerState, failure: Failure) -> None:
    shown = (draft.now - failure.since).total_seconds()
    if failure.reason != "ErrImagePull" or shown < backoff.PULL_ERROR_SECONDS:
        draft.wait(container.name, failure.reason, failure.message)
        if failure.reason == "ErrImagePull":
            draft.wake(backoff.PULL_ERROR_SECONDS - shown)
        return
    text = f'Back-off pulling image "{container.spec.get("image")}"'
    draft.wait(container.name, "ImagePullBackOff", f"{text}: ErrImagePull: {failure.message}")
    event = events.normal(state.pod, "BackOff", text, _path(container))
    draft.report(f"BackOff/{container.name}/pull/{failure.count}", event)
    _report(state, draft, container, "Failed", "Error: ImagePullBackOff", str(failure.count))
