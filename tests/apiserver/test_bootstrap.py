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
