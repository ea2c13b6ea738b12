from __future__ import annotations

from minikctl.apiserver.bootstrap import NAMESPACES, bootstrap
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds


async def test_a_new_cluster_has_its_namespaces_and_service(registry: Registry) -> None:
    assert {entry.key[1] for entry in registry.list(kinds.NAMESPACE, "").entries} == set(NAMESPACES)
    service = registry.get(kinds.SERVICE, "default", "kubernetes")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    assert service["spec"]["ports"][0]["port"] == 443


async def test_a_second_start_changes_nothing(registry: Registry) -> None:
    before = registry.feed.revision
    await bootstrap(registry)
    assert registry.feed.revision == before


async def test_the_address_of_the_api_is_published_and_follows(registry: Registry) -> None:
    for address in ("10.201.0.1", "10.201.0.2"):
        await bootstrap(registry, (address, 6443))
        endpoints = registry.get(kinds.ENDPOINTS, "default", "kubernetes")
        assert endpoints["subsets"][0]["addresses"] == [{"ip": address}]
        found = registry.get(kinds.ENDPOINT_SLICE, "default", "kubernetes")
        assert found["endpoints"][0]["addresses"] == [address]
        assert found["ports"][0]["port"] == 6443
