from __future__ import annotations

from minikctl.apiserver.bootstrap import NAMESPACES, bootstrap
from minikctl.apiserver.registry import Registry
from minikctl.model import flowcontrol, kinds


async def test_a_new_cluster_has_its_namespaces_and_service(registry: Registry) -> None:
    assert {entry.key[1] for entry in registry.list(kinds.NAMESPACE, "").entries} == set(NAMESPACES)
    service = registry.get(kinds.SERVICE, "default", "kubernetes")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    assert service["spec"]["ports"][0]["port"] == 443


async def test_a_second_start_changes_nothing(registry: Registry) -> None:
    before = registry.feed.revision
    await bootstrap(registry)
    assert registry.feed.revision == before


async def test_a_webhook_that_refuses_everything_does_not_keep_the_cluster_from_starting(
    registry: Registry,
) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    hook = {
        "name": "all.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    await registry.delete(kinds.CLUSTER_ROLE, "", "view")
    await registry.delete(kinds.STORAGE_CLASS, "", "standard")
    await registry.create(kinds.VALIDATING_WEBHOOKS, "", {"metadata": {"name": "all"}, "webhooks": [hook]})
    await bootstrap(registry)
    await registry.delete(kinds.VALIDATING_WEBHOOKS, "", "all")
    await bootstrap(registry)
    assert registry.get(kinds.CLUSTER_ROLE, "", "view")
    assert registry.get(kinds.STORAGE_CLASS, "", "standard")


async def test_flow_control_is_that_of_every_cluster(registry: Registry) -> None:
    levels = {entry.key[1]: entry.object for entry in registry.list(kinds.PRIORITY_LEVEL, "").entries}
    schemas = {entry.key[1]: entry.object for entry in registry.list(kinds.FLOW_SCHEMA, "").entries}
    assert {name: each["spec"] for name, each in levels.items()} == {
        name: each["spec"] for name, each in flowcontrol.LEVELS.items()
    }
    assert {each["spec"]["priorityLevelConfiguration"]["name"] for each in schemas.values()} == set(levels)
    assert schemas["exempt"]["spec"]["matchingPrecedence"] == 1
    await registry.delete(kinds.FLOW_SCHEMA, "", "probes")
    await bootstrap(registry)
    assert registry.get(kinds.FLOW_SCHEMA, "", "probes")["spec"] == flowcontrol.SCHEMAS["probes"]["spec"]
