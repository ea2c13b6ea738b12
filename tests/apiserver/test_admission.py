"""What the server adds to new objects, or refuses, by what else is in the cluster."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable
from typing import Any

import pytest

from minikctl import errors
from minikctl.apiserver.auth import User
from minikctl.apiserver.options import Caller, DeleteOptions, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects
from minikctl.model.kind import Kind


def pod(name: str = "p", resources: Any = None, **spec: Any) -> Any:
    container = {"name": "c", "image": "i", **({"resources": resources} if resources else {})}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


async def create(registry: Registry, kind: Kind, body: Any, namespace: str = "default") -> Any:
    return await registry.create(kind, namespace if kind.namespaced else "", copy.deepcopy(body))


async def refused(registry: Registry, kind: Kind, body: Any) -> str:
    with pytest.raises(errors.StatusError) as found:
        await create(registry, kind, body)
    assert (found.value.code, found.value.reason) == (403, "Forbidden")
    return found.value.message


# --- accounts -------------------------------------------------------------------------------------------


async def test_pods_get_their_account_and_its_token(registry: Registry) -> None:
    account = {"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "reg"}]}
    await create(registry, kinds.SERVICE_ACCOUNT, account)
    own = {
        "name": "own",
        "image": "i",
        "volumeMounts": [{"name": "x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
    }
    body = pod(
        serviceAccountName="robot",
        initContainers=[{"name": "i", "image": "i"}],
        volumes=[{"name": "x", "emptyDir": {}}],
    )
    body["spec"]["containers"].append(own)
    spec = (await create(registry, kinds.POD, body))["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "robot"
    assert spec["imagePullSecrets"] == [{"name": "reg"}]
    volume = spec["volumes"][-1]
    assert volume["name"].startswith("kube-api-access-")
    assert [next(iter(each)) for each in volume["projected"]["sources"]] == [
        "serviceAccountToken",
        "configMap",
        "downwardAPI",
    ]
    mounts = [spec[field][0]["volumeMounts"][-1]["name"] for field in ("initContainers", "containers")]
    assert mounts == [volume["name"]] * 2
    assert len(spec["containers"][1]["volumeMounts"]) == 1


@pytest.mark.parametrize(
    ("of_account", "of_pod", "mounted"),
    [
        (None, None, True),
        (False, None, False),
        (False, True, True),
        (True, False, False),
        (None, False, False),
    ],
)
async def test_tokens_are_mounted_as_wished(
    registry: Registry, of_account: Any, of_pod: Any, mounted: bool
) -> None:
    account = {"metadata": {"name": "robot"}}
    if of_account is not None:
        account["automountServiceAccountToken"] = of_account
    await create(registry, kinds.SERVICE_ACCOUNT, account)
    more = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
    made = await create(registry, kinds.POD, pod(serviceAccountName="robot", **more))
    assert bool(made["spec"].get("volumes")) == mounted


async def test_an_account_has_to_be_there(registry: Registry) -> None:
    assert await refused(registry, kinds.POD, pod(serviceAccountName="nobody")) == (
        'pods "p" is forbidden: error looking up service account default/nobody: '
        'serviceaccount "nobody" not found'
    )


# --- limits ---------------------------------------------------------------------------------------------


def limit_range(**item: Any) -> Any:
    return {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", **item}]}}


async def test_containers_get_the_defaults_of_the_namespace(registry: Registry) -> None:
    item = {"default": {"cpu": "500m", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}
    await create(registry, kinds.LIMIT_RANGE, limit_range(**item))
    made = await create(registry, kinds.POD, pod())
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "100m", "memory": "1Gi"},
    }
    assert objects.annotations(made)["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
    )
    assert objects.status(made)["qosClass"] == "Burstable"
    own = await create(registry, kinds.POD, pod("q", {"limits": {"cpu": "1", "memory": "2Gi"}}))
    assert own["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert "kubernetes.io/limit-ranger" not in objects.annotations(own)


@pytest.mark.parametrize(
    ("item", "resources", "words"),
    [
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "2"}},
            "maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            {"min": {"memory": "1Gi"}},
            {"requests": {"memory": "1Mi"}},
            "minimum memory usage per Container is 1Gi, but request is 1Mi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000",
        ),
        (
            {"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}},
            {"limits": {"cpu": "2"}},
            "[maximum cpu usage per Pod is 1, but limit is 2, "
            "maximum memory usage per Pod is 1Gi.  No limit is specified]",
        ),
        (
            {"type": "Pod", "min": {"cpu": "1"}},
            {},
            "minimum cpu usage per Pod is 1.  No request is specified",
        ),
    ],
)
async def test_what_is_out_of_the_bounds_is_refused(
    registry: Registry, item: Any, resources: Any, words: str
) -> None:
    await create(registry, kinds.LIMIT_RANGE, limit_range(**item))
    assert await refused(registry, kinds.POD, pod(resources=resources)) == f'pods "p" is forbidden: {words}'


async def test_claims_are_bounded_too(registry: Registry) -> None:
    item = {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}
    await create(registry, kinds.LIMIT_RANGE, limit_range(**item))
    claim = {
        "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    assert (await refused(registry, kinds.PERSISTENT_VOLUME_CLAIM, claim)).endswith(
        "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"
    )


# --- quotas ---------------------------------------------------------------------------------------------


def quota(**spec: Any) -> Any:
    return {"metadata": {"name": "q"}, "spec": spec}


async def test_a_quota_is_not_exceeded(registry: Registry) -> None:
    await create(registry, kinds.RESOURCE_QUOTA, quota(hard={"pods": "2", "requests.cpu": "1"}))
    await create(registry, kinds.POD, pod("a", {"requests": {"cpu": "600m"}}))
    assert await refused(registry, kinds.POD, pod("b", {"requests": {"cpu": "500m"}})) == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, '
        "limited: requests.cpu=1"
    )
    assert await refused(registry, kinds.POD, pod("b")) == (
        'pods "b" is forbidden: failed quota: q: must specify requests.cpu for: c'
    )
    await create(registry, kinds.POD, pod("b", {"requests": {"cpu": "400m"}}))
    assert (
        "exceeded quota: q, requested: pods=1,requests.cpu=1m, used: pods=2,requests.cpu=1"
        in await refused(registry, kinds.POD, pod("c", {"requests": {"cpu": "1m"}}))
    )
    await registry.delete(kinds.POD, "default", "a", DeleteOptions(grace_seconds=0))
    await create(registry, kinds.POD, pod("c", {"requests": {"cpu": "1m"}}))


async def test_requests_side_by_side_do_not_overdraw_a_quota(registry: Registry) -> None:
    await create(registry, kinds.RESOURCE_QUOTA, quota(hard={"count/configmaps": "3"}))
    bodies = [{"metadata": {"name": f"c{number}"}} for number in range(10)]
    found = await asyncio.gather(
        *(create(registry, kinds.CONFIG_MAP, body) for body in bodies), return_exceptions=True
    )
    assert sum(isinstance(each, errors.StatusError) for each in found) == 7
    assert len(registry.list(kinds.CONFIG_MAP, "default").entries) == 3


async def test_what_is_not_stored_after_all_uses_nothing(registry: Registry) -> None:
    await create(registry, kinds.RESOURCE_QUOTA, quota(hard={"configmaps": "1"}))
    body = {"metadata": {"name": "a"}}
    await registry.create(kinds.CONFIG_MAP, "default", copy.deepcopy(body), WriteOptions(dry_run=True))
    await create(registry, kinds.CONFIG_MAP, body)
    with pytest.raises(errors.StatusError, match="exceeded quota"):
        await create(registry, kinds.CONFIG_MAP, {"metadata": {"name": "b"}})
    await registry.delete(kinds.CONFIG_MAP, "default", "a")
    await create(registry, kinds.CONFIG_MAP, body)


async def test_services_and_claims_are_charged_for_what_they_ask(registry: Registry) -> None:
    hard = {"services.nodeports": "1", "requests.storage": "3Gi"}
    await create(registry, kinds.RESOURCE_QUOTA, quota(hard=hard))
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    service = {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": ports}}
    assert "requested: services.nodeports=2, used: services.nodeports=0" in await refused(
        registry, kinds.SERVICE, service
    )
    made = await create(registry, kinds.SERVICE, {**service, "spec": {"ports": ports}})
    with pytest.raises(errors.StatusError, match="exceeded quota"):
        await registry.update(
            kinds.SERVICE, "default", "s", {**made, "spec": {**made["spec"], "type": "NodePort"}}
        )
    claim = {
        "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    await create(registry, kinds.PERSISTENT_VOLUME_CLAIM, claim)
    assert "requested: requests.storage=2Gi, used: requests.storage=2Gi, limited: requests.storage=3Gi" in (
        await refused(registry, kinds.PERSISTENT_VOLUME_CLAIM, {**claim, "metadata": {"name": "e"}})
    )


async def test_scopes_choose_the_pods_of_a_quota(registry: Registry) -> None:
    await create(registry, kinds.RESOURCE_QUOTA, quota(hard={"pods": "0"}, scopes=["BestEffort"]))
    assert "exceeded quota" in await refused(registry, kinds.POD, pod())
    await create(registry, kinds.POD, pod(resources={"requests": {"cpu": "1"}}))


# --- priority -------------------------------------------------------------------------------------------


def priority_class(name: str, value: int, **more: Any) -> Any:
    return {"metadata": {"name": name}, "value": value, **more}


async def test_priorities_come_from_classes(registry: Registry) -> None:
    await create(registry, kinds.PRIORITY_CLASS, priority_class("high", 1000, preemptionPolicy="Never"))
    spec = (await create(registry, kinds.POD, pod(priorityClassName="high")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    assert (await create(registry, kinds.POD, pod("q")))["spec"]["priority"] == 0
    await create(registry, kinds.PRIORITY_CLASS, priority_class("usual", 5, globalDefault=True))
    spec = (await create(registry, kinds.POD, pod("r")))["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (5, "usual")
    assert "no PriorityClass with name x was found" in await refused(
        registry, kinds.POD, pod("s", priorityClassName="x")
    )
    second = priority_class("other", 6, globalDefault=True)
    assert "PriorityClass usual is already marked as default. Only one default can exist" in await refused(
        registry, kinds.PRIORITY_CLASS, second
    )
    assert "priority admission controller computed 1000" in await refused(
        registry, kinds.POD, pod("s", priorityClassName="high", priority=7)
    )


# --- pod security ---------------------------------------------------------------------------------------


async def label(registry: Registry, **labels: str) -> list[str]:
    """Set the namespace's level; return the warnings."""
    found = registry.get(kinds.NAMESPACE, "", "default")
    kept = {
        **objects.labels(found),
        **{f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()},
    }
    caller = Caller()
    body = {**found, "metadata": {**found["metadata"], "labels": kept}}
    await registry.update(kinds.NAMESPACE, "", "default", body, WriteOptions(caller=caller))
    return caller.warnings


