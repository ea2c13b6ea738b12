"""Static pods: what files of this node say is run, and the API has a mirror of it.

The names of the annotations and of the mirror are the kubelet's (``pkg/kubelet/config/common.go``).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete
from minikctl.model.objects import Object

HASH = "kubernetes.io/config.hash"
MIRROR = "kubernetes.io/config.mirror"
SOURCE = "kubernetes.io/config.source"


@dataclass(frozen=True)
class View:
    """The pods that the node's files say by the files' names, the node, and the mirrors that the API has."""

    files: Mapping[str, Object]
    node: Object
    mirrors: tuple[Object, ...]


def refusal(found: Any) -> str:
    """Return why a file's content is no pod for a node to run, "" if it is one."""
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != ("v1", "Pod"):
        return "it is no v1 Pod"
    if not objects.name(found):
        return "the pod has no name"
    return ""


def desired(view: View) -> tuple[ApiAction, ...]:
    """Return what makes the mirrors those of the files: a changed one goes first, and comes anew."""
    wanted = {objects.key(pod): pod for pod in (mirror(each, view.node) for each in view.files.values())}
    present = {objects.key(pod): pod for pod in view.mirrors}
    actions: list[ApiAction] = []
    for key, pod in present.items():
        if objects.is_deleting(pod):
            continue
        if key not in wanted or _hash(wanted[key]) != _hash(pod):
            actions.append(Delete(kinds.POD, *key, objects.uid(pod)))
    actions += [Create(kinds.POD, pod) for key, pod in wanted.items() if key not in present]
    return tuple(actions)


def mirrors(pods: Iterable[Object], node: str) -> tuple[Object, ...]:
    """Return the mirrors of a node's static pods."""
    return tuple(
        pod
        for pod in pods
        if objects.spec(pod).get("nodeName") == node
        and (objects.meta(pod).get("annotations") or {}).get(SOURCE) == "file"
    )


def mirror(pod: Object, node: Object) -> Object:
    """Return what the API gets of a static pod: bound to the node, named after it and owned by it."""
    name = objects.name(node)
    made = copy.deepcopy(dict(pod))
    text = json.dumps(pod, sort_keys=True, default=str)
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    metadata = dict(made.get("metadata") or {})
    annotations = {**(metadata.get("annotations") or {}), HASH: digest, MIRROR: digest, SOURCE: "file"}
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": objects.uid(node), "controller": True}
    made["metadata"] = {
        **metadata,
        "name": f"{objects.name(pod)}-{name}",
        "namespace": objects.namespace(pod) or "default",
        "annotations": annotations,
        "ownerReferences": [owner],
    }
    spec = dict(made.get("spec") or {})
    stays = {"operator": "Exists", "effect": "NoExecute"}
    made["spec"] = {
        **spec,
        "nodeName": name,
        "automountServiceAccountToken": False,
        "tolerations": [*(spec.get("tolerations") or ()), stays],
    }
    return made


def _hash(pod: Object) -> str:
    return str((objects.meta(pod).get("annotations") or {}).get(HASH) or "")
