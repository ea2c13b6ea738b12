"""The events about a pod that kubelet would record, in its words."""

from __future__ import annotations

from minikctl.model.actions.api import RecordEvent
from minikctl.model.objects import Object

COMPONENT = "kubelet"


def normal(pod: Object, reason: str, message: str, field_path: str = "") -> RecordEvent:
    """Return an event of something that goes as it should."""
    return RecordEvent(pod, "Normal", reason, message, COMPONENT, field_path)


def warning(pod: Object, reason: str, message: str, field_path: str = "") -> RecordEvent:
    """Return an event of something that does not."""
    return RecordEvent(pod, "Warning", reason, message, COMPONENT, field_path)


_FIELDS = {"app": "containers", "ephemeral": "ephemeralContainers"}


def container_path(container: str, role: str) -> str:
    """Return the field path of a container, as events carry it."""
    return f"spec.{_FIELDS.get(role, 'initContainers')}{{{container}}}"


def pod_text(name: str, namespace: str, uid: str) -> str:
    """Return how messages name a pod."""
    return f"{name}_{namespace}({uid})"
