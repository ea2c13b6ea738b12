"""FlowSchema and PriorityLevelConfiguration."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object


def default_level(obj: Object) -> None:
    """Complete a PriorityLevelConfiguration: an exempt one has no shares of its own."""
    spec = objects.spec(obj)
    if spec.get("type") == "Exempt":
        exempt = spec.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
