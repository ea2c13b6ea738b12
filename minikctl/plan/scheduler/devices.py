"""Devices that a pod claims (resource.k8s.io): no driver offers any here, so the pod waits and says why.

Sentences are those of the scheduler's plugin DynamicResources and of ``resourceclaim.Name``.
"""

from __future__ import annotations

from collections.abc import Collection

from minikctl.model import objects
from minikctl.model.objects import Key, Object

NOWHERE = "cannot allocate all claims"


def blocked(pod: Object, claims: Collection[Key], nodes: int) -> str:
    """Return what keeps a pod that claims devices from every node, "" if it claims none.

    ``claims`` are the ResourceClaims that there are, ``nodes`` is how many nodes could have had the devices.
    """
    wanted = objects.spec(pod).get("resourceClaims") or ()
    for claim in wanted:
        name = claim.get("resourceClaimName")
        if not name:
            return f'pod claim "{claim.get("name")}": ResourceClaim not created yet'
        if (objects.namespace(pod), name) not in claims:
            return f'resourceclaim.resource.k8s.io "{name}" not found'
    return f"{nodes} {NOWHERE}" if wanted else ""