async def test_a_restricted_namespace_refuses_ordinary_pods(registry: Registry) -> None:
    await label(registry, enforce="restricted")
    assert await refused(registry, kinds.POD, pod()) == (
        'pods "p" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" '
        'or "Localhost")'
    )
    good = pod(securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}})
    good["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    await create(registry, kinds.POD, good)


async def test_a_baseline_namespace_refuses_what_leads_out(registry: Registry) -> None:
    await label(registry, enforce="baseline")
    await create(registry, kinds.POD, pod("plain"))
    body = pod(hostNetwork=True, volumes=[{"name": "h", "hostPath": {"path": "/"}}])
    body["spec"]["containers"][0] |= {
        "securityContext": {"privileged": True, "capabilities": {"add": ["NET_ADMIN", "CHOWN"]}},
        "ports": [{"containerPort": 80, "hostPort": 80}],
    }
    assert await refused(registry, kinds.POD, body) == (
        'pods "p" is forbidden: violates PodSecurity "baseline:latest": '
        'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add), '
        'host namespaces (hostNetwork=true), hostPath volumes (volume "h"), '
        'hostPort (container "c" uses hostPort 80), '
        'privileged (container "c" must not set securityContext.privileged=true)'
    )


async def test_workloads_are_only_warned_about(registry: Registry) -> None:
    await label(registry, warn="baseline")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod(hostPID=True)["spec"]}
    body = {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    caller = Caller()
    await registry.create(kinds.DEPLOYMENT, "default", body, WriteOptions(caller=caller))
    assert caller.warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)']


