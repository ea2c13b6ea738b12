"""The controller of ServiceCIDRs, with the API in memory."""

from __future__ import annotations

from typing import Any

from minikctl.model import kinds, objects
from minikctl.network.ranges import ServiceRanges
from minikctl.plan.service_cidr import FINALIZER
from minikctl.runtime.loop import ControlLoop
from tests.network.bench import SETTINGS, Surroundings


def cidr(**meta: Any) -> Any:
    kind = kinds.SERVICE_CIDR
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "more", **meta}}
    return {**head, "spec": {"cidrs": ["10.112.0.0/24"]}}


def held(address: str) -> Any:
    kind = kinds.IP_ADDRESS
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    parent = {"group": "", "resource": "services", "namespace": "default", "name": "web"}
    metadata = {"name": address, "labels": labels}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": {"parentRef": parent},
    }


async def test_a_range_becomes_ready_and_goes_with_its_last_address() -> None:
    world = Surroundings()
    loop = ControlLoop(ServiceRanges(world.tools, SETTINGS), world.clock)

    def found() -> Any:
        return world.client.find(kinds.SERVICE_CIDR, "", "more")

    async with world.running(loop.run()):
        world.client.put(cidr())
        await world.turn()
        assert (objects.condition(found(), "Ready") or {}).get("status") == "True"
        world.client.put(held("10.112.0.9"))
        world.client.put(
            {**found(), "metadata": {**found()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
        )
        await world.turn()
        assert (objects.condition(found(), "Ready") or {}).get("reason") == "Terminating"
        world.client.remove(kinds.IP_ADDRESS, "", "10.112.0.9")
        await world.turn()
        assert FINALIZER not in (found() or cidr())["metadata"].get("finalizers", ())
