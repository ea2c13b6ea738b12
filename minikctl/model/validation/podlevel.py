"""What a pod asks for as a whole: which resources it may name, and how they stand to those of its containers.

Texts and paths are upstream's (``validatePodResources``): that of a container is below the pod's resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, podresources, quantity
from minikctl.model.kind import Cause
from minikctl.model.validation import resources

Spec = dict[str, Any]


def validate(spec: Spec, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the resources of the pod as a whole."""
    whole = spec.get("resources") or {}
    if whole.get("claims"):
        yield causes.forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    known: dict[str, dict[str, Any]] = {"limits": {}, "requests": {}}
    for side, amounts in known.items():
        for name, amount in podresources.of_pod(spec, side).items():
            if podresources.is_pod_level(name):
                amounts[name] = amount
            else:
                yield _unknown(name, f"{path}.{side}[{name}]")
    yield from resources.validate(known, path)
    yield from _sums(spec, path)
    yield from _parts(spec, path)


def _unknown(name: str, path: str) -> Cause:
    if resources.is_standard(name):
        return causes.unsupported(path, name, podresources.POD_LEVEL)
    return causes.invalid(path, name, "must be a standard resource type or fully qualified")


def _sums(spec: Spec, path: str) -> Iterator[Cause]:
    """Yield the refusal of a whole that is less than its parts ask for."""
    for side, names in (("requests", ("",)), ("limits", (resources.HUGE,))):
        given = podresources.of_pod(spec, side)
        for name, asked in sorted(podresources.of_containers(spec, side).items()):
            if name in given and name.startswith(names) and quantity.compare(asked, given[name]) > 0:
                detail = f"must be greater than or equal to aggregate container {side} of {asked}"
                yield causes.invalid(f"{path}.{side}[{name}]", given[name], detail)


def _parts(spec: Spec, path: str) -> Iterator[Cause]:
    """Yield the refusal of a container that may use more than the whole."""
    bounds = podresources.of_pod(spec, "limits")
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in sorted(((container.get("resources") or {}).get("limits") or {}).items()):
            if name in bounds and quantity.compare(limit, bounds[name]) > 0:
                detail = f"must be less than or equal to pod limits of {bounds[name]}"
                yield causes.invalid(f"{path}.containers[{index}][{name}].limits", limit, detail)
