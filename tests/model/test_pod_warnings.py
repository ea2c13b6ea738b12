"""What is told about pods and templates of pods, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.validation import pod_warnings, storage_warnings

APPARMOR, SECCOMP = pod_warnings.APPARMOR, pod_warnings.SECCOMP
NODES = "requiredDuringSchedulingIgnoredDuringExecution"
SOME = "preferredDuringSchedulingIgnoredDuringExecution"
NO_POD = "a null labelSelector results in matching no pod"
FRACTION = "is invalid, must be an integer"


def told(spec: dict[str, Any], path: str = "", **notes: str) -> list[str]:
    return list(pod_warnings.warnings({"metadata": {"annotations": notes}, "spec": spec}, path))


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", **fields}]}


def volume(**fields: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **fields}]}


def items(*paths: str, **more: Any) -> dict[str, Any]:
    return {**more, "items": [{"key": "k", "path": one} for one in paths]}


def test_of_a_usual_pod_nothing_is_told() -> None:
    one = container(ports=[{"containerPort": 80}, {"containerPort": 81}], env=[{"name": "A"}, {"name": "B"}])
    assert told({**one, **volume(configMap=items("a", "b/c")), "terminationGracePeriodSeconds": 0}) == []
    assert list(pod_warnings.warnings({})) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"nodeSelector": {"beta.kubernetes.io/os": "linux", "a": "b"}},
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            {"affinity": {"nodeAffinity": {
                NODES: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "beta.kubernetes.io/arch"}]}]},
                SOME: [{"preference": {"matchExpressions": [{"key": "x"}, {"key": "app.kubernetes.io/created-by"}]}}],
            }}},
            [
                f"spec.affinity.nodeAffinity.{NODES}.nodeSelectorTerms[0].matchExpressions[0].key: "
                'beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
                f"spec.affinity.nodeAffinity.{SOME}[0].preference.matchExpressions[1].key: "
                "app.kubernetes.io/created-by is deprecated since v1.9",
            ],
        ),
        (
            {"topologySpreadConstraints": [
                {"topologyKey": "node-role.kubernetes.io/master"}, {"topologyKey": "z", "labelSelector": {}}]},
            [
                "spec.topologySpreadConstraints[0].topologyKey: node-role.kubernetes.io/master is "
                'use "node-role.kubernetes.io/control-plane" instead',
                f"spec.topologySpreadConstraints[0].labelSelector: {NO_POD}",
            ],
        ),
        (
            {"affinity": {"podAffinity": {NODES: [{"topologyKey": "z"}]},
                          "podAntiAffinity": {SOME: [{"podAffinityTerm": {"labelSelector": {}}}, {}]}}},
            [
                f"spec.affinity.podAffinity.{NODES}[0].labelSelector: {NO_POD}",
                f"spec.affinity.podAntiAffinity.{SOME}[1].podAffinityTerm.labelSelector: {NO_POD}",
            ],
        ),
        (volume(gitRepo={"repository": "x"}), ["spec.volumes[0].gitRepo: deprecated in v1.11"]),
        (volume(storageos={}), ["spec.volumes[0].storageOS: deprecated in v1.22, non-functional in v1.25+"]),
        (
            volume(ephemeral={"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "100m"}}}}}),
            ["spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: "
             f'fractional byte value "100m" {FRACTION}'],
        ),
        (
            volume(configMap=items("a/", "a/b", name="m")),
            ['volume "v" (ConfigMap "m"): overlapping paths: "a/b" with "a"'],
        ),
        (
            volume(secret=items("a", "", "a", secretName="s")),
            ['volume "v" (Secret "s"): overlapping paths: "a" with "a"'],
        ),
        (
            volume(projected={"sources": [{}, {"configMap": {"name": "whole"}}, {"downwardAPI": items("x")},
                                          {"serviceAccountToken": {"path": "token"}},
                                          {"clusterTrustBundle": {"path": "token", "signerName": "s"}}]}),
            ['volume "v" (Projected) has no sources provided',
             'volume "v" (Projected ClusterTrustBundle "s"): overlapping paths: "token" with "token"'],
        ),
        ({"hostAliases": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]}, ['spec.hostAliases[1].ip: duplicate ip "1.1.1.1"']),
        (
            {"imagePullSecrets": [{"name": "a"}, {"name": "a"}, {}]},
            ['spec.imagePullSecrets[1].name: duplicate name "a"', 'spec.imagePullSecrets[2].name: invalid empty name ""'],
        ),
        ({"overhead": {"memory": "1500m"}}, [f'spec.overhead[memory]: fractional byte value "1500m" {FRACTION}']),
        (
            container(resources={"limits": {"memory": "128m", "cpu": "1m"}, "requests": {"ephemeral-storage": "0.5"}}),
            [f'spec.containers[0].resources.limits[memory]: fractional byte value "128m" {FRACTION}',
             f'spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value "500m" {FRACTION}'],
        ),
        (
            container(env=[{"name": "A", "value": "x"}, {"name": "A", "value": "$(A)y"}, {"name": "A", "value": "$(A)"}]),
            ['spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply'],
        ),
        (
            {"initContainers": [{"name": "i", "ports": [{"containerPort": 80}]}],
             **container(ports=[{"containerPort": 80, "hostPort": 8}, {"containerPort": 80, "hostPort": 8, "hostIP": "1.1.1.1"},
                                {"containerPort": 80, "hostPort": 9, "name": "w"}, {"containerPort": 80, "protocol": "UDP"},
                                {"containerPort": 81, "hostIP": "1.1.1.1"}])},
            [
                "spec.containers[0].ports[0]: overlapping port definition with spec.initContainers[0].ports[0]",
                "spec.containers[0].ports[1]: overlapping port definition with spec.initContainers[0].ports[0]",
                "spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]",
                "spec.containers[0].ports[2]: overlapping port definition with spec.initContainers[0].ports[0]",
                "spec.containers[0].ports[4]: hostIP set without hostPort: "
                "{Name: HostPort:0 ContainerPort:81 Protocol:TCP HostIP:1.1.1.1}",
            ],
        ),
        (
            container(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 80, "name": "b"}]),
            ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"],
        ),
        (
            {"terminationGracePeriodSeconds": -1},
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_pod_is_told(spec: dict[str, Any], words: list[str]) -> None:
    assert told(spec) == words
    assert all(one.startswith(("t.spec.", "volume ")) for one in told(spec, "t"))


def test_annotations_that_fields_have_taken_the_place_of_are_told() -> None:
    notes = {SECCOMP + "c": "x", APPARMOR + "c": "x", pod_warnings.SECCOMP_POD: "x"}
    field = 'use the "{}" field instead'
    profile = field.format("seccompProfile")
    assert told(container(), "t", **notes) == [
        f"t.metadata.annotations[{pod_warnings.SECCOMP_POD}]: non-functional in v1.27+; {profile}",
        f"t.metadata.annotations[{SECCOMP}c]: non-functional in v1.27+; {profile}",
        f"t.metadata.annotations[{APPARMOR}c]: deprecated since v1.30; {field.format('appArmorProfile')}",
    ]
    assert told(container(), **{APPARMOR + "c": "x"}) == []
    secured = {"seccompProfile": {"type": "RuntimeDefault"}, "appArmorProfile": {"type": "RuntimeDefault"}}
    assert told({**container(securityContext=secured), "securityContext": secured}, "t", **notes) == []
    critical = "scheduler.alpha.kubernetes.io/critical-pod"
    assert told({}, **{critical: ""}) == [
        f'metadata.annotations[{critical}]: non-functional in v1.16+; use the "priorityClassName" field instead'
    ]


def test_what_is_odd_about_storage_is_told() -> None:
    notes = {storage_warnings.CLASS: "x", storage_warnings.MOUNT_OPTIONS: "x"}
    terms = [{"matchExpressions": [{"key": "failure-domain.beta.kubernetes.io/zone"}]}]
    spec = {
        "persistentVolumeReclaimPolicy": "Recycle",
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }
    one = {"metadata": {"annotations": notes}, "spec": {**spec, "glusterfs": {}}}
    assert [words.split(": ")[0] for words in storage_warnings.of_volume(one)] == [
        f"metadata.annotations[{storage_warnings.CLASS}]",
        f"metadata.annotations[{storage_warnings.MOUNT_OPTIONS}]",
        "spec.persistentVolumeReclaimPolicy",
        "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key",
        "spec.glusterfs",
    ]
    claim = {"metadata": {"annotations": notes}, "spec": {"resources": {"requests": {"storage": "500m"}}}}
    assert list(storage_warnings.of_claim(claim)) == [
        f'metadata.annotations[{storage_warnings.CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead',
        f'spec.resources.requests[storage]: fractional byte value "500m" {FRACTION}',
    ]
    assert list(storage_warnings.of_claim({"metadata": {}, "spec": {}})) == []
    assert list(storage_warnings.of_volume({"metadata": {}, "spec": {}})) == []
