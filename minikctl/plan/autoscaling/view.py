"""What a plan for an autoscaler depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan.usage import Sample


@dataclass(frozen=True)
class Target:
    """What is scaled: how many replicas it wants and has, and the pods that its selector finds."""

    kind: Kind
    namespace: str
    name: str
    wanted: int
    present: int
    pods: tuple[Object, ...] = ()
    has_selector: bool = True


@dataclass(frozen=True)
class Past:
    """What an autoscaler has found and done lately: (moment, replicas) recommended, (moment, change) made."""

    recommended: tuple[tuple[datetime, int], ...] = ()
    changes: tuple[tuple[datetime, int], ...] = ()


@dataclass(frozen=True)
class View:
    """An autoscaler, its target or why there is none, what pods use by uid and container, and its past."""

    object: Object
    target: Target | None
    trouble: str = ""
    samples: Mapping[str, Mapping[str, Sample]] | None = None
    """None: nothing could be measured."""
    past: Past = Past()

    @property
    def spec(self) -> dict[str, Any]:
        """Return the autoscaler's spec."""
        return self.object.get("spec") or {}
