from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import kinds
from minikctl.model.actions.api import Create, Delete
from minikctl.plan.pod import static

NODE = {"metadata": {"name": "node-1", "uid": "n"}}


def pod(image: str = "web:1", **metadata: Any) -> dict[str, Any]:
    containers = [{"name": "app", "image": image}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": containers},
    }


def stored(made: dict[str, Any], uid: str = "u", **metadata: Any) -> dict[str, Any]:
    return {**made, "metadata": {**made["metadata"], "uid": uid, **metadata}}


def test_a_file_becomes_a_mirror_of_the_node() -> None:
    (action,) = static.desired(static.View({"web.yaml": pod()}, NODE, ()))
    assert isinstance(action, Create)
    made = action.object
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("web-node-1", "default")
    assert made["metadata"]["annotations"][static.SOURCE] == "file"
    assert made["metadata"]["annotations"][static.MIRROR] == made["metadata"]["annotations"][static.HASH]
    assert made["metadata"]["ownerReferences"][0]["uid"] == "n"
    assert made["spec"]["nodeName"] == "node-1"
    assert made["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert static.mirrors([made, {**made, "spec": {"nodeName": "other"}}, pod()], "node-1") == (made,)


def test_mirrors_follow_their_files() -> None:
    here = stored(static.mirror(pod(namespace="web"), NODE))
    assert static.desired(static.View({"web.yaml": pod(namespace="web")}, NODE, (here,))) == ()
    changed = static.desired(static.View({"web.yaml": pod("web:2", namespace="web")}, NODE, (here,)))
    assert changed == (Delete(kinds.POD, "web", "web-node-1", "u"),)
    assert static.desired(static.View({}, NODE, (here,))) == changed
    leaving = stored(here, deletionTimestamp="2026-05-01T12:00:00Z")
    assert static.desired(static.View({"web.yaml": pod("web:2", namespace="web")}, NODE, (leaving,))) == ()


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (pod(), ""),
        (None, "it is no v1 Pod"),
        ({"apiVersion": "v1", "kind": "Service"}, "it is no v1 Pod"),
        ({"apiVersion": "v1", "kind": "Pod"}, "the pod has no name"),
    ],
)
def test_what_is_no_static_pod(found: Any, problem: str) -> None:
    assert static.refusal(found) == problem
