"""What a container is made from: environment, resources, rights, mounts, sandbox."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from minikctl.model import quality
from minikctl.model.actions.node import (
    ExecCheck,
    FilesVolume,
    GrpcCheck,
    HostFile,
    HostVolume,
    HttpCheck,
    ImageVolume,
    NoCheck,
    RunContainer,
    ScratchVolume,
    Sleep,
    SubPath,
)
from minikctl.model.containers import Mount, PortBinding
from minikctl.plan import pod as planner
from minikctl.plan.cni import protocol
from minikctl.plan.pod import (
    accounts,
    backoff,
    build,
    checks,
    ending,
    env,
    fidelity,
    fields,
    images,
    names,
    references,
    resources,
    sandbox,
    security,
    state,
    volumes,
)
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import ImageState, PodView
from tests.plan.pod import cases

IMAGE = ImageState("demo:1", "sha256:1", "")
Object = dict[str, Any]


def view_of(spec: Object | None = None, **given: Any) -> PodView:
    found = {"containers": [{"name": "app"}], **(spec or {})}
    metadata = given.pop("metadata", {})
    return cases.view({"pod": {"metadata": metadata, "spec": found}, **given})


def running(spec: Object, **given: Any) -> state.PodState:
    view = view_of(spec, containers=[{"name": "POD"}], attached=["POD-0"], **given)
    assert view.pod is not None
    return state.of(view, view.pod)


def built(spec: Object, image: ImageState = IMAGE, **given: Any) -> RunContainer:
    found = running(spec, **given)
    return build.run(found, found.apps[0], image)


def app(**fields: Any) -> Object:
    return {"containers": [{"name": "app", **fields}]}


# --- environment -------------------------------------------------------------------------------------------


def variables(container: Object, view: PodView | None = None) -> dict[str, str]:
    return env.environment(view or view_of(), container, "10.201.0.5")


def test_later_variables_see_earlier_ones_and_escapes_stay() -> None:
    found = variables(
        {
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)-$(LATER)-$$(A)-$x"},
                {"name": "LATER"},
            ]
        }
    )
    assert found == {"A": "1", "B": "1-$(LATER)-$(A)-$x", "LATER": ""}


def test_sources_are_read_by_key_and_as_a_whole() -> None:
    view = view_of(config_maps={"cfg": {"a": "1"}}, secrets={"sec": {"b": "2"}})
    found = variables(
        {
            "envFrom": [
                {"configMapRef": {"name": "cfg"}, "prefix": "P_"},
                {"secretRef": {"name": "sec"}},
                {"secretRef": {"name": "none", "optional": True}},
            ],
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "b"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "x", "optional": True}}},
                {"name": "D", "valueFrom": {"secretKeyRef": {"name": "no", "key": "x", "optional": True}}},
            ],
        },
        view,
    )
    assert found == {"P_a": "1", "b": "2", "A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "x"}}}]},
            "couldn't find key x in ConfigMap default/cfg",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x"}}}]},
            'secret "none" not found',
        ),
        ({"envFrom": [{"configMapRef": {"name": "none"}}]}, 'configmap "none" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"otherRef": {"path": "x"}}}]},
            "env A: valueFrom otherRef is not supported here",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
            "unsupported fieldPath: spec.x",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "x.cpu"}}}]},
            "unsupported container resource : x.cpu",
        ),
        (
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "x"}},
                    }
                ]
            },
            "container x not found",
        ),
    ],
)
def test_what_is_missing_is_named(container: Object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variables(container, view_of(config_maps={"cfg": {"a": "1"}}))
    assert caught.value.message == message


def service(
    name: str, namespace: str = "default", address: str | None = "10.96.0.7", *ports: Object
) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": address, "ports": list(ports)},
    }


def test_services_become_variables() -> None:
    web = service(
        "my-web", "default", "10.96.0.7", {"port": 80, "name": "http"}, {"port": 53, "protocol": "UDP"}
    )
    view = view_of(services=[web, service("none", "default", "None"), service("far", "other")])
    assert env.service_variables(view) == {
        "MY_WEB_SERVICE_HOST": "10.96.0.7",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_PORT": "tcp://10.96.0.7:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.96.0.7:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "10.96.0.7",
        "MY_WEB_PORT_53_UDP": "udp://10.96.0.7:53",
        "MY_WEB_PORT_53_UDP_PROTO": "udp",
        "MY_WEB_PORT_53_UDP_PORT": "53",
        "MY_WEB_PORT_53_UDP_ADDR": "10.96.0.7",
    }


def test_without_links_only_the_api_server_is_left() -> None:
    services = [service("kubernetes", "default", "10.96.0.1"), service("web")]
    view = view_of({"enableServiceLinks": False}, services=services)
    assert env.service_variables(view) == {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


def test_fields_of_the_pod_are_read() -> None:
    view = view_of(
        {"serviceAccountName": "sa"}, metadata={"labels": {"b": "2", "a": 'x"y'}, "annotations": {"n": "v"}}
    )

    def read(path: str) -> str:
        return fields.read(view, path, "10.201.0.5")

    assert read("metadata.name") == "web"
    assert read("metadata.uid") == cases.UID
    assert read("spec.nodeName") == "node-1"
    assert read("spec.serviceAccountName") == "sa"
    assert read("status.podIP") == read("status.podIPs") == "10.201.0.5"
    assert read("status.hostIP") == "10.1.1.1"
    assert read("metadata.labels['a']") == 'x"y'
    assert read("metadata.annotations['none']") == ""
    assert read("metadata.labels") == 'a="x\\"y"\nb="2"'


# --- resources ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (2, 0, 0)),
        ({"requests": {"cpu": "500m"}}, (512, 0, 0)),
        ({"limits": {"cpu": "2", "memory": "64Mi"}}, (2048, 200_000, 64 << 20)),
        ({"limits": {"cpu": "1m"}}, (2, 1000, 0)),
        ({"limits": {"cpu": "0"}}, (2, 0, 0)),
        ({"requests": {"cpu": "10k"}}, (262144, 0, 0)),
    ],
)
def test_limits_are_the_engine_s(given: Object, wanted: tuple[int, int, int]) -> None:
    found = resources.of({"resources": given}, {})
    assert (found.cpu_shares, found.cpu_quota_us, found.memory_bytes) == wanted


def test_a_container_without_limits_is_held_to_those_of_its_pod() -> None:
    whole = {"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
    found = resources.of({"resources": {"limits": {"memory": "32Mi"}}}, whole)
    assert (found.cpu_quota_us, found.memory_bytes) == (100_000, 32 << 20)
    assert resources.of({}, whole).memory_bytes == 64 << 20


def test_what_the_pod_asks_for_beyond_its_containers_counts_for_each_of_them() -> None:
    spec = {"containers": [{"name": "app"}, {"name": "b", "resources": {"requests": {"memory": "2Gi"}}}]}
    whole = {"resources": {"requests": {"memory": "4Gi"}}}
    assert built({**spec, **whole}).spec.oom_score_adj == 1000 - 125  # 1 of the node's 8 Gi


@pytest.mark.parametrize(
    ("asked", "priority", "score"),
    [
        ({}, 0, 1000),
        ({"requests": {"cpu": "1"}}, 0, 999),
        ({"requests": {"memory": "4Gi"}}, 0, 500),
        ({"requests": {"memory": "9Gi"}}, 0, 3),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, 0, 0),
        ({}, 2_000_001_000, 0),
    ],
)
def test_who_is_killed_first_when_memory_runs_out(asked: Object, priority: int, score: int) -> None:
    made = built({**app(resources=asked), "priority": priority})
    assert made.spec.oom_score_adj == score


@pytest.mark.parametrize(
    ("resource", "divisor", "wanted"),
    [
        ("limits.cpu", None, "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "1m", "1500"),
        ("limits.memory", "1Mi", "8192"),
        ("requests.memory", "0", "0"),
        ("limits.ephemeral-storage", "1Gi", "20"),
        ("requests.ephemeral-storage", "1Gi", "0"),
        ("limits.other", None, "0"),
    ],
)
def test_resource_fields_are_rounded_up(resource: str, divisor: str | None, wanted: str) -> None:
    container = {"name": "app", "resources": {"limits": {"cpu": "1500m"}}}
    reference = {"resource": resource, "divisor": divisor, "containerName": "app"}
    pod = {"spec": {"containers": [container], "initContainers": [{"name": "one"}]}}
    assert resources.field(pod, container, reference, cases.node()) == wanted
    assert resources.field(pod, {"name": "other"}, reference, cases.node()) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "0"}}], "BestEffort"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}], "Burstable"),
    ],
)
def test_the_qos_class_follows_the_resources(given: list[Object], wanted: str) -> None:
    pod = {"spec": {"containers": [{"resources": found} for found in given]}}
    assert quality.qos_class(pod) == wanted
    whole = {"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}], "resources": given[0]}}
    assert len(given) > 1 or not given[0] or quality.qos_class(whole) == wanted


# --- rights ------------------------------------------------------------------------------------------------


def rights(pod: Object, own: Object, user: str = "") -> security.Security:
    view = view_of({"securityContext": pod})
    return security.of(view, {"name": "app", "securityContext": own}, ImageState("i", "x", user))


@pytest.mark.parametrize(
    ("pod", "own", "image_user", "wanted"),
    [
        ({}, {}, "bob", ""),
        ({"runAsUser": 1}, {"runAsUser": 2}, "", "2"),
        ({"runAsUser": 1, "runAsGroup": 3}, {}, "", "1:3"),
        ({"runAsGroup": 3}, {}, "bob:x", "bob:3"),
        ({"runAsGroup": 3}, {}, "", "0:3"),
        ({"runAsNonRoot": True}, {}, "1000:5", ""),
        ({"runAsNonRoot": True, "runAsUser": 5}, {}, "", "5"),
    ],
)
def test_the_user_is_the_containers_or_the_pods(
    pod: Object, own: Object, image_user: str, wanted: str
) -> None:
    assert rights(pod, own, image_user).user == wanted


ACCOUNTS = accounts.parse(
    "root:x:0:0::/:/bin/sh\nbob:x:1000:50::/:/bin/sh\n",
    "root:x:0:\nwheel:x:10:root,bob\nextra:x:60:bob\nother:x:70:eve\n",
)
STRICT = {"supplementalGroupsPolicy": "Strict"}


@pytest.mark.parametrize(
    ("asked", "image_user", "user", "groups"),
    [
        ({}, "bob", "", []),
        ({"runAsUser": 1000}, "", "1000", []),
        ({"runAsUser": 1000, "runAsGroup": 3}, "", "1000:3", [10, 60]),
        (
            {"runAsUser": 1000, "runAsGroup": 10, "fsGroup": 60, "supplementalGroups": [9]},
            "",
            "1000:10",
            [60, 9],
        ),
        ({"runAsGroup": 3}, "bob:other", "1000:3", [10, 60]),
        ({"runAsUser": 7, "runAsGroup": 3}, "bob", "7:3", []),
        ({}, "bob:other", "1000:70", [10, 60]),
        ({}, "0:5", "0:5", [10]),
        ({"runAsGroup": 3}, "eve", "eve:3", []),
        (STRICT, "bob", "1000:50", []),
        ({**STRICT, "fsGroup": 9}, "", "0:0", [9]),
        ({**STRICT, "runAsUser": 1000}, "eve", "1000:50", []),
        ({**STRICT, "runAsUser": 7, "runAsGroup": 8}, "bob:wheel", "7:8", []),
        ({"supplementalGroupsPolicy": "Merge", "runAsUser": 1000, "runAsGroup": 8}, "", "1000:8", [10, 60]),
    ],
)
def test_groups_of_the_image_are_added_as_the_policy_says(
    asked: Object, image_user: str, user: str, groups: list[int]
) -> None:
    view = view_of({"securityContext": asked})
    image = ImageState("i", "x", image_user, ACCOUNTS)
    found = security.of(view, {"name": "app"}, image)
    assert (found.user, found.groups) == (user, tuple(map(str, groups)))


def test_groups_that_nobody_can_tell_are_not_guessed() -> None:
    with pytest.raises(ConfigError) as caught:
        rights(STRICT, {}, "bob")
    assert caught.value.message == (
        "cannot read users and groups of image i, which supplementalGroupsPolicy Strict needs"
    )
    assert rights({**STRICT, "runAsUser": 1, "runAsGroup": 2}, {}).user == "1:2"


@pytest.mark.parametrize(
    ("asked", "image_user", "wanted"),
    [
        ({}, "", [0, 0, [0, 10]]),
        ({}, "bob", [1000, 50, [50, 10, 60]]),
        ({"runAsUser": 5}, "bob", [5, 0, [0]]),
        ({"fsGroup": 10, "supplementalGroups": [9]}, "bob", [1000, 50, [50, 10, 60, 9]]),
        (STRICT, "bob", [1000, 50, [50]]),
    ],
)
def test_who_a_container_is_comes_from_its_image(asked: Object, image_user: str, wanted: list[Any]) -> None:
    image = ImageState("i", "x", image_user, ACCOUNTS)
    found = security.identity({"securityContext": asked}, app(), image)
    assert found == dict(zip(("uid", "gid", "supplementalGroups"), wanted, strict=True))


def test_nobody_is_made_up() -> None:
    assert security.identity({}, app(), None) is None
    assert security.identity({}, app(), ImageState("i", "x", "eve", ACCOUNTS)) is None
    named = {"securityContext": {"runAsUser": 1, "runAsGroup": 2}}
    assert security.identity(named, app(), None) == {"uid": 1, "gid": 2, "supplementalGroups": [2]}


@pytest.mark.parametrize(
    ("pod", "image_user", "words"),
    [
        ({"runAsNonRoot": True, "runAsUser": 0}, "", "runAsUser breaks non-root policy"),
        ({"runAsNonRoot": True}, "root", "image will run as root"),
        ({"runAsNonRoot": True}, "", "image will run as root"),
        ({"runAsNonRoot": True}, "bob", "non-numeric user (bob), cannot verify"),
    ],
)
def test_root_is_refused_where_it_must_not_be(pod: Object, image_user: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rights(pod, {}, image_user)
    assert words in caught.value.message
    assert f'(pod: "web_default({cases.UID})", container: app)' in caught.value.message


def test_rights_are_the_engine_s() -> None:
    found = rights(
        {"fsGroup": 7, "supplementalGroups": [8, 7], "seccompProfile": {"type": "Unconfined"}},
        {
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "privileged": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "appArmorProfile": {"type": "Unconfined"},
        },
    )
    assert found.groups == ("7", "8")
    assert (found.cap_add, found.cap_drop) == (("NET_ADMIN",), ("ALL",))
    assert found.privileged
    assert found.read_only_root
    assert found.options == ("no-new-privileges", "seccomp=unconfined", "apparmor=unconfined")


# --- volumes -----------------------------------------------------------------------------------------------


def volume(definition: Object, pod: Object | None = None, **given: Any) -> Any:
    found = volumes.wanted(view_of({**(pod or {}), "volumes": [{"name": "v", **definition}]}, **given))
    assert len(found.wanted) + len(found.problems) == 1
    return found.wanted[0] if found.wanted else found.problems["v"]


def contents(found: FilesVolume) -> dict[str, tuple[bytes, int]]:
    return {file.path: (file.data, file.mode) for file in found.files}


DATA = {"a": "1", "b": "2"}


def test_a_config_map_becomes_files() -> None:
    found = volume({"configMap": {"name": "cfg"}}, config_maps={"cfg": DATA})
    assert found.path == f"/state/pods/{cases.UID}/volumes/v"
    assert contents(found) == {"a": (b"1", 0o644), "b": (b"2", 0o644)}
    assert found.gid is None


def test_binary_data_becomes_files_too() -> None:
    view = view_of({"volumes": [{"name": "v", "configMap": {"name": "cfg"}}]})
    binary = {"binaryData": {"x": base64.b64encode(b"\xff").decode(), "y": "broken"}}
    found = volumes.wanted(PodView(**{**vars(view), "config_maps": {"cfg": binary}})).wanted[0]
    assert isinstance(found, FilesVolume)
    assert contents(found) == {"x": (b"\xff", 0o644), "y": (b"", 0o644)}


def test_items_choose_and_name_files() -> None:
    items = [{"key": "a", "path": "sub/x"}, {"key": "b", "path": "y", "mode": 0o400}]
    found = volume(
        {"secret": {"secretName": "sec", "items": items, "defaultMode": 0o600}},
        {"securityContext": {"fsGroup": 9}},
        secrets={"sec": DATA},
    )
    assert contents(found) == {"sub/x": (b"1", 0o600), "y": (b"2", 0o400)}
    assert found.gid == 9


def test_optional_sources_may_be_missing() -> None:
    assert volume({"configMap": {"name": "none", "optional": True}}).files == ()
    some = {"name": "cfg", "optional": True, "items": [{"key": "x", "path": "x"}]}
    assert volume({"configMap": some}, config_maps={"cfg": DATA}).files == ()


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "cfg", "items": [{"key": "x", "path": "x"}]}}, "non-existent config key: x"),
        (
            {"secret": {"secretName": "sec", "items": [{"key": "x", "path": "x"}]}},
            "non-existent secret key: x",
        ),
        ({"configMap": {"name": "cfg", "items": [{"key": "a", "path": "../x"}]}}, "invalid path ../x"),
        ({"nfs": {"server": "x"}}, "volume type nfs is not supported here"),
        (
            {"projected": {"sources": [{"clusterTrustBundle": {}}]}},
            "projected source clusterTrustBundle is not",
        ),
        ({"projected": {"sources": [{}]}}, "projected source without type is not"),
    ],
)
def test_a_volume_that_cannot_be_had_says_why(definition: Object, words: str) -> None:
    found = volume(definition, config_maps={"cfg": DATA}, secrets={"sec": DATA})
    assert found.startswith('MountVolume.SetUp failed for volume "v" : ')
    assert words in found


def test_projected_volumes_join_their_sources() -> None:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    limits = [
        {"path": "cpu", "mode": 0o444, "resourceFieldRef": {"resource": "limits.cpu", "containerName": "app"}}
    ]
    found = volume(
        {
            "projected": {
                "defaultMode": 0o640,
                "sources": [
                    {"configMap": {"name": "cfg"}},
                    {"secret": {"name": "sec"}},
                    {"downwardAPI": {"items": items}},
                    {"downwardAPI": {"items": limits}},
                ],
            }
        },
        config_maps={"cfg": {"a": "1"}},
        secrets={"sec": {"a": "2"}},
        metadata={"labels": {"x": "y"}},
    )
    assert contents(found) == {
        "a": (b"2", 0o640),
        "labels": (b'x="y"', 0o640),
        "cpu": (b"4", 0o444),
    }


@pytest.mark.parametrize(
    ("spec", "mode", "uid"),
    [
        ({}, 0o644, None),
        ({"securityContext": {"fsGroup": 7}}, 0o600, None),
        ({"securityContext": {"runAsUser": 1000}}, 0o600, 1000),
        (app(securityContext={"runAsUser": 1001}), 0o600, 1001),
        (
            {"containers": [{"name": "a", "securityContext": {"runAsUser": 1}}, {"name": "b"}]},
            0o644,
            None,
        ),
    ],
)
def test_tokens_are_for_the_pod_s_one_user_or_its_group(spec: Object, mode: int, uid: int | None) -> None:
    sources = [{"serviceAccountToken": {"path": "token"}}]
    found = volume({"projected": {"sources": sources}}, pod=spec)
    assert isinstance(found, FilesVolume)
    assert [(token.mode, token.uid) for token in found.tokens] == [(mode, uid)]


def test_the_downward_api_is_a_volume_too() -> None:
    found = volume({"downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}})
    assert contents(found) == {"n": (b"web", 0o644)}


def test_scratch_and_host_volumes() -> None:
    assert volume({"emptyDir": {}}) == ScratchVolume("v", f"/state/pods/{cases.UID}/volumes/v")
    assert volume({}) == ScratchVolume("v", f"/state/pods/{cases.UID}/volumes/v")
    memory = volume({"emptyDir": {"medium": "Memory"}}, memory_dir="/dev/shm/m")
    assert memory == ScratchVolume("v", f"/dev/shm/m/{cases.UID}/v")
    assert volume({"hostPath": {"path": "/x", "type": "File"}}) == HostVolume("v", "/x", "File")


VOLUMES = [
    {"name": "c", "configMap": {"name": "cfg"}},
    {"name": "e", "emptyDir": {}},
    {"name": "h", "hostPath": {"path": "/h"}},
]


def mounts(*given: Object) -> volumes.Mounts:
    container = {"name": "app", "volumeMounts": list(given)}
    return volumes.mounts(view_of({"volumes": VOLUMES}), container, {"POD": "web"})


def test_mounts_are_the_engine_s() -> None:
    base = f"/state/pods/{cases.UID}/volumes"
    found = mounts(
        {"name": "c", "mountPath": "/c"},
        {"name": "e", "mountPath": "e", "readOnly": True},
        {"name": "h", "mountPath": "/h", "mountPropagation": "HostToContainer"},
        {"name": "e", "mountPath": "/s", "subPath": "a/b"},
        {"name": "c", "mountPath": "/f", "subPathExpr": "$(POD).cfg"},
    )
    assert found.mounts == (
        Mount(f"{base}/c", "/c", read_only=True),
        Mount(f"{base}/e", "/e", read_only=True),
        Mount("/h", "/h", propagation="rslave"),
        Mount(f"{base}/e/a/b", "/s"),
        Mount(f"{base}/c/web.cfg", "/f", read_only=True),
    )
    assert found.sub_paths == (SubPath(f"{base}/e", "a/b"), SubPath(f"{base}/c", "web.cfg", create=False))


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ({"name": "x", "mountPath": "/x"}, 'cannot find volume "x" to mount into container'),
        (
            {"name": "e", "mountPath": "/x", "readOnly": True, "recursiveReadOnly": "Enabled"},
            'failed to resolve recursive read-only mode: volume "e" requested recursive read-only mode',
        ),
        ({"name": "e", "mountPath": "/x", "subPath": "/etc"}, "must not be an absolute path"),
        ({"name": "e", "mountPath": "/x", "subPath": "a/../../b"}, "must not contain '..'"),
    ],
)
def test_a_mount_that_cannot_be_made_says_why(mount: Object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mounts(mount)
    assert words in caught.value.message


# --- the container -----------------------------------------------------------------------------------------


def test_a_container_joins_its_sandbox() -> None:
    made = built(
        app(command=["run", "$(A)"], args=["$(B)"], env=[{"name": "A", "value": "1"}], workingDir="/w")
    )
    spec = made.spec
    assert spec.name == "mk_test_default_web_app_01234567_0"
    assert (spec.network, spec.ipc_mode, spec.pid_mode) == ("container:POD-0", "container:POD-0", "")
    assert (spec.entrypoint, spec.command) == (("run", "1"), ("$(B)",))
    assert spec.working_dir == "/w"
    assert dict(spec.env) == {"A": "1"}
    assert spec.labels == {
        names.CLUSTER: "test",
        names.ROLE: "app",
        names.POD_UID: cases.UID,
        names.POD_NAME: "web",
        names.POD_NAMESPACE: "default",
        names.CONTAINER: "app",
        names.ATTEMPT: "0",
        names.SPEC_HASH: names.spec_hash({"name": "app", "image": "demo:1"}),
        names.SANDBOX: "POD-0",
        names.BACKOFF: "0",
    }
    base = f"/state/pods/{cases.UID}"
    assert spec.mounts == (
        Mount(f"{base}/resolv.conf", "/etc/resolv.conf"),
        Mount(f"{base}/hosts", "/etc/hosts"),
        Mount(f"{base}/containers/app/0.log", "/dev/termination-log"),
    )
    assert made.files[-1] == HostFile(f"{base}/containers/app/0.log", "", 0o666)


def test_without_command_and_arguments_the_image_s_own_run() -> None:
    made = built(app())
    assert (made.spec.entrypoint, made.spec.command) == (None, None)


def test_an_engine_that_is_stopped_gives_containers_their_pod_s_grace_period() -> None:
    assert built({"terminationGracePeriodSeconds": 0, "containers": [app()]}).spec.stop_seconds == 0
    assert built({"containers": [app()]}).spec.stop_seconds == 30


def test_host_namespaces_are_the_host_s() -> None:
    made = built({**app(), "hostNetwork": True, "hostPID": True, "hostIPC": True})
    assert (made.spec.network, made.spec.pid_mode, made.spec.ipc_mode) == ("host", "host", "host")
    assert [mount.target for mount in made.spec.mounts] == ["/etc/resolv.conf", "/dev/termination-log"]


def test_processes_may_be_shared() -> None:
    assert built({**app(), "shareProcessNamespace": True}).spec.pid_mode == "container:POD-0"


def test_a_container_may_mount_its_own_hosts_file() -> None:
    own = app(volumeMounts=[{"name": "h", "mountPath": "/etc/hosts"}])
    made = built({**own, "volumes": [{"name": "h", "hostPath": {"path": "/my/hosts"}}]})
    assert [m.source for m in made.spec.mounts if m.target == "/etc/hosts"] == ["/my/hosts"]


def test_a_container_of_an_ended_attempt_carries_the_next_delay() -> None:
    view = view_of(
        app(),
        containers=[{"name": "POD"}, {"name": "app", "attempt": 3, "status": "exited", "backoff": 40}],
        attached=["POD-0"],
    )
    assert view.pod is not None
    found = state.of(view, view.pod)
    made = build.run(found, found.apps[0], IMAGE)
    assert made.spec.labels[names.BACKOFF] == "80"
    assert made.spec.labels[names.ATTEMPT] == "4"


def test_the_sandbox_is_built_before_there_is_one() -> None:
    view = view_of(app())
    assert view.pod is not None
    found = state.of(view, view.pod)
    assert build.run(found, found.apps[0], IMAGE).spec.network == "container:"


# --- the sandbox -------------------------------------------------------------------------------------------


def test_the_sandbox_owns_what_the_pod_shares() -> None:
    ports = [
        {"containerPort": 80, "hostPort": 8080},
        {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "127.0.0.2"},
        {"containerPort": 90},
        {"containerPort": 80, "hostPort": 8080},
    ]
    spec = {
        "initContainers": [{"name": "one", "ports": [{"containerPort": 1, "hostPort": 1}]}],
        "containers": [{"name": "app", "ports": ports}],
        "securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "9"}]},
    }
    made = sandbox.pause_spec(running(spec))
    assert made.ports == (PortBinding(80, "tcp", "127.0.0.1", 8080), PortBinding(53, "udp", "127.0.0.2", 53))
    assert made.sysctls == (("net.ipv4.tcp_timestamps", "2"), ("net.core.somaxconn", "9"))
    assert (made.network, made.hostname, made.ipc_mode, made.pid_mode) == (
        "minikctl-test",
        "web",
        "shareable",
        "",
    )
    assert (made.image, made.entrypoint) == ("infra:1", ("/pause",))
    assert made.labels[names.ATTEMPT] == "1"


@pytest.mark.parametrize(
    ("no_sctp", "network", "published"),
    [
        (False, "minikctl-test", [8080, 3868]),
        (True, "minikctl-test", [8080]),
        (True, f"{protocol.PLUGINS}node-1", [8080, 3868]),
    ],
)
def test_of_sctp_only_plugins_can_publish_where_the_engine_cannot(
    no_sctp: bool, network: str, published: list[int]
) -> None:
    ports = [
        {"containerPort": 80, "hostPort": 8080},
        {"containerPort": 38, "hostPort": 3868, "protocol": "SCTP"},
    ]
    found = running(app(ports=ports))
    node = dataclasses.replace(found.view.node, network=network)
    found = dataclasses.replace(found, view=dataclasses.replace(found.view, node=node, no_sctp=no_sctp))
    made = sandbox.pause_spec(found)
    assert [port.host_port for port in made.ports] == published
    assert made.publishes_sctp is (3868 in published)


@pytest.mark.parametrize(
    ("asked", "there", "joined"),
    [
        ("engine", "bridge-of-ours", "bridge-of-ours"),
        ("engine", "", "minikctl-test"),
        ("other", "bridge-of-ours", "minikctl-test"),
    ],
)
def test_a_system_s_pod_may_ask_for_the_engine_s_own_network(asked: str, there: str, joined: str) -> None:
    found = running(app())
    found.pod["metadata"]["annotations"] = {"minikctl.dev/network": asked}
    node = dataclasses.replace(found.view.node, engine_network=there)
    found = dataclasses.replace(found, view=dataclasses.replace(found.view, node=node))
    assert sandbox.pause_spec(found).network == joined


def test_a_sandbox_on_the_host_s_network_publishes_nothing() -> None:
    spec = {
        **app(ports=[{"containerPort": 1, "hostPort": 1}]),
        "hostNetwork": True,
        "hostPID": True,
        "hostIPC": True,
    }
    made = sandbox.pause_spec(running(spec))
    assert (made.network, made.ports, made.hostname) == ("host", (), "")
    assert (made.pid_mode, made.ipc_mode) == ("host", "host")
    assert made.sysctls == ()


def test_a_pod_s_own_sysctls_come_before_the_usual_ones() -> None:
    wish = {**app(), "securityContext": {"sysctls": [{"name": "net.ipv4.tcp_timestamps", "value": "1"}]}}
    assert sandbox.pause_spec(running(wish)).sysctls == (("net.ipv4.tcp_timestamps", "1"),)


def test_names_of_hosts() -> None:
    assert sandbox.hostname(running({"hostname": "x" * 62 + "-y"})) == "x" * 62
    whole = {"hostname": "a", "subdomain": "s", "setHostnameAsFQDN": True}
    assert sandbox.hostname(running(whole)) == "a.s.default.svc.cluster.local"
    other = running({"hostname": "a", "subdomain": "s", "hostnameOverride": "db.example.com"})
    assert sandbox.hostname(other) == "db.example.com"
    assert sandbox.hosts(other).endswith("\tdb.example.com\n")
    assert "10.201.0.5\ta.s.default.svc.cluster.local\ta\n" in sandbox.hosts(running(whole))


def test_hosts_has_the_pod_and_its_aliases() -> None:
    text = sandbox.hosts(running({"hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]}))
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.201.0.5\tweb\n" in text
    assert text.endswith("\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_aliases_on_the_host_s_network_stand_below_the_host_s_own_names() -> None:
    aliases = [{"ip": "1.2.3.4", "hostnames": ["a"]}]
    found = running({"hostNetwork": True, "hostAliases": aliases})
    made = dataclasses.replace(
        found, view=dataclasses.replace(found.view, node=cases.node(hosts="127.0.0.1 here\n"))
    )
    assert sandbox.hosts(made) == (
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1 here\n\n"
        "# Entries added by HostAliases.\n1.2.3.4\ta\n"
    )
    assert [mount.target for mount in sandbox.shared_files(made, {})[1]] == ["/etc/resolv.conf", "/etc/hosts"]


def test_a_name_that_the_kernel_cannot_keep_is_refused() -> None:
    long = {"hostname": "h" * 40, "subdomain": "sub", "setHostnameAsFQDN": True}
    assert sandbox.refusal(running(long)).endswith(
        f"FQDN {'h' * 40}.sub.default.svc.cluster.local is too long "
        "(64 characters is the max, 70 characters requested)"
    )
    assert sandbox.refusal(running({**long, "hostname": "h"})) == ""


# --- checks ------------------------------------------------------------------------------------------------


def test_probes_get_their_defaults_and_port_numbers() -> None:
    container = {
        "ports": [{"name": "web", "containerPort": 8080}, {"name": "odd"}],
        "livenessProbe": {
            "httpGet": {"port": "web", "httpHeaders": [{"name": "A", "value": "b"}], "scheme": "https"},
            "periodSeconds": 3,
        },
        "readinessProbe": {"grpc": {"port": 5, "service": "s"}},
        "startupProbe": {"tcpSocket": {"port": "none", "host": "1.1.1.1"}},
    }
    live = checks.probe(container, "liveness", "10.0.0.1")
    assert live is not None
    assert live.check == HttpCheck("10.0.0.1", 8080, "/", "HTTPS", (("A", "b"),))
    assert (live.period, live.timeout, live.failure_threshold, live.initial_delay) == (3, 1, 3, 0)
    ready = checks.probe(container, "readiness", "10.0.0.1")
    assert ready is not None
    assert ready.check == GrpcCheck("10.0.0.1", 5, "s")
    start = checks.probe(container, "startup", "10.0.0.1")
    assert start is not None
    assert start.check == NoCheck('strconv.Atoi: parsing "none": invalid syntax')
    assert checks.port(container, "odd") == 0
    http = {"livenessProbe": {"httpGet": {"port": "http"}}}
    assert getattr(checks.probe(http, "liveness", ""), "check", None) == NoCheck(
        'strconv.Atoi: parsing "http": invalid syntax'
    )
    assert checks.probe({}, "liveness", "") is None


def test_hooks() -> None:
    lifecycle = {
        "postStart": {"exec": {"command": ["a", "b"]}},
        "preStop": {"sleep": {"seconds": 3}},
        "odd": {"grpc": {"port": 1}},
    }
    assert checks.hook({"lifecycle": lifecycle}, "postStart", "") == ExecCheck(("a", "b"))
    assert checks.hook({"lifecycle": lifecycle}, "preStop", "") == Sleep(3)
    assert checks.hook({"lifecycle": lifecycle}, "odd", "") is None
    assert checks.hook({}, "preStop", "") is None


# --- images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("nginx", True),
        ("nginx:1.2", True),
        ("localhost:5000/a/b_c:x", True),
        ("a.b/c@sha256:" + "0" * 64, True),
        ("Upper", False),
        ("a b", False),
        ("", False),
        ("x:", False),
    ],
)
def test_names_of_images(image: str, wanted: bool) -> None:
    assert images.valid(image) is wanted


@pytest.mark.parametrize(
    ("container", "wanted"),
    [
        ({"image": "x", "imagePullPolicy": "Always"}, "Always"),
        ({"image": "x", "imagePullPolicy": "Never"}, "Never"),
        ({"image": "x", "imagePullPolicy": "IfNotPresent"}, "IfNotPresent"),
        ({"image": "x"}, "Always"),
        ({"image": "h:5/x"}, "Always"),
        ({"image": "x:latest"}, "Always"),
        ({"image": "x:1"}, "IfNotPresent"),
        ({"image": "x@sha256:0"}, "IfNotPresent"),
    ],
)
def test_pull_policies(container: Object, wanted: str) -> None:
    assert images.policy(container) == wanted


def _pull_secret(auths: Any, key: str = ".dockerconfigjson") -> Object:
    config = {"auths": auths} if key == ".dockerconfigjson" else auths
    return {"data": {key: base64.b64encode(json.dumps(config).encode()).decode()}}


def test_logins_come_from_pull_secrets() -> None:
    pair = base64.b64encode(b"u:p:q").decode()
    secrets = {
        "a": _pull_secret({"https://index.docker.io/v1/": {"auth": pair}, "r.io": {"username": "x"}}),
        "b": _pull_secret({"docker.io": {"username": "y", "password": "z"}}, ".dockercfg"),
        "c": {"data": {".dockerconfigjson": "e30="}},
        "d": {"data": {".dockerconfigjson": "bm90anNvbg=="}},
        "e": {"data": {"other": "x"}},
        "f": _pull_secret({"docker.io": {"auth": "x"}}),
        "g": _pull_secret({"docker.io": {}}),
    }
    references = [{"name": name} for name in (*secrets, "missing")]
    view = view_of({"imagePullSecrets": references})
    view = PodView(**{**vars(view), "secrets": secrets})
    assert images.credentials(view, "nginx") == (
        {"username": "u", "password": "p:q"},
        {"username": "y", "password": "z"},
        {},
        {},
    )
    assert images.credentials(view, "r.io/x") == ({"username": "x"},)
    assert images.registry("localhost/x") == "localhost"


# --- the rest ----------------------------------------------------------------------------------------------


def test_references_are_found_wherever_they_are() -> None:
    pod = {
        "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [
                {"name": "a", "configMap": {"name": "c1"}},
                {"name": "b", "secret": {"secretName": "s1"}},
                {"name": "c", "projected": {"sources": [{"secret": {"name": "s2"}}]}},
            ],
            "initContainers": [{"envFrom": [{"configMapRef": {"name": "c2"}}]}],
            "containers": [
                {"env": [{"name": "x", "valueFrom": {"secretKeyRef": {"name": "s3"}}}, {"name": "y"}]}
            ],
        }
    }
    found = references.of(pod)
    assert found.config_maps == {"c1", "c2"}
    assert found.secrets == {"pull", "s1", "s2", "s3"}


def test_fields_that_are_not_enforced() -> None:
    spec = {
        "hostUsers": False,
        "securityContext": {"seLinuxOptions": {"level": "x"}, "supplementalGroupsPolicy": "Strict"},
        "schedulingGroup": {"podGroupName": "all"},
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi", "medium": "Memory"}}, {"name": "w"}],
        "initContainers": [
            {
                "name": "one",
                "securityContext": {"procMount": "Unmasked", "appArmorProfile": {"type": "Localhost"}},
            }
        ],
        "containers": [
            {
                "name": "app",
                "restartPolicyRules": [{"action": "Restart"}, {"action": "RestartAllContainers"}],
                "resources": {"limits": {"ephemeral-storage": 1}, "requests": {"example.com/x": 1}},
                "volumeMounts": [{"name": "v", "recursiveReadOnly": "IfPossible"}, {"name": "v"}],
            }
        ],
    }
    assert sorted(fidelity.fields(running(spec))) == [
        "spec.containers{app}.resources.requests.example.com/x",
        "spec.containers{app}.restartPolicyRules.action",
        "spec.hostUsers",
        "spec.initContainers{one}.securityContext.appArmorProfile",
        "spec.initContainers{one}.securityContext.procMount",
        "spec.schedulingGroup",
        "spec.securityContext.seLinuxOptions",
        "spec.volumes{v}.emptyDir.medium",
    ]
    enforced = running(
        {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}, memory_dir="/dev/shm/x"
    )
    assert list(fidelity.fields(enforced)) == []


def test_failures_double_their_delay() -> None:
    failure, delays = None, []
    for _ in range(7):
        failure = backoff.failed(failure, ("image", "app"), "ErrImagePull", "x", cases.NOW)
        delays.append((failure.retry_at - cases.NOW).total_seconds())
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    never = backoff.failed(None, ("image", "app"), "ErrImageNeverPull", "x", cases.NOW)
    assert (never.retry_at - cases.NOW).total_seconds() == 2
    other = backoff.failed(failure, ("sandbox",), "Error", "x", cases.NOW)
    assert (other.retry_at - cases.NOW).total_seconds() == 60


def test_delays_of_crashes() -> None:
    hash_ = names.spec_hash({"name": "app", "image": "demo:1"})

    def after(hash_of_next: str = hash_, **given: Any) -> int:
        ended = cases.container({"name": "app", "status": "exited", **given})
        return backoff.next_delay(ended, hash_of_next, None)

    assert backoff.next_delay(None, hash_, None) == 0
    assert [after(backoff=seconds) for seconds in (0, 10, 160, 300)] == [10, 20, 300, 300]
    assert after("another", backoff=40) == 0
    assert after(backoff=300, started=-700, finished=-1) == 10


def test_crashes_of_before_the_node_agent_s_start_are_forgotten() -> None:
    ended = cases.container({"name": "app", "status": "exited", "backoff": 300, "finished": -5})
    hash_ = names.spec_hash({"name": "app", "image": "demo:1"})
    for began, wait, after in ((-4, 0.0, 10), (-6, 295.0, 300)):
        since = cases.NOW + timedelta(seconds=began)
        assert backoff.crash_wait(ended, since, cases.NOW) == wait
        assert backoff.next_delay(ended, hash_, since) == after


@pytest.mark.parametrize(("began", "waits"), [(-10, True), (3600, True), (-4, False)])
def test_crashes_are_not_forgotten_because_the_clock_was_set_back(began: int, *, waits: bool) -> None:
    given = {
        "pod": {"spec": {"containers": [{"name": "app"}]}},
        "containers": [
            {"name": "POD"},
            {
                "name": "app",
                "status": "exited",
                "exit_code": 1,
                "backoff": 300,
                "started": -6,
                "finished": -5,
            },
        ],
        "attached": ["POD-0"],
    }
    view = cases.view(given)
    since = cases.NOW + timedelta(seconds=began)
    view = dataclasses.replace(view, node=dataclasses.replace(view.node, began=since))
    plan = planner.desired(view, cases.NOW)
    assert plan.status is not None
    waiting = plan.status["containerStatuses"][0]["state"].get("waiting") or {}
    assert (waiting.get("reason") == "CrashLoopBackOff") is waits


def test_a_container_that_does_not_run_is_not_stopped() -> None:
    found = running(app())
    draft = Draft(found.view, cases.NOW)
    ending.stop(found, draft, found.apps[0])
    assert draft.actions == []


def test_a_container_that_never_ran_is_not_over() -> None:
    found = running(app()).apps[0]
    assert not found.restartable
    assert not found.was("ready")


def test_a_seccomp_profile_of_the_node_is_named_by_its_path() -> None:
    found = rights({"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b.json"}}, {})
    assert found.options == ("seccomp=/state/seccomp/a/b.json",)


def test_the_files_of_an_image_are_got_by_its_pull_policy() -> None:
    volume = {"name": "v", "image": {"reference": "files:1"}}
    (found,) = volumes.wanted(running({"volumes": [volume]}).view).wanted
    assert found == ImageVolume("v", f"/state/pods/{cases.UID}/volumes/v", "files:1", "IfNotPresent")


def test_what_ephemeral_containers_refer_to_is_followed_too() -> None:
    debugger = {"name": "debug", "envFrom": [{"configMapRef": {"name": "cfg"}}]}
    found = references.of({"spec": {"containers": [{"name": "app"}], "ephemeralContainers": [debugger]}})
    assert found.config_maps == {"cfg"}
