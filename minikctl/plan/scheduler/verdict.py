"""Why a pod cannot run on a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """The reasons in Kubernetes' words, and whether it could help that other pods leave the node."""

    reasons: tuple[str, ...]
    helped: bool
