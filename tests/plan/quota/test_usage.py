"""What counts how much for a quota, by pkg/quota/v1/evaluator/core."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import kinds
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.plan.quota import planner, scopes, usage


def pod(**spec: Any) -> Object:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], **spec}}


def resources(requests: Any = None, limits: Any = None) -> dict[str, Any]:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


def claim(**spec: Any) -> Object:
    return {"metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": "1024Mi"}}, **spec}}


GREEDY = pod(
    containers=[
        {
            "name": "c",
            **resources({"cpu": "1", "hugepages-2Mi": "2Mi", "example.com/gpu": "1"}, {"memory": "1Gi"}),
        }
    ]
)


@pytest.mark.parametrize(
    ("kind", "obj", "want"),
    [
        (kinds.SECRET, {}, {"count/secrets": "1", "secrets": "1"}),
        (kinds.DEPLOYMENT, {}, {"count/deployments.apps": "1"}),
        (kinds.POD, pod(), {"count/pods": "1", "pods": "1"}),
        (kinds.POD, {**GREEDY, "status": {"phase": "Failed"}}, {"count/pods": "1"}),
        (
            kinds.POD,
            GREEDY,
            {
                "count/pods": "1",
                "pods": "1",
                "cpu": "1",
                "requests.cpu": "1",
                "hugepages-2Mi": "2Mi",
                "requests.hugepages-2Mi": "2Mi",
                "requests.example.com/gpu": "1",
                "limits.memory": "1Gi",
            },
        ),
        (kinds.SERVICE, {"spec": {"type": "ClusterIP"}}, {"count/services": "1", "services": "1"}),
        (
            kinds.SERVICE,
            {"spec": {"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}},
            {"count/services": "1", "services": "1", "services.nodeports": "2"},
        ),
        (
            kinds.SERVICE,
            {"spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]}},
            {
                "count/services": "1",
                "services": "1",
                "services.nodeports": "2",
                "services.loadbalancers": "1",
            },
        ),
        (
            kinds.SERVICE,
            {
                "spec": {
                    "type": "LoadBalancer",
                    "allocateLoadBalancerNodePorts": False,
                    "ports": [{"port": 1}, {"port": 2, "nodePort": 30000}],
                }
            },
            {
                "count/services": "1",
                "services": "1",
                "services.nodeports": "1",
                "services.loadbalancers": "1",
            },
        ),
        (
            kinds.PERSISTENT_VOLUME_CLAIM,
            claim(),
            {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "1Gi"},
        ),
        (
            kinds.PERSISTENT_VOLUME_CLAIM,
            claim(storageClassName="fast"),
            {
                "count/persistentvolumeclaims": "1",
                "persistentvolumeclaims": "1",
                "requests.storage": "1Gi",
                "fast.storageclass.storage.k8s.io/requests.storage": "1Gi",
                "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
            },
        ),
    ],
)
def test_what_an_object_counts_for(kind: Kind, obj: Object, want: dict[str, str]) -> None:
    assert usage.of(kind, obj) == want
    assert all(usage.counts(name, kind) for name in want), "whoever counts a name can count for it"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pods", kinds.SECRET),
        ("secrets", kinds.POD),
        ("pods", kinds.DEPLOYMENT),
        ("requests.storage", kinds.POD),
        ("services", kinds.PERSISTENT_VOLUME_CLAIM),
        ("count/pods", kinds.SERVICE),
        ("events", kinds.EVENT),
    ],
)
def test_what_cannot_count(name: str, kind: Kind) -> None:
    assert not usage.counts(name, kind)


@pytest.mark.parametrize(
    ("given", "hard", "want"),
    [
        (pod(), {"pods": "1", "requests.storage": "1"}, ""),
        (
            pod(),
            {"cpu": "1", "limits.memory": "1", "requests.cpu": "1"},
            "cpu for: c; limits.memory for: c; requests.cpu for: c",
        ),
        (pod(containers=[{"name": "c", **resources({"cpu": "1"})}]), {"cpu": "1", "requests.cpu": "1"}, ""),
        (pod(containers=[{"name": "b"}, {"name": "a"}]), {"memory": "1"}, "memory for: a,b"),
        (pod(containers=[], initContainers=[{"name": "i"}]), {"memory": "1"}, "memory for: i"),
        (pod(resources={"requests": {"cpu": "1"}}), {"cpu": "1", "memory": "1"}, ""),
    ],
)
def test_what_containers_have_to_say(given: Object, hard: dict[str, str], want: str) -> None:
    assert usage.missing(given, hard) == want


AFFINITY = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"namespaces": ["x"]}}
        ]
    }
}
SELECTING = {
    "podAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"namespaceSelector": {}, "topologyKey": "z"}]
    }
}
HERE = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z"}]}}


def priority(operator: str, *values: str) -> dict[str, Any]:
    each = {"scopeName": "PriorityClass", "operator": operator, "values": list(values)}
    return {"scopeSelector": {"matchExpressions": [each]}}


@pytest.mark.parametrize(
    ("spec", "given", "want"),
    [
        ({}, pod(), True),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=0), True),
        ({"scopes": ["Terminating"]}, pod(), False),
        ({"scopes": ["NotTerminating"]}, pod(), True),
        ({"scopes": ["BestEffort"]}, pod(), True),
        ({"scopes": ["NotBestEffort"]}, pod(), False),
        ({"scopes": ["NotBestEffort", "Terminating"]}, GREEDY, False),
        ({"scopes": ["NotBestEffort"]}, GREEDY, True),
        ({"scopes": ["PriorityClass"]}, pod(priorityClassName="high"), True),
        ({"scopes": ["PriorityClass"]}, pod(), False),
        ({"scopes": ["Unheard"]}, pod(), False),
        (priority("In", "high"), pod(priorityClassName="high"), True),
        (priority("NotIn", "high"), pod(priorityClassName="high"), False),
        (priority("DoesNotExist"), pod(), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=AFFINITY), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=SELECTING), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=HERE), False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(), False),
    ],
)
def test_which_pods_a_quota_looks_at(spec: dict[str, Any], given: Object, want: bool) -> None:
    assert scopes.selects({"spec": spec}, kinds.POD, given) is want


def test_a_quota_with_scopes_is_about_pods_alone() -> None:
    assert not scopes.selects({"spec": {"scopes": ["NotTerminating"]}}, kinds.SERVICE, {})


@pytest.mark.parametrize(
    ("asked", "present", "want"),
    [
        ({"pods": "1"}, {"pods": "1"}, ""),
        ({"pods": "0"}, {"pods": "5"}, ""),
        ({"secrets": "9"}, {}, ""),
        ({"pods": "1"}, {"pods": "2"}, "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"),
        (
            {"pods": "3", "memory": "0.5Gi", "cpu": "1"},
            {"memory": "1Gi"},
            "exceeded quota: q, requested: memory=512Mi,pods=3, used: memory=1Gi,pods=0, limited: memory=1Gi,pods=2",
        ),
    ],
)
def test_what_is_too_much(asked: dict[str, str], present: dict[str, str], want: str) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2", "memory": "1Gi", "cpu": "1"}}}
    assert planner.exceeded(quota, asked, present) == want


@pytest.mark.parametrize(
    ("operator", "values", "chosen"),
    [
        ("Exists", [], {"gold", "moving"}),
        ("DoesNotExist", [], {"plain"}),
        ("In", ["gold"], {"gold"}),
        ("In", ["silver"], {"moving"}),
        ("NotIn", ["gold"], {"plain", "moving"}),
    ],
)
def test_claims_are_chosen_by_their_attributes(operator: str, values: list[str], chosen: set[str]) -> None:
    claims = {
        "plain": claim(),
        "gold": claim(volumeAttributesClassName="gold"),
        "moving": {
            **claim(),
            "status": {
                "currentVolumeAttributesClassName": "bronze",
                "modifyVolumeStatus": {"targetVolumeAttributesClassName": "silver"},
            },
        },
    }
    wanted = {"scopeName": "VolumeAttributesClass", "operator": operator, "values": values}
    quota = {"spec": {"scopeSelector": {"matchExpressions": [wanted]}}}
    kind = kinds.PERSISTENT_VOLUME_CLAIM
    assert {name for name, obj in claims.items() if scopes.selects(quota, kind, obj)} == chosen
    assert not scopes.selects(quota, kinds.POD, pod())
    assert not scopes.selects({"spec": {"scopes": ["BestEffort"]}}, kind, claim())


def resized(reason: str = "") -> Object:
    """Return a pod that asks for more CPU and less memory than it has."""
    told = [{"name": "c", "allocatedResources": {"cpu": "1", "memory": "1Gi"}}]
    told[0] |= resources({"cpu": "1", "memory": "2Gi"}, {"memory": "2Gi"})
    conditions = [{"type": "PodResizePending", "status": "True", "reason": reason}] if reason else []
    asks = {"name": "c", **resources({"cpu": "3", "memory": "1Gi"}, {"memory": "1Gi"})}
    return {**pod(containers=[asks]), "status": {"containerStatuses": told, "conditions": conditions}}


@pytest.mark.parametrize(("reason", "cpu"), [("", "3"), ("Deferred", "3"), ("Infeasible", "1")])
def test_a_pod_that_is_resized_counts_for_what_it_asks_for_and_what_it_has(reason: str, cpu: str) -> None:
    found = usage.of_pod(resized(reason))
    assert (found["requests.cpu"], found["requests.memory"], found["limits.memory"]) == (cpu, "2Gi", "2Gi")


def test_a_pod_as_a_whole_counts_for_what_it_has_too() -> None:
    whole = {**pod(**resources({"cpu": "1"})), "status": {"resources": {"requests": {"cpu": "2"}}}}
    assert usage.of_pod(whole)["requests.cpu"] == "2"
