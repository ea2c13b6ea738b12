"""Devices that a pod claims (resource.k8s.io): no such claims exist here, so the pod waits and says why.

Sentences are those of the scheduler's plugin DynamicResources and of ``resourceclaim.Name``.
"""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object


def blocked(pod: Object) -> str:
    """Return what keeps a pod that claims devices from every node, "" if it claims none."""
    for claim in objects.spec(pod).get("resourceClaims") or ():
        if name := claim.get("resourceClaimName"):
            return f'resourceclaim.resource.k8s.io "{name}" not found'
        return f'pod claim "{claim.get("name")}": ResourceClaim not created yet'
    return ""
