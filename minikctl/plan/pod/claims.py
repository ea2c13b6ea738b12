"""Volumes of a pod that are claims: where their content is on the host."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects
from minikctl.model.actions.node import HostVolume, KeptVolume, Volume
from minikctl.model.objects import Object
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import PodView
from minikctl.plan.storage import parts, scheduling


def is_claim(volume: Object) -> bool:
    """Tell whether the pod's volume is a claim, made by hand or for the pod."""
    return "persistentVolumeClaim" in volume or "ephemeral" in volume


def is_read_only(volume: Object) -> bool:
    """Tell whether the pod asked for a claim that it cannot write to."""
    return bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))


def volume(view: PodView, volume: Object, gid: int | None) -> Volume:
    """Return what the volume has to be on the host; ConfigError says what keeps it from being mounted."""
    persistent, name = _persistent(view, volume), str(volume.get("name") or "")
    spec = objects.spec(persistent)
    context: dict[str, Any] = objects.spec(view.pod or {}).get("securityContext") or {}
    always = context.get("fsGroupChangePolicy") != "OnRootMismatch"
    if "hostPath" in spec and not parts.is_ours(persistent):
        return HostVolume(name, _path(persistent), str(spec["hostPath"].get("type") or ""))
    return KeptVolume(name, _path(persistent), parts.is_ours(persistent), gid, always)


def path(view: PodView, volume: Object) -> str:
    """Return where the volume's content is; ConfigError if it has no place yet."""
    return _path(_persistent(view, volume))


def _persistent(view: PodView, volume: Object) -> Object:
    """Return the volume that the claim is bound to."""
    found = next(each for each in parts.references(view.pod or {}) if each.volume == volume.get("name"))
    claim = view.claims.get(found.claim)
    if claim is None:
        raise ConfigError(f'persistentvolumeclaim "{found.claim}" not found')
    if found.ephemeral and (problem := scheduling.not_owned(view.pod or {}, claim)):
        raise ConfigError(problem)
    if objects.is_deleting(claim) and view.pod is not None and not objects.status(view.pod).get("podIP"):
        raise ConfigError(f"can't start pod because PVC {view.namespace}/{found.claim} is being deleted")
    if not scheduling.is_bound(claim):
        raise ConfigError(f"PVC {view.namespace}/{found.claim} is not bound")
    persistent = view.persistent.get(str(objects.spec(claim)["volumeName"]))
    if persistent is None:
        raise ConfigError(f'persistentvolume "{objects.spec(claim)["volumeName"]}" not found')
    return persistent


def _path(persistent: Object) -> str:
    spec = objects.spec(persistent)
    source = spec.get("hostPath") or spec.get("local")
    if source is None:
        kinds = sorted(key for key, value in spec.items() if isinstance(value, dict) and key in _FOREIGN)
        raise ConfigError(f"volume type {(kinds or ['unknown'])[0]} is not supported here")
    if parts.mode(persistent) == "Block":
        raise ConfigError("block volumes are not supported here")
    return str(source.get("path") or "")


_FOREIGN = (
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume"),
    *("flocker", "gcePersistentDisk", "glusterfs", "iscsi", "nfs", "photonPersistentDisk", "portworxVolume"),
    *("quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"),
)
"""Volumes that live elsewhere."""
