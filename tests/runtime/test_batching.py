from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import kinds
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.runtime import batching

POD: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
EVENT = RecordEvent(POD, "Normal", "R", "m", "test")


def thing(name: str) -> Object:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def sizes(*actions: ApiAction) -> Iterator[int]:
    """Return how many actions go together."""
    return map(len, batching.batches(batching.units(actions)))


def test_creations_start_slowly() -> None:
    creations = [Create(kinds.CONFIG_MAP, thing(str(number))) for number in range(200)]
    assert list(sizes(*creations)) == [1, 2, 4, 8, 16, 32, 64, 64, 9]


def test_deletions_and_patches_of_different_objects_go_together() -> None:
    deletions = [Delete(kinds.POD, "default", str(number)) for number in range(70)]
    assert list(sizes(*deletions)) == [64, 6]
    patches = [Patch(kinds.POD, "default", name, {}) for name in ("a", "b", "a", "c")]
    assert list(sizes(*patches)) == [2, 2]


def test_other_actions_go_one_by_one() -> None:
    updates = [Update(kinds.POD, POD), Update(kinds.POD, POD)]
    assert list(sizes(*updates)) == [1, 1]
    assert list(sizes(EVENT, EVENT)) == [1, 1]
    assert list(sizes()) == []
    assert list(sizes(Create(kinds.POD, POD), Create(kinds.CONFIG_MAP, thing("a")))) == [1, 1]
