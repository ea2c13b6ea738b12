"""What Kubernetes' conformance tests named "… should support … API operations" ask of each kind, on a real cluster.

Those tests are of 1.21 and later: discovery, create, get, list in a namespace and in all, watch, patch, update, the
status, delete, deletecollection.  Here one walk does it for every kind that they are about, with the official
Python client.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import dynamic
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from tests.clients.conftest import Cluster, eventually, running

pytestmark = pytest.mark.timeout(120)
MERGE = "application/merge-patch+json"
PATCHES = (
    "application/strategic-merge-patch+json",
    MERGE,
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
LABEL = "walk"
SAMPLES = yaml.safe_load(
    (Path(__file__).parents[1] / "apiserver" / "kinds" / "samples.yaml").read_text(encoding="utf-8")
)
KINDS = {
    "v1": "ConfigMap Endpoints LimitRange PersistentVolume PersistentVolumeClaim PodTemplate ResourceQuota Secret "
    "ServiceAccount ReplicationController",
    "admissionregistration.k8s.io/v1": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
    "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "flowcontrol.apiserver.k8s.io/v1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass IPAddress NetworkPolicy ServiceCIDR",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "resource.k8s.io/v1": "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
}
WALKED = [(version, kind) for version, listed in KINDS.items() for kind in listed.split()]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("operations"), "operations") as found:
        found.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        yield found


@pytest.fixture(scope="module")
def client(own: Cluster) -> Iterator[dynamic.DynamicClient]:
    with own.client() as found:
        yield dynamic.DynamicClient(found)


def made_of(version: str, kind: str, number: int) -> Any:
    """Return one of three objects of a kind."""
    [sample] = [
        each["object"]
        for each in SAMPLES
        if (each["object"]["apiVersion"], each["object"]["kind"]) == (version, kind)
    ]
    found = copy.deepcopy(sample)
    name = f"10.96.200.{number}" if kind == "IPAddress" else f"walk-{number}"
    found["metadata"] |= {"name": name, "labels": {LABEL: "yes"}}
    found["metadata"].pop("annotations", None)
    return found


class Walk:
    """Calls for one kind."""

    def __init__(self, client: dynamic.DynamicClient, version: str, kind: str) -> None:
        self.api = client.resources.get(api_version=version, kind=kind)
        self.place = {"namespace": "default"} if self.api.namespaced else {}

    def listed(self, **more: Any) -> Any:
        return self.api.get(label_selector=f"{LABEL}=yes", **more)

    def updated(self, name: str, change: Callable[[Any], None]) -> Any:
        """Read, change and replace an object until nobody else was faster."""
        while True:
            found = self.api.get(name=name, **self.place).to_dict()
            change(found)
            try:
                return self.api.replace(body=found, name=name, **self.place)
            except ConflictError:
                continue

    def events(self, since: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Return what a watch tells from a version on, until that is enough."""
        found: list[Any] = []
        for event in self.api.watch(
            resource_version=since, label_selector=f"{LABEL}=yes", timeout=20, **self.place
        ):
            found.append((event["type"], event["object"].metadata.name, event["object"].metadata.annotations))
            if enough(found):
                break
        return found


def marks(events: list[Any], type: str, mark: str) -> list[str]:
    return [name for kind, name, notes in events if kind == type and dict(notes or {}).get(mark) == "true"]


@pytest.mark.parametrize(("version", "kind"), WALKED, ids=[kind for _, kind in WALKED])
def test_api_operations(client: dynamic.DynamicClient, version: str, kind: str) -> None:
    walk = Walk(client, version, kind)
    api, place = walk.api, walk.place
    assert {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} <= set(
        api.verbs
    )
    made = [api.create(body=made_of(version, kind, number), **place) for number in (1, 2, 3)]
    names = [each.metadata.name for each in made]
    assert api.get(name=names[0], **place).metadata.uid == made[0].metadata.uid
    start = walk.listed(**place)
    assert [each.metadata.name for each in start.items] == names
    assert len(walk.listed().items) == 3, "in all namespaces"

    patch = {"metadata": {"annotations": {"patched": "true"}}}
    patched = api.patch(body=patch, name=names[0], content_type=MERGE, **place)
    assert patched.metadata.annotations["patched"] == "true"
    updated = walk.updated(names[1], lambda obj: obj["metadata"].update(annotations={"updated": "true"}))
    assert updated.metadata.annotations["updated"] == "true"
    status(walk, names[0])
    for number, media in enumerate(PATCHES):
        patched_by(walk, names[2], media, f"m{number}")

    api.delete(name=names[0], body={"propagationPolicy": "Background"}, **place)
    eventually(lambda: gone(walk, names[0]))
    assert [each.metadata.name for each in walk.listed(**place).items] == names[1:]
    api.delete(label_selector=f"{LABEL}=yes", body={"propagationPolicy": "Background"}, **place)
    eventually(lambda: not walk.listed(**place).items)

    def complete(events: list[Any]) -> bool:
        return {name for type, name, _ in events if type == "DELETED"} == set(names)

    events = walk.events(start.metadata.resourceVersion, complete)
    assert names[0] in marks(events, "MODIFIED", "patched")
    assert names[1] in marks(events, "MODIFIED", "updated")
    assert complete(events)


def status(walk: Walk, name: str) -> None:
    """Read, patch and replace the status, where a kind has one of its own."""
    part = walk.api.subresources.get("status")
    if part is None:
        return
    assert part.get(name=name, **walk.place).metadata.name == name
    patch = {"metadata": {"annotations": {"statusPatched": "true"}}}
    patched = part.patch(body=patch, name=name, content_type=MERGE, **walk.place)
    assert patched.metadata.annotations["statusPatched"] == "true"
    while True:
        read = part.get(name=name, **walk.place).to_dict()
        read["metadata"]["annotations"]["statusUpdated"] = "true"
        try:
            replaced = part.replace(body=read, name=name, **walk.place)
        except ConflictError:
            continue
        assert replaced.metadata.annotations["statusUpdated"] == "true"
        return


def patched_by(walk: Walk, name: str, media: str, mark: str) -> None:
    """Patch the object and its status with one of the types of patches, which names whom it means where it can."""
    meta = walk.api.get(name=name, **walk.place).metadata
    parts = [walk.api, *([walk.api.subresources["status"]] if "status" in walk.api.subresources else [])]
    for part in parts:
        body: Any = {
            "apiVersion": walk.api.group_version,
            "kind": walk.api.kind,
            "metadata": {
                "name": name,
                "uid": meta.uid,
                "annotations": {mark: part.name.partition("/")[2] or "spec"},
            },
        }
        if media.endswith("json-patch+json"):
            body = [
                {
                    "op": "add",
                    "path": f"/metadata/annotations/{mark}",
                    "value": body["metadata"]["annotations"][mark],
                }
            ]
        more = {"field_manager": f"walk-{mark}", "force_conflicts": True} if "apply" in media else {}
        given = {"annotations": {"first": "yes"}}
        part.patch(body={"metadata": given}, name=name, content_type=MERGE, **walk.place)
        found = part.patch(
            body=body, name=name, content_type=media, field_validation="Strict", **more, **walk.place
        )
        assert found.metadata.annotations[mark] == (part.name.partition("/")[2] or "spec"), media
        assert (found.metadata.uid, found.metadata.name) == (meta.uid, name)


def gone(walk: Walk, name: str) -> bool:
    try:
        walk.api.get(name=name, **walk.place)
    except NotFoundError:
        return True
    return False
