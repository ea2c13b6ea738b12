"""Containers for a look inside a pod that runs: they come, and stay as they are (KEP-277)."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import patches
from minikctl.model.objects import Object
from minikctl.model.validation import pod

BASE: Object = {
    "metadata": {"name": "a"},
    "spec": {"restartPolicy": "Always", "containers": [{"name": "a", "image": "i"}]},
}
LOOK: dict[str, Any] = {
    "name": "look",
    "image": "i",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "Always",
}


def having(*containers: dict[str, Any]) -> Object:
    found: Object = patches.merge(BASE, {"spec": {"ephemeralContainers": list(containers)}})
    return found


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (having(), having(LOOK), []),
        (having(LOOK), having(LOOK), []),
        (having(LOOK), having(), ['existing ephemeral containers "look" may not be removed']),
        (
            having(LOOK),
            having({**LOOK, "image": "x"}),
            ['existing ephemeral containers "look" may not be changed'],
        ),
    ],
)
def test_they_only_become_more(old: Object, new: Object, want: list[str]) -> None:
    found = [each for each in pod.ephemeral(new, old) if each["field"] == "spec.ephemeralContainers"]
    assert [each["message"].removeprefix("Forbidden: ").strip() for each in found] == want
