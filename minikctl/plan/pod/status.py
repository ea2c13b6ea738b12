"""The status of a pod as kubelet reports it."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects, quality
from minikctl.model.containers import Container
from minikctl.plan.pod import admission, conditions, deadline, ending, pausing, resizing, security, state
from minikctl.plan.pod.draft import Draft, Waiting

START_ERROR = "StartError"
START_ERROR_CODE = 128
"""The exit code of a container that could not be started, as containerd tells it."""
LOST = "The container could not be located on its node. It used to be Running."
Status = dict[str, Any]


def of(pod: state.PodState, draft: Draft) -> Status:
    """Return the whole status; what it says of others' fields it takes from the stored one."""
    stored = objects.status(pod.pod)
    init = [_container(pod, draft, container) for container in pod.init]
    apps = [_container(pod, draft, container) for container in pod.apps]
    status: Status = {key: value for key, value in stored.items() if key not in ("reason", "message")}
    status |= {"phase": phase(pod, draft), "hostIP": pod.view.node.host_ip}
    status["hostIPs"] = [{"ip": pod.view.node.host_ip}]
    status.setdefault("startTime", objects.timestamp(draft.now))
    status.setdefault("qosClass", quality.qos_class(pod.pod))
    _addresses(pod, status)
    if init:
        status["initContainerStatuses"] = init
    status["containerStatuses"] = apps
    if pod.ephemeral:
        status["ephemeralContainerStatuses"] = [_container(pod, draft, each) for each in pod.ephemeral]
    _reason(pod, draft, status)
    _whole(pod, status)
    if objects.generation(pod.pod):
        status["observedGeneration"] = objects.generation(pod.pod)
    status["conditions"] = conditions.of(pod, status, draft.now)
    return status


def refused(pod: state.PodState, draft: Draft, why: admission.Refusal) -> Status:
    """Return the status of a pod that the node does not take: nothing of it was ever there."""
    stored = objects.status(pod.pod)
    told = {"phase": "Failed", "reason": why.reason, "message": f"Pod was rejected: {why.message}"}
    known = {"startTime": objects.timestamp(draft.now), "qosClass": quality.qos_class(pod.pod)}
    return {**known, **stored, **told}


def _addresses(pod: state.PodState, status: Status) -> None:
    if pod.ip:
        status |= {"podIP": pod.ip, "podIPs": [{"ip": pod.ip}]}
    elif not ending.outcome(pod) and not objects.is_deleting(pod.pod):
        status.pop("podIP", None)
        status.pop("podIPs", None)


def _reason(pod: state.PodState, draft: Draft, status: Status) -> None:
    """Keep why the pod failed, once it has."""
    stored = objects.status(pod.pod)
    if status["phase"] != "Failed":
        return
    if stored.get("phase") == "Failed":
        status |= {key: stored[key] for key in ("reason", "message") if key in stored}
    elif deadline.passed(pod, draft):
        status |= {"reason": deadline.REASON, "message": deadline.MESSAGE}


def phase(pod: state.PodState, draft: Draft) -> str:
    """Return Pending, Running, Succeeded or Failed."""
    alive = any(container.running or container.starting for container in pod.all)
    stored = str(objects.status(pod.pod).get("phase") or "")
    found = ending.outcome(pod)
    if found and (found == stored or not any(each.running for each in (*pod.apps, *pod.sidecars))):
        return found
    if not alive and deadline.passed(pod, draft):
        return "Failed"
    if objects.is_deleting(pod.pod) and not alive and any(app.latest for app in pod.apps):
        done = all(app.succeeded for app in pod.apps if app.latest)
        return "Succeeded" if done else "Failed"
    if not pod.initialized and not pod.ever_initialized:
        return "Pending"
    return "Running" if all(app.latest is not None for app in pod.apps) else "Pending"


