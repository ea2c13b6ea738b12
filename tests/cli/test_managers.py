"""Who owns fields after a command is whom kubectl makes their owner: so both may be used on the same objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minikctl.cli import changing
from minikctl.cli.output import changes
from tests.cli.conftest import Outcome, World

NAMESPACE = "owned"
Run = Callable[..., Outcome]
LINES = [
    "create deployment d --image=minikctl-demo:latest --replicas=0",
    "label deploy d a=b",
    "annotate deploy d a=b",
    'patch deploy d -p {"spec":{"minReadySeconds":1}}',
    "scale deploy d --replicas=1",
    "set env deploy/d A=B",
    "rollout restart deploy/d",
    "rollout pause deploy/d",
    "rollout resume deploy/d",
    "rollout undo deploy/d",
    "expose deploy d --port=80",
    "autoscale deploy d --max=2",
    "run r --image=minikctl-demo:latest",
    "set image pod/r r=minikctl-demo",
    "debug r --image=minikctl-demo:latest -- true",
    "create configmap c --from-literal=a=b",
    "apply set-last-applied -f - --create-annotation",
    "replace -f -",
]
CHANGED = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "c"}}'
OBJECTS = ("deployment/d", "service/d", "hpa/d", "pod/r", "configmap/c")


def owners(world: World, name: str) -> set[tuple[str, str, str]]:
    """Return manager, operation and subresource of each entry, the control plane's own left out."""
    found = world.run("get", name, "-n", NAMESPACE, "-o", "json", "--show-managed-fields")
    assert found.code == 0, found.err
    entries = json.loads(found.out)["metadata"]["managedFields"]
    known = {(each["manager"], each["operation"], each.get("subresource", "")) for each in entries}
    return {each for each in known if each[0] != "minikctl"}


@pytest.fixture
def place(world: World) -> Iterator[None]:
    """Have a namespace that is taken away."""
    assert world.run("create", "namespace", NAMESPACE).code == 0
    yield
    assert world.run("delete", "namespace", NAMESPACE, "--timeout=20s").code == 0


def _run(program: Run) -> None:
    for line in LINES:
        found = program("-n", NAMESPACE, *line.split(), stdin=CHANGED if "-f -" in line else "")
        assert found.code == 0, (line, found.err)
        _seen_by_its_controller(program)


def _seen_by_its_controller(program: Run) -> None:
    """Wait until the template has its revision: `rollout undo` goes back to the one before it."""
    generation = program("-n", NAMESPACE, "get", "deploy", "d", "-o", "jsonpath={.metadata.generation}").out
    seen = f"--for=jsonpath={{.status.observedGeneration}}={generation}"
    found = program("-n", NAMESPACE, "wait", "deploy", "d", seen, "--timeout=20s")
    assert found.code == 0, found.err


def test_fields_have_the_owners_that_kubectl_gives_them(world: World, place: None) -> None:
    seen = []
    for program in (world.kubectl, world.run):
        _run(program)
        seen.append({name: owners(world, name) for name in OBJECTS})
        for name in OBJECTS:
            world.run("delete", "-n", NAMESPACE, name, "--now")
    assert seen[1] == seen[0]
    assert ("kubectl-label", "Update", "") in seen[1]["deployment/d"]


def test_nodes_are_marked_by_whom_kubectl_names(world: World) -> None:
    def marked(program: Run) -> set[str]:
        for words in (("cordon",), ("taint", "node")):
            extra = ("x=y:PreferNoSchedule",) if words[0] == "taint" else ()
            assert program(*words, "minikctl-cli", *extra).code == 0
        found = json.loads(
            world.run("get", "node", "minikctl-cli", "-o", "json", "--show-managed-fields").out
        )
        assert world.run("uncordon", "minikctl-cli").code == 0
        assert world.run("taint", "node", "minikctl-cli", "x-").code == 0
        return {each["manager"] for each in found["metadata"]["managedFields"]}

    marked(world.kubectl)  # what others have left on the node is taken over
    theirs, ours = marked(world.kubectl), marked(world.run)
    assert ours == theirs
    assert {"kubectl", "kubectl-taint"} <= ours


def entry(manager: str, fields: dict[str, object], time: str = "2026-01-01T00:00:00Z") -> dict[str, object]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


def test_who_writes_twice_in_a_second_is_known_by_the_fields() -> None:
    managed = [
        entry("user", {"f:spec": {"f:replicas": {}}}),
        entry("controller", {"f:metadata": {"f:annotations": {".": {}, "f:revision": {}}}}),
    ]
    before = {
        "metadata": {"managedFields": managed, "annotations": {"revision": "1"}},
        "spec": {"replicas": 1},
    }
    after = {
        "metadata": {"managedFields": managed, "annotations": {"revision": "2"}},
        "spec": {"replicas": 1},
    }
    assert changes.writer(before, after) == "controller"
    assert changes.writer(after, {**after, "spec": {"replicas": 2}}) == "user"
    assert changes.writer(after, {**after, "spec": {"replicas": 1, "paused": True}}) == ""
    later = entry("user", {"f:spec": {"f:replicas": {}}}, "2026-01-01T00:00:01Z")
    assert changes.writer(before, {"metadata": {"managedFields": [later]}}) == "user"


def test_a_taint_is_set_on_a_node_that_others_change_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = changing.send_patch
    refusals = [True] * 2

    def send(*given: Any) -> dict[str, Any]:
        if refusals:
            refusals.pop()
            other = world.kubectl("label", "node", "minikctl-cli", f"turn={len(refusals)}", "--overwrite")
            assert other.code == 0
        return sent(*given)

    monkeypatch.setattr(changing, "send_patch", send)
    found = world.run("taint", "node", "minikctl-cli", "busy=y:PreferNoSchedule")
    assert (found.out, found.err) == ("node/minikctl-cli tainted\n", "")
    assert world.run("taint", "node", "minikctl-cli", "busy-").code == 0
    assert world.run("label", "node", "minikctl-cli", "turn-").code == 0
