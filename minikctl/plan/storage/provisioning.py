"""The provisioner of the default class: a directory on the host for each claim."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.storage import parts

DIRECTORY = "volumes"
"""Where the directories are, below the cluster's state."""
STANDARD: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "standard", "annotations": {parts.DEFAULT_CLASS: "true"}},
    "provisioner": parts.PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}
"""The class of claims that name none.  Every node reaches every directory: no claim has to wait."""


def refusal(claim: Object) -> str:
    """Return why no volume can be made for the claim, "" if one can."""
    if objects.spec(claim).get("selector"):
        return "claim Selector is not supported"
    if parts.mode(claim) == "Block":
        return "block volumes are not supported"
    if objects.spec(claim).get("dataSource") or objects.spec(claim).get("dataSourceRef"):
        return "data sources are not supported"
    return ""


def volume(claim: Object, storage_class: Object, directory: str) -> Object:
    """Return the volume that is made for the claim; its directory is made by the first mount."""
    name = f"pvc-{objects.uid(claim)}"
    spec = {
        "capacity": {"storage": parts.requested(claim)},
        "accessModes": list(objects.spec(claim).get("accessModes") or ()),
        "volumeMode": "Filesystem",
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": objects.name(storage_class),
        "hostPath": {"path": f"{directory}/{name}", "type": "DirectoryOrCreate"},
        "claimRef": claim_reference(claim),
    }
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = list(storage_class["mountOptions"])
    if reach := parts.topology(storage_class):
        spec["nodeAffinity"] = reach
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {parts.PROVISIONED_BY: parts.PROVISIONER},
            "finalizers": [parts.CONTENT_PROTECTION, parts.VOLUME_PROTECTION],
        },
        "spec": spec,
    }


def claim_reference(claim: Object) -> dict[str, str]:
    """Return what a volume says of its claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": objects.namespace(claim),
        "name": objects.name(claim),
        "uid": objects.uid(claim),
        "resourceVersion": objects.resource_version(claim),
    }
