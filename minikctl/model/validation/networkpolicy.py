"""NetworkPolicy."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object


def default(obj: Object) -> None:
    """Complete a NetworkPolicy: which directions it is about."""
    spec = objects.spec(obj)
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
