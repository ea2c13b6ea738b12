"""Whether waiting for a pod can still help, and if not, the pod's own reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.why.trouble import of_image

WAITING = frozenset(
    (
        "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff",
    )
)  # fmt: skip
"""Reasons in which a container stays until somebody changes something."""

PATIENCE = 2
"""A container may crash once, say because what it needs is not there yet."""


def reason(pod: Object, *, wants_end: bool = False) -> str:
    """Return why the pod will not come to run, "" while it may; the phrase goes on after the pod's name.

    ``wants_end``: that it ends successfully is what is waited for.
    """
    if objects.is_deleting(pod):
        return ""
    phase = readiness.phase(pod)
    if phase == "Failed":
        return f"has failed: {_failure(pod)}"
    if phase == "Succeeded":
        return "" if wants_end else "has ended"
    return next(_stuck(pod), "")


def _failure(pod: Object) -> str:
    status = objects.status(pod)
    told = status.get("message") or status.get("reason")
    if told:
        return str(told)
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        ended = (one.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return _ended(one["name"], ended)
    return "its containers have ended"


def _ended(name: str, ended: Mapping[str, Any]) -> str:
    why = ended.get("reason") or "Error"
    return f"container {name} ended with exit code {ended['exitCode']} ({why})"


def _stuck(pod: Object) -> Iterator[str]:
    status = objects.status(pod)
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in WAITING:
            continue
        if waiting["reason"] == "CrashLoopBackOff":
            if (one.get("restartCount") or 0) < PATIENCE:
                continue
            last = (one.get("lastState") or {}).get("terminated") or {}
            after = f": {_ended(one['name'], last)}" if last else ""
            yield f"crashes again and again{after}"
        else:
            message = f": {of_image(one, waiting['message'])}" if waiting.get("message") else ""
            yield f"cannot start container {one['name']}: {waiting['reason']}{message}"
