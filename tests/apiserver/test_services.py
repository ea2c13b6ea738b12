from __future__ import annotations

import asyncio
import copy

import pytest

from minikctl.apiserver import pools
from minikctl.apiserver.options import Caller, PatchOptions, WriteOptions
from minikctl.apiserver.registry import Registry, Settings
from minikctl.errors import StatusError, StoreError
from minikctl.model import kinds
from minikctl.store.store import Row, Store
from tests.apiserver import samples
from tests.apiserver.samples import Object


async def create(registry: Registry, name: str, **spec: object) -> Object:
    return await registry.create(kinds.SERVICE, "default", samples.service(name, **spec))


async def patch(registry: Registry, name: str, **spec: object) -> Object:
    return await registry.patch(kinds.SERVICE, "default", name, {"spec": spec}, PatchOptions())


def services(registry: Registry) -> list[Object]:
    return [entry.object for entry in registry.list(kinds.SERVICE, "default").entries]


async def test_the_api_has_the_first_address(registry: Registry) -> None:
    assert registry.get(kinds.SERVICE, "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"


async def test_addresses_come_from_the_upper_band(registry: Registry) -> None:
    made = await create(registry, "web")
    address = made["spec"]["clusterIP"]
    assert made["spec"]["clusterIPs"] == [address]
    assert made["spec"]["ipFamilies"] == ["IPv4"]
    assert int(address.split(".")[2]) >= 1


async def test_families_that_the_cluster_has_not_are_refused_at_every_change(registry: Registry) -> None:
    with pytest.raises(StatusError, match="this cluster is not configured for dual-stack services"):
        await create(registry, "web", ipFamilyPolicy="RequireDualStack")
    made = await create(registry, "web", ipFamilyPolicy="PreferDualStack")
    assert made["spec"]["ipFamilies"] == ["IPv4"]
    with pytest.raises(StatusError, match=r'spec.ipFamilies\[0\]: Invalid value: "IPv6": not configured'):
        await patch(registry, "web", ipFamilies=["IPv6"])
    assert registry.get(kinds.SERVICE, "default", "web")["spec"]["ipFamilies"] == ["IPv4"]
    assert len(services(registry)) == 2


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("10.96.0.1", "failed to allocate IP 10.96.0.1: provided IP is already allocated"),
        ("10.97.0.1", "The range of valid IPs is 10.96.0.0/16"),
    ],
)
async def test_an_address_that_cannot_be_had(registry: Registry, address: str, text: str) -> None:
    with pytest.raises(StatusError) as refusal:
        await create(registry, "web", clusterIP=address)
    assert refusal.value.code == 422
    assert refusal.value.message.startswith('Service "web" is invalid: spec.clusterIPs: Invalid value: ["10.')
    assert text in refusal.value.message


async def test_a_node_port_is_given_once(registry: Registry) -> None:
    ports = [{"port": 80, "nodePort": 30001}]
    await create(registry, "one", type="NodePort", ports=ports)
    with pytest.raises(StatusError) as refusal:
        await create(registry, "two", type="NodePort", ports=copy.deepcopy(ports))
    assert refusal.value.message == (
        'Service "two" is invalid: spec.ports[0].nodePort: Invalid value: 30001: '
        "provided port is already allocated"
    )
    await registry.delete(kinds.SERVICE, "default", "one")
    await create(registry, "two", type="NodePort", ports=copy.deepcopy(ports))