def _container(pod: state.PodState, draft: Draft, container: state.ContainerState) -> Status:
    """Return one entry of containerStatuses."""
    latest = container.latest
    if latest is None and container.stored and ending.outcome(pod):
        return container.stored
    found: Status = {
        "name": container.name,
        "ready": is_ready(pod, draft, container),
        "restartCount": container.restarts,
        "image": str(container.spec.get("image") or ""),
        "imageID": "",
        "started": container.started and not container.starting,
        "state": {},
        "lastState": {},
    }
    if latest is not None:
        found["imageID"] = f"docker://{latest.image_id}"
        found["containerID"] = state.container_id(latest)
        if (user := _user(pod, container, latest)) is not None:
            found["user"] = user
    if mounts := [_mount(mount) for mount in container.spec.get("volumeMounts") or ()]:
        found["volumeMounts"] = mounts
    _resources(pod, container, found)
    waiting = draft.waits.get(container.name)
    ended = [_terminated(draft, entry) for entry in container.history if state.ended(entry)]
    if container.running is not None:
        started = container.running.started_at
        found["state"] = {"running": {"startedAt": objects.timestamp(started or draft.now)}}
    elif waiting is None and ended:
        found["state"] = {"terminated": ended.pop(0)}
    else:
        found["state"] = {"waiting": _waiting(pod, waiting)}
    if ended:
        found["lastState"] = {"terminated": ended[0]}
    elif latest is None:
        found["lastState"] = _lost(container.stored)
    return found


def _user(pod: state.PodState, container: state.ContainerState, latest: Container) -> Status | None:
    """Return who the container's first process is; what was told before stays when its image is forgotten."""
    image = pod.view.known.get(latest.image_id)
    identity = security.identity(pod.spec, container.spec, image)
    if image is None and container.stored.get("containerID") == state.container_id(latest):
        told: Status | None = container.stored.get("user")
        if told is not None:
            return told
    return None if identity is None else {"linux": identity}


def _mount(mount: Status) -> Status:
    """Tell how a volume is mounted; what is mounted below it is never read-only with it."""
    told: Status = {key: mount[key] for key in ("name", "mountPath") if key in mount}
    return {**told, "readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else told


def _resources(pod: state.PodState, container: state.ContainerState, found: Status) -> None:
    """Tell what the container has got, and what the node keeps for it."""
    asked = container.spec.get("resources") or {}
    got = resizing.applied(pod, container)
    got = asked if got is None else resizing.own(got)
    if got:
        found["resources"] = got
    given = got if resizing.changed(pod, container) and resizing.refusal(pod) else asked
    if given.get("requests"):
        found["allocatedResources"] = given["requests"]


def _whole(pod: state.PodState, status: Status) -> None:
    """Tell what a pod that asks for something as a whole has got, and what the node keeps for it."""
    asked = pod.spec.get("resources")
    if not asked:
        return
    got = resizing.whole(pod)
    status["resources"] = got
    given = got if got != asked and resizing.refusal(pod) else asked
    if given.get("requests"):
        status["allocatedResources"] = given["requests"]


def _lost(stored: Status) -> Status:
    """Return the last state of a container of which only the stored status knows."""
    if not stored.get("containerID"):
        return dict(stored.get("lastState") or {})
    state_ = stored.get("state") or {}
    return {
        "terminated": state_.get("terminated")
        or {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": LOST,
        }
    }


def _waiting(pod: state.PodState, waiting: Waiting | None) -> Status:
    if waiting is None:
        return {"reason": "PodInitializing" if pod.init else "ContainerCreating"}
    found = {"reason": waiting.reason}
    return found | {"message": waiting.message} if waiting.message else found


def _terminated(draft: Draft, container: Container) -> Status:
    found: Status = {
        "exitCode": START_ERROR_CODE if state.failed_to_start(container) else container.exit_code,
        "reason": _end_reason(container),
        "containerID": state.container_id(container),
    }
    moments = {
        "startedAt": container.started_at or container.created_at,
        "finishedAt": container.finished_at or container.created_at,
    }
    found |= {field: objects.timestamp(moment) for field, moment in moments.items() if moment}
    message = draft.view.messages.get(container.id) or container.error
    if message:
        found["message"] = message
    return found


def _end_reason(container: Container) -> str:
    if state.failed_to_start(container):
        return START_ERROR
    if container.oom_killed:
        return "OOMKilled"
    return "Error" if container.exit_code else "Completed"


def is_ready(pod: state.PodState, draft: Draft, container: state.ContainerState) -> bool:
    """Tell whether the container is ready: an init one when it is done, an ephemeral one never."""
    if container.role == "init":
        return container.succeeded
    if container.role == "ephemeral":
        return False
    running = container.running
    if running is None or not container.started or not pod.here(running) or pausing.is_paused(running):
        return False
    if not container.spec.get("readinessProbe"):
        return True
    found = draft.view.probes.get((running.id, "readiness"))
    if found is None or found.passed is None:
        return container.was("ready")
    return found.passed
