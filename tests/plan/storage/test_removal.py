"""When the directory of a volume that was made for a claim goes, and when the volume does."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.actions.api import Delete, Update
from minikctl.model.actions.storage import RemoveDirectory
from minikctl.model.objects import Object
from minikctl.plan.storage import parts, removal


def volume(
    phase: str, policy: str = "Delete", deleting: bool = False, ours: bool = True, held: bool = True
) -> Object:
    meta: dict[str, Any] = {"name": "v", "uid": "u", "finalizers": [parts.VOLUME_PROTECTION]}
    if held:
        meta["finalizers"].append(parts.CONTENT_PROTECTION)
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    if ours:
        meta["annotations"] = {parts.PROVISIONED_BY: parts.PROVISIONER}
    spec = {"persistentVolumeReclaimPolicy": policy, "hostPath": {"path": "/d"}}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (volume("Released"), [RemoveDirectory, Update, Delete]),
        (volume("Failed"), [RemoveDirectory, Update, Delete]),
        (volume("Released", held=False), [RemoveDirectory, Delete]),
        (volume("Released", deleting=True), [RemoveDirectory, Update]),
        (volume("Available", deleting=True), [RemoveDirectory, Update]),
        (volume("Released", "Retain", deleting=True), [Update]),
        (volume("Released", "Retain"), []),
        (volume("Bound"), []),
        (volume("Bound", deleting=True), []),
        (volume("Available"), []),
        (volume("Released", ours=False), []),
    ],
)
def test_steps(given: Object, want: list[type]) -> None:
    found = removal.actions(given)
    assert [type(each) for each in found] == want
    for each in found:
        if isinstance(each, Update):
            assert each.object["metadata"]["finalizers"] == [parts.VOLUME_PROTECTION]
        if isinstance(each, RemoveDirectory):
            assert each.path == "/d"


def test_a_failure_is_told() -> None:
    found = removal.failed(volume("Released"), "no permission")
    assert (found.type, found.reason, found.message) == ("Warning", "VolumeFailedDelete", "no permission")