async def test_a_namespace_that_is_tightened_tells_which_pods_do_not_fit(registry: Registry) -> None:
    for name in ("a", "b"):
        await create(registry, kinds.POD, pod(name, hostPID=True))
    assert await label(registry, enforce="baseline") == [
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): host namespaces",
    ]
    with pytest.raises(errors.StatusError, match="must be one of privileged, baseline, restricted"):
        await label(registry, enforce="strict")


# --- runtime classes ------------------------------------------------------------------------------------


async def test_a_runtime_class_is_looked_up_and_says_how_its_pods_are_scheduled(registry: Registry) -> None:
    assert await refused(registry, kinds.POD, pod(runtimeClassName="gvisor")) == (
        'pods "p" is forbidden: pod rejected: RuntimeClass "gvisor" not found'
    )
    toleration = {"key": "sandboxed", "operator": "Exists"}
    sandboxed = {
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
        "overhead": {"podFixed": {"cpu": "100m"}},
        "scheduling": {"nodeSelector": {"sandbox": "yes"}, "tolerations": [toleration]},
    }
    await create(registry, kinds.RUNTIME_CLASS, sandboxed)
    await create(registry, kinds.RUNTIME_CLASS, {"metadata": {"name": "plain"}, "handler": "runc"})
    spec = (await create(registry, kinds.POD, pod(runtimeClassName="gvisor", tolerations=[toleration])))[
        "spec"
    ]
    assert spec["overhead"] == {"cpu": "100m"}
    assert spec["nodeSelector"] == {"sandbox": "yes"}
    assert spec["tolerations"].count(toleration) == 1
    assert "overhead" not in (await create(registry, kinds.POD, pod("q", runtimeClassName="plain")))["spec"]
    other = pod("r", runtimeClassName="plain", overhead={"cpu": "1"})
    assert "Pod's Overhead doesn't match" in await refused(registry, kinds.POD, other)
    other = pod("r", runtimeClassName="gvisor", nodeSelector={"sandbox": "no"})
    assert "have different values for sandbox" in await refused(registry, kinds.POD, other)


