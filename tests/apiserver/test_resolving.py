"""From a Service to an endpoint that answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from minikctl.apiserver import resolving
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds

SERVICE = {
    "metadata": {"name": "web"},
    "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}]},
}


async def slice_of(
    registry: Registry, name: str, service: str, *addresses: str, ready: bool | None = None
) -> None:
    conditions = {} if ready is None else {"ready": ready}
    await registry.create(
        kinds.ENDPOINT_SLICE,
        "default",
        {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "ports": [{"name": "a", "port": 8080}, {"name": "b", "port": 8443}],
            "endpoints": [{"addresses": [each], "conditions": conditions} for each in addresses],
        },
    )


async def test_every_ready_endpoint_may_be_chosen(registry: Registry) -> None:
    await registry.create(kinds.SERVICE, "default", SERVICE)
    await slice_of(registry, "one", "web", "10.1.0.1", "10.1.0.2")
    await slice_of(registry, "two", "web", "10.1.0.3", ready=True)
    await slice_of(registry, "three", "web", "10.1.0.4", ready=False)
    await slice_of(registry, "four", "other", "10.1.0.5")
    offered: list[resolving.Address] = []

    def last(found: Sequence[resolving.Address]) -> resolving.Address:
        offered.extend(found)
        return found[-1]

    found = resolving.endpoint(registry.feed, "default", "web", 443, last)
    assert sorted(offered) == [(f"10.1.0.{each}", 8443) for each in (1, 2, 3)]
    assert found == offered[-1]


async def test_who_cannot_be_found_is_said(registry: Registry) -> None:
    with pytest.raises(resolving.Unresolved, match='service "web" not found'):
        resolving.endpoint(registry.feed, "default", "web", 80)
    await registry.create(kinds.SERVICE, "default", SERVICE)
    with pytest.raises(resolving.Unresolved, match='no endpoints available for service "web"'):
        resolving.endpoint(registry.feed, "default", "web", 80)
    with pytest.raises(resolving.Unresolved, match='no service port 1 found for service "web"'):
        resolving.endpoint(registry.feed, "default", "web", 1)
