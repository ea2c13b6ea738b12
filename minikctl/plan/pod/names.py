"""The names, labels and paths by which a pod is found again in the engine and on the host."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from minikctl.model.containers import Container
from minikctl.plan.pod.view import NodeInfo, PodView

PREFIX = "minikctl.dev/"
CLUSTER = PREFIX + "cluster"
ROLE = PREFIX + "role"
POD_UID = PREFIX + "pod-uid"
POD_NAME = PREFIX + "pod-name"
POD_NAMESPACE = PREFIX + "pod-namespace"
CONTAINER = PREFIX + "container"
ATTEMPT = PREFIX + "attempt"
SPEC_HASH = PREFIX + "spec-hash"
SANDBOX = PREFIX + "sandbox"
BACKOFF = PREFIX + "backoff"

PAUSE_ROLE = "pause"
APP_ROLE = "app"
INIT_ROLE = "init"
EPHEMERAL_ROLE = "ephemeral"
POD_ROLES = frozenset({PAUSE_ROLE, APP_ROLE, INIT_ROLE, EPHEMERAL_ROLE})
SANDBOX_NAME = "POD"


def engine_name(view: PodView, container: str, attempt: int) -> str:
    """Return the engine's name of one attempt of a container."""
    parts = ("mk", view.node.cluster, view.namespace, view.name, container, view.uid[:8], str(attempt))
    return "_".join(parts)


def labels(view: PodView, role: str, container: str, attempt: int) -> dict[str, str]:
    """Return the labels that say whose container this is."""
    return {
        CLUSTER: view.node.cluster,
        ROLE: role,
        POD_UID: view.uid,
        POD_NAME: view.name,
        POD_NAMESPACE: view.namespace,
        CONTAINER: container,
        ATTEMPT: str(attempt),
    }


def number(container: Container, label: str) -> int:
    """Return a label's number, 0 when it is missing or unreadable."""
    text = container.labels.get(label, "")
    return int(text) if text.isdigit() else 0


def attempt(container: Container) -> int:
    """Return which attempt of its name the container is, from 0."""
    return number(container, ATTEMPT)


def spec_hash(container: Mapping[str, Any]) -> str:
    """Return what changes when the running container has to be replaced: its name and image can change."""
    text = json.dumps([container.get("name"), container.get("image")])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pod_dir(node: NodeInfo, uid: str) -> str:
    """Return the pod's directory."""
    return f"{node.pods_dir}/{uid}"


def seccomp(node: NodeInfo, profile: str) -> str:
    """Return where a seccomp profile of this node is: in a directory beside that of the pods."""
    return f"{node.pods_dir.rpartition('/')[0]}/seccomp/{profile}"


def memory_dir(node: NodeInfo, uid: str) -> str:
    """Return the pod's directory in memory, "" if the host has none."""
    return f"{node.memory_dir}/{uid}" if node.memory_dir else ""


def volume_dir(node: NodeInfo, uid: str, volume: str) -> str:
    """Return the directory of one of the pod's volumes."""
    return f"{pod_dir(node, uid)}/volumes/{volume}"


def termination_log(node: NodeInfo, uid: str, container: str, number: int) -> str:
    """Return the host's file behind the termination message of one attempt."""
    return f"{pod_dir(node, uid)}/containers/{container}/{number}.log"