# --- nodes ----------------------------------------------------------------------------------------------

NODE = WriteOptions(caller=Caller(User("system:node:one", ("system:nodes", "system:authenticated"))))


async def bound(registry: Registry, name: str, node: str) -> Any:
    return await create(registry, kinds.POD, pod(name, nodeName=node))


async def said(doing: Awaitable[Any]) -> str:
    """Return how a node's write is refused."""
    with pytest.raises(errors.StatusError) as found:
        await doing
    assert found.value.code == 403
    return found.value.message


async def test_a_node_speaks_for_its_own_pods(registry: Registry) -> None:
    mine, other = await bound(registry, "mine", "one"), await bound(registry, "other", "two")
    running = {"phase": "Running"}

    def told(obj: Any, **metadata: Any) -> Any:
        meta = {**obj["metadata"], **metadata}
        name = obj["metadata"]["name"]
        body = {**obj, "metadata": meta, "status": running}
        return registry.update(kinds.POD, "default", name, body, NODE, subresource="status")

    assert (await told(mine))["status"] == running
    text = 'node "one" can only update pod status for pods with spec.nodeName set to itself'
    assert text in await said(told(other))
    mine = registry.get(kinds.POD, "default", "mine")
    assert "cannot update labels through pod status" in await said(told(mine, labels={"a": "b"}))
    spec = {**mine, "metadata": {**mine["metadata"], "labels": {"a": "b"}}}
    assert "unexpected operation" in await said(registry.update(kinds.POD, "default", "mine", spec, NODE))
    gone = registry.delete(kinds.POD, "default", "other", write=NODE)
    assert "can only delete pods with spec.nodeName set to itself" in await said(gone)
    await registry.delete(kinds.POD, "default", "mine", DeleteOptions(grace_seconds=0), write=NODE)


