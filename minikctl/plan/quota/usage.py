"""What an object counts for in a quota: itself, and what it asks for.

The names of resources are those of Kubernetes' quota evaluators (pkg/quota/v1/evaluator/core).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl import errors
from minikctl.model import objects, podresources, quantity
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.plan import limits
from minikctl.plan.scheduler import requests
from minikctl.plan.storage import parts

Amounts = Mapping[str, str]

COUNTED_BY_NAME = frozenset(
    (
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    )
)
"""Resources that a quota may also name without ``count/``."""
_BARE = ("cpu", "memory", "ephemeral-storage")
_EXTENDED = "requests."
BALANCERS, NODE_PORTS = "services.loadbalancers", "services.nodeports"
CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
STORAGE = "requests.storage"


def of(kind: Kind, obj: Object) -> dict[str, str]:
    """Return all that the object counts for."""
    found = {f"count/{errors.qualified(kind.plural, kind.group)}": "1"}
    if not kind.group and kind.plural in COUNTED_BY_NAME:
        found[kind.plural] = "1"
    match kind.kind:
        case "Pod":
            found |= of_pod(obj)
        case "Service":
            found |= _of_service(obj)
        case "PersistentVolumeClaim":
            found |= _of_claim(obj)
    return found


def counts(name: str, kind: Kind) -> bool:
    """Tell whether objects of the kind can count for a quota's resource of that name."""
    if name == f"count/{errors.qualified(kind.plural, kind.group)}":
        return True
    if kind.group:
        return False
    match kind.kind:
        case "Pod":
            return name == "pods" or is_of_pods(name)
        case "Service":
            return name == "services" or name in (BALANCERS, NODE_PORTS)
        case "PersistentVolumeClaim":
            return name in ("persistentvolumeclaims", STORAGE) or CLASS_SUFFIX in name
    return name == kind.plural and name in COUNTED_BY_NAME


def is_of_pods(name: str) -> bool:
    """Tell whether a quota's resource is something that containers ask for."""
    if name in _BARE or name.startswith("limits."):
        return True
    return (name.startswith(_EXTENDED) and name != STORAGE) or name.startswith("hugepages-")


def is_over(pod: Object) -> bool:
    """Tell whether the pod has ended, so that it asks for nothing any more."""
    return objects.status(pod).get("phase") in ("Succeeded", "Failed")


def of_pod(pod: Object) -> dict[str, str]:
    """Return what a pod that has not ended asks for."""
    if is_over(pod):
        return {}
    found = {"pods": "1"}
    for name, amount in _held(pod, "requests").items():
        found[_EXTENDED + name] = amount
        if name in _BARE or name.startswith("hugepages-"):
            found[name] = amount
    for name, amount in _held(pod, "limits").items():
        found[f"limits.{name}"] = amount
    return found


def _held(pod: Object, side: str) -> dict[str, str]:
    """Return the largest of what the pod asks for, was granted and has: they differ while it is resized.

    What its node can never give does not count.
    """
    had = limits.pod_total(requests.as_it_has(pod), side)
    if side == "requests":
        had = podresources.larger(limits.pod_total(requests.as_granted(pod), side), had)
    return had if requests.is_infeasible(pod) else podresources.larger(limits.pod_total(pod, side), had)


def _of_service(service: Object) -> dict[str, str]:
    spec = objects.spec(service)
    ports = len(spec.get("ports") or ())
    match spec.get("type"):
        case "NodePort":
            return {NODE_PORTS: str(ports)}
        case "LoadBalancer":
            if spec.get("allocateLoadBalancerNodePorts") is False:  # then only those count that are asked for
                ports = sum(1 for each in spec.get("ports") or () if each.get("nodePort"))
            return {BALANCERS: "1", NODE_PORTS: str(ports)}
    return {}


def _of_claim(claim: Object) -> dict[str, str]:
    asked = quantity.canonical(parts.requested(claim))
    found = {STORAGE: asked}
    name = parts.class_name(claim)
    if name:
        found |= {f"{name}{CLASS_SUFFIX}{STORAGE}": asked, f"{name}{CLASS_SUFFIX}persistentvolumeclaims": "1"}
    return found


def total(all_of: Iterable[Amounts], names: Iterable[str]) -> dict[str, str]:
    """Return the sums of these names."""
    listed = list(all_of)
    return {name: quantity.total(each[name] for each in listed if name in each) for name in names}


def missing(pod: Object, hard: Mapping[str, Any]) -> str:
    """Return what the pod's containers have to say under such a quota and do not, "" if nothing.

    A pod that says for all of it what it needs is not asked.
    """
    if objects.spec(pod).get("resources"):
        return ""
    required = [
        name for name in hard if name.removeprefix("limits.").removeprefix(_EXTENDED) in ("cpu", "memory")
    ]
    lacking: dict[str, list[str]] = {}
    containers = [
        *(objects.spec(pod).get("containers") or ()),
        *(objects.spec(pod).get("initContainers") or ()),
    ]
    for container in containers:
        resources = container.get("resources") or {}
        for name in required:
            field = "limits" if name.startswith("limits.") else "requests"
            resource = name.removeprefix("limits.").removeprefix(_EXTENDED)
            if resource not in (resources.get(field) or {}):
                lacking.setdefault(name, []).append(str(container.get("name")))
    return "; ".join(f"{name} for: {','.join(sorted(lacking[name]))}" for name in sorted(lacking))