async def test_a_refused_service_takes_nothing(registry: Registry) -> None:
    await create(registry, "one", type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    ports = [{"name": "a", "port": 80, "nodePort": 30002}, {"name": "b", "port": 81, "nodePort": 30001}]
    with pytest.raises(StatusError, match="already allocated"):
        await create(registry, "two", type="NodePort", clusterIP="10.96.0.50", ports=ports)
    await create(
        registry, "two", type="NodePort", clusterIP="10.96.0.50", ports=[{"port": 80, "nodePort": 30002}]
    )


async def test_a_dry_run_takes_nothing(registry: Registry) -> None:
    body = samples.service("web", type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    for _ in range(2):
        await registry.create(kinds.SERVICE, "default", copy.deepcopy(body), WriteOptions(dry_run=True))


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_cancelled_create_keeps_no_address_that_no_service_has(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    store_create = registry.store.create

    async def slow(key: str, value: bytes) -> Row:
        begun.set()
        await go_on.wait()
        if not is_written:
            raise StoreError("the disk is full")
        return await store_create(key, value)

    monkeypatch.setattr(registry.store, "create", slow)
    spec = {"clusterIP": "10.96.7.7", "type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]}
    creating = asyncio.create_task(create(registry, "one", **spec))
    await begun.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    with pytest.raises(StatusError, match="already allocated"):
        await create(registry, "two", clusterIP="10.96.7.7")
    monkeypatch.setattr(registry.store, "create", store_create)
    go_on.set()
    if is_written:
        async with asyncio.timeout(20):
            while "one" not in [each["metadata"]["name"] for each in services(registry)]:
                await asyncio.sleep(0.001)
        await registry.delete(kinds.SERVICE, "default", "one")
    made = await create(registry, "two", **spec)
    assert made["spec"]["clusterIP"] == "10.96.7.7"


async def test_a_cancelled_create_counts_against_the_quota_until_it_is_stored(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    hard = {"count/configmaps": str(len(registry.list(kinds.CONFIG_MAP, "default").entries) + 1)}
    await registry.create(kinds.RESOURCE_QUOTA, "default", {**quota, "spec": {"hard": hard}})
    begun, go_on = asyncio.Event(), asyncio.Event()
    store_create = registry.store.create

    async def slow(key: str, value: bytes) -> Row:
        begun.set()
        await go_on.wait()
        return await store_create(key, value)

    def settings(name: str) -> Object:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}

    monkeypatch.setattr(registry.store, "create", slow)
    creating = asyncio.create_task(registry.create(kinds.CONFIG_MAP, "default", settings("one")))
    await begun.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    monkeypatch.setattr(registry.store, "create", store_create)
    with pytest.raises(StatusError, match="exceeded quota"):
        await registry.create(kinds.CONFIG_MAP, "default", settings("two"))
    go_on.set()
    async with asyncio.timeout(20):
        while not any(each.key[1] == "one" for each in registry.list(kinds.CONFIG_MAP, "default").entries):
            await asyncio.sleep(0.001)


async def test_both_protocols_share_a_node_port(registry: Registry) -> None:
    ports = [{"name": f"dns-{p.lower()}", "port": 53, "protocol": p} for p in ("TCP", "UDP")]
    made = await create(registry, "dns", type="NodePort", ports=ports)
    assert len({port["nodePort"] for port in made["spec"]["ports"]}) == 1


async def test_an_update_keeps_what_it_leaves_out(registry: Registry) -> None:
    made = await create(registry, "web", type="NodePort")
    again = await registry.update(
        kinds.SERVICE, "default", "web", samples.service(type="NodePort", sessionAffinity="ClientIP")
    )
    assert again["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert again["spec"]["ports"] == made["spec"]["ports"]


async def test_changing_the_type_gives_and_takes(registry: Registry) -> None:
    made = await create(registry, "web")
    opened = await patch(registry, "web", type="NodePort")
    port = opened["spec"]["ports"][0]["nodePort"]
    assert opened["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert 30086 <= port <= 32767
    closed = await patch(registry, "web", type="ClusterIP")
    assert "nodePort" not in closed["spec"]["ports"][0]
    await create(registry, "other", type="NodePort", ports=[{"port": 80, "nodePort": port}])
    named = await patch(registry, "web", type="ExternalName", externalName="example.com")
    assert "clusterIP" not in named["spec"]
    await create(registry, "third", clusterIP=made["spec"]["clusterIP"])


async def test_clearing_the_address_with_the_type_clears_all_that_comes_with_it(registry: Registry) -> None:
    await create(registry, "web")
    named = await patch(registry, "web", type="ExternalName", externalName="example.com", clusterIP=None)
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(named["spec"])
    headless = await patch(registry, "web", type="ClusterIP", externalName=None, clusterIP="None")
    assert headless["spec"]["clusterIPs"] == ["None"]
    with pytest.raises(StatusError, match=r"spec\.clusterIPs: Forbidden"):
        await patch(registry, "web", type="ExternalName", externalName="example.com", clusterIP="10.96.0.9")


async def test_outside_addresses_may_go_again(registry: Registry) -> None:
    made = await create(registry, "web", externalIPs=["192.0.2.1"])
    assert made["spec"]["externalTrafficPolicy"] == "Cluster"
    inner = await patch(registry, "web", externalIPs=None)
    assert "externalTrafficPolicy" not in inner["spec"]


async def test_a_port_keeps_its_node_port_by_its_name(registry: Registry) -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30001}, {"name": "b", "port": 81, "nodePort": 30002}]
    await create(registry, "web", type="NodePort", ports=ports)
    moved = [{"name": "b", "port": 80}, {"name": "a", "port": 82}]
    body = samples.service(type="NodePort", ports=moved)
    found = await registry.update(kinds.SERVICE, "default", "web", body)
    assert [port["nodePort"] for port in found["spec"]["ports"]] == [30002, 30001]


async def test_headless_services_have_no_address(registry: Registry) -> None:
    made = await create(registry, "web", clusterIP="None")
    assert made["spec"]["clusterIPs"] == ["None"]


async def test_local_load_balancers_have_a_health_check_port(registry: Registry) -> None:
    made = await create(registry, "web", type="LoadBalancer", externalTrafficPolicy="Local")
    assert made["spec"]["healthCheckNodePort"] != made["spec"]["ports"][0]["nodePort"]
    closed = await patch(registry, "web", type="ClusterIP")
    assert not {"healthCheckNodePort", "externalTrafficPolicy"} & set(closed["spec"])


async def test_concurrent_creates_get_different_addresses(store: Store) -> None:
    registry = Registry(store, Settings(service_cidr="10.96.0.0/27", choose=lambda low, _: low))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    made = await asyncio.gather(*(create(registry, f"s{n}") for n in range(30)))
    assert len({each["spec"]["clusterIP"] for each in made}) == 30
    with pytest.raises(StatusError, match="range is full"):
        await create(registry, "more")
    await registry.close()


def test_pools_use_the_low_band_last() -> None:
    ports = pools.PortPool(30000, 30031, lambda low, _: low)
    taken = [ports.take_any() for _ in range(32)]
    assert taken == [*range(30016, 30032), *range(30000, 30016)]
    with pytest.raises(pools.Exhausted):
        ports.take_any()
    ports.release(30005)
    assert ports.take_any() == 30005


def test_a_port_that_somebody_else_has_is_given_only_when_there_is_no_other() -> None:
    busy = {*range(30016, 30020), *range(30021, 30032), *range(30000, 30016)}
    ports = pools.PortPool(30000, 30031, lambda low, _: low, busy.__contains__)
    assert [ports.take_any() for _ in range(3)] == [30020, 30016, 30017]
    ports.take(30005)


def test_the_bands_are_as_wide_as_kubernetes_has_them() -> None:
    assert pools.AddressPool("10.96.0.0/16", lambda low, _: low).take_any() == "10.96.1.1"
    assert pools.PortPool(choose=lambda low, _: low).take_any() == 30086


async def test_an_address_that_somebody_reserved_is_not_given_away(registry: Registry) -> None:
    reserved: Object = {
        "metadata": {"name": "10.96.9.9"},
        "spec": {"parentRef": {"group": "example.com", "resource": "things", "name": "mine"}},
    }
    await registry.create(kinds.IP_ADDRESS, "", reserved)
    wanted = samples.service(clusterIP="10.96.9.9")
    with pytest.raises(
        StatusError, match=r"failed to allocate IP 10.96.9.9: provided IP is already allocated"
    ):
        await registry.create(kinds.SERVICE, "default", copy.deepcopy(wanted))
    await registry.delete(kinds.IP_ADDRESS, "", "10.96.9.9")
    made = await registry.create(kinds.SERVICE, "default", wanted)
    assert made["spec"]["clusterIP"] == "10.96.9.9"
    assert registry.get(kinds.SERVICE_CIDR, "", "kubernetes")["status"]["conditions"][0]["status"] == "True"


def cidr(name: str, *ranges: str) -> Object:
    kind = kinds.SERVICE_CIDR
    spec = {"cidrs": list(ranges)}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}


async def be_ready(registry: Registry, name: str, status: str = "True") -> None:
    found = registry.get(kinds.SERVICE_CIDR, "", name)
    ready = {
        "type": "Ready",
        "status": status,
        "reason": "",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    told = {**found, "status": {"conditions": [ready]}}
    await registry.update(kinds.SERVICE_CIDR, "", name, told, subresource="status")


async def test_further_ranges_give_addresses_once_they_are_ready(store: Store) -> None:
    registry = Registry(store, Settings(service_cidr="10.96.0.0/30", choose=lambda low, _: low))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    made = [await create(registry, f"s{number}") for number in range(2)]
    assert {each["spec"]["clusterIP"] for each in made} == {"10.96.0.1", "10.96.0.2"}
    await registry.create(kinds.SERVICE_CIDR, "", cidr("more", "10.112.0.0/29"))
    with pytest.raises(StatusError, match="range is full"):
        await create(registry, "more")
    await be_ready(registry, "more")
    assert (await create(registry, "more"))["spec"]["clusterIP"] == "10.112.0.1"
    await create(registry, "fixed", clusterIP="10.112.0.5")
    for wrong, words in (("10.112.0.5", "already allocated"), ("10.113.0.5", "not in the valid range")):
        with pytest.raises(StatusError, match=words):
            await create(registry, "wrong", clusterIP=wrong)
    await be_ready(registry, "more", "False")
    with pytest.raises(StatusError, match="range is full"):
        await create(registry, "late")
    await registry.close()
    again = Registry(store, Settings(service_cidr="10.96.0.0/30", choose=lambda low, _: low))
    await again.start()
    await be_ready(again, "more")
    with pytest.raises(StatusError, match="already allocated"):
        await create(again, "wrong", clusterIP="10.112.0.5")
    assert (await create(again, "late"))["spec"]["clusterIP"] == "10.112.0.2"
    await again.delete(kinds.SERVICE_CIDR, "", "more")
    with pytest.raises(StatusError, match="range is full"):
        await create(again, "last")
    await again.close()


def test_ranges_within_one_another_share_their_addresses() -> None:
    found = pools.AddressPools("10.96.0.0/29", lambda low, _: low)
    found.take("10.96.0.2")
    found.admit(["10.96.0.0/30", "10.96.0.0/29"])
    found.take("10.96.0.1")
    assert [found.take_any() for _ in range(4)] == [f"10.96.0.{number}" for number in (3, 4, 5, 6)]
    with pytest.raises(pools.Exhausted):
        found.take_any()
    found.release("10.96.0.1")
    assert found.take_any() == "10.96.0.1"
    with pytest.raises(pools.Taken):
        found.hold("10.96.0.1")


async def test_whoever_writes_a_service_is_told_what_is_odd_about_it(registry: Registry) -> None:
    caller = Caller()
    body = samples.service("web", type="ClusterIP", externalIPs=["192.0.2.1"])
    await registry.create(kinds.SERVICE, "default", body, WriteOptions(caller=caller))
    assert caller.warnings == [
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    ]