async def test_a_node_makes_mirror_pods_only(registry: Registry) -> None:
    plain = pod(nodeName="one", automountServiceAccountToken=False)
    assert "can only create mirror pods" in await said(registry.create(kinds.POD, "default", plain, NODE))
    mirror = pod(nodeName="two", automountServiceAccountToken=False)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    text = "can only create pods with spec.nodeName set to itself"
    assert text in await said(registry.create(kinds.POD, "default", copy.deepcopy(mirror), NODE))
    mirror["spec"]["nodeName"] = "one"
    assert await registry.create(kinds.POD, "default", mirror, NODE)


async def test_a_node_changes_itself_only(registry: Registry) -> None:
    def node(name: str, **labels: str) -> Any:
        return {"metadata": {"name": name, "labels": labels}}

    refusal = await said(registry.create(kinds.NODE, "", node("two"), NODE))
    assert refusal == 'nodes "two" is forbidden: node "one" is not allowed to modify node "two"'
    labels = {"node-restriction.kubernetes.io/a": "b", "kubernetes.io/arch": "amd64", "mine": "x"}
    refusal = await said(registry.create(kinds.NODE, "", node("one", **labels), NODE))
    assert "is not allowed to set labels: node-restriction.kubernetes.io/a" in refusal
    made = await registry.create(kinds.NODE, "", node("one", **{"kubernetes.io/arch": "amd64"}), NODE)
    tainted = {**made, "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    assert "not allowed to modify taints" in await said(registry.update(kinds.NODE, "", "one", tainted, NODE))
    lease = {"metadata": {"name": "two"}, "spec": {}}
    text = "can only access lease with the same name as the requesting node"
    assert text in await said(registry.create(kinds.LEASE, "kube-node-lease", lease, NODE))
    csi_node: Any = {"metadata": {"name": "two"}, "spec": {"drivers": []}}
    assert "can only access CSINode" in await said(registry.create(kinds.CSI_NODE, "", csi_node, NODE))


async def test_a_claim_without_a_class_gets_the_default_one_and_keeps_what_it_names(
    registry: Registry,
) -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    for name, notes in (("plain", {}), ("chosen", mark)):
        body = {"metadata": {"name": name, "annotations": notes}, "provisioner": "a.io/b"}
        await registry.create(kinds.STORAGE_CLASS, "", body)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    old = {"volume.beta.kubernetes.io/storage-class": "plain"}
    for name, notes, said, kept in (
        ("none", {}, None, "chosen"),
        ("empty", {}, "", ""),
        ("named", {}, "plain", "plain"),
        ("old", old, None, None),
    ):
        body = {"metadata": {"name": name, "annotations": notes}, "spec": {**spec}}
        if said is not None:
            body["spec"]["storageClassName"] = said
        made = await registry.create(kinds.PERSISTENT_VOLUME_CLAIM, "default", body)
        assert made["spec"].get("storageClassName") == kept, name
