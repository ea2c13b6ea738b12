"""Time travel: what was, who changed it, and the way back."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl.cli import history
from minikctl.cli import past as asking
from minikctl.cli.output import changes
from minikctl.client.http import HttpClient
from tests.cli.conftest import Outcome, World
from tests.waiting import eventually


@pytest.fixture
def past(world: World) -> str:
    """Return the revision of a ConfigMap that was changed and deleted afterwards, with a second between."""
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: was}, data: {a: %s}}"
    assert world.run("apply", "-f", "-", stdin=text % "first").code == 0
    revision = world.run("get", "cm", "was", "-o", "jsonpath={.metadata.resourceVersion}").out
    time.sleep(2.1)  # the log's clock tells seconds apart
    assert world.run("apply", "-f", "-", stdin=text % "second").code == 0
    return revision


def test_objects_are_shown_as_they_were(world: World, past: str) -> None:
    path = "jsonpath={.data.a}"
    assert world.run("get", "cm", "was", "-o", path, "--at", past).out == "first"
    assert world.run("get", "cm", "was", "-o", path).out == "second"
    assert "was" in world.run("get", "cm", "--at", past).out
    assert "was" not in world.run("get", "cm", "--at", str(int(past) - 1)).out
    world.run("delete", "cm", "was")


def test_a_moment_is_told_by_how_long_ago_it_was(world: World) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: since}, data: {a: %s}}"
    assert world.run("apply", "-f", "-", stdin=text % "first").code == 0
    time.sleep(3.1)  # the log's clock tells seconds apart
    changed = time.monotonic()
    assert world.run("apply", "-f", "-", stdin=text % "second").code == 0

    def before() -> str | None:
        """Return what there was two seconds before the change; None if it took too long to ask for that."""
        begun = time.monotonic()
        age = f"{begun - changed + 2:.3f}s"
        said = world.run("get", "cm", "since", "-o", "jsonpath={.data.a}", "--at", age).out
        return said if time.monotonic() - begun < 0.9 else None

    assert eventually(before) == "first"
    world.run("delete", "cm", "since")


def test_before_the_first_write_there_was_nothing(world: World, past: str) -> None:
    long_ago = "2001-01-01T00:00:00Z"
    assert "second" in world.run("get", "cm", "was", "-o", "yaml").out
    assert world.run("get", "cm", "was", "--at", long_ago).code == 1
    assert "was" not in world.run("get", "cm", "--at", long_ago).out
    world.run("delete", "cm", "was")


def test_what_does_not_go_together_or_back_so_far_is_refused(world: World) -> None:
    assert "goes with neither" in world.run("get", "pods", "--at", "1m", "-w").err
    assert world.run("get", "pods", "--at", "999999999").code == 1
    assert "invalid duration" in world.run("get", "pods", "--at", "soon").err


def test_history_names_fields_and_writers(world: World, past: str) -> None:
    lines = world.run("history", "cm/was").out.splitlines()
    assert lines[0].split() == ["REVISION", "AGE", "BY", "CHANGE"]
    assert "created" in lines[1]
    assert "data.a: first → second" in world.run("history", "cm/was").out
    assert "kubectl-client-side-apply" in lines[1]
    world.run("delete", "cm", "was")
    assert world.run("history", "cm/was", "--limit=1").out.splitlines()[-1].endswith("deleted")


def test_undo_takes_the_last_change_back_and_brings_back_what_was_deleted(world: World, past: str) -> None:
    done = world.run("undo", "cm/was")
    assert (done.code, done.out.splitlines()[0]) == (0, f"configmap/was put back to revision {past}")
    assert "  data.a: second → first" in done.out
    assert world.run("delete", "cm", "was").code == 0
    assert "configmap/was put back to revision" in world.run("undo", "cm/was").out
    assert world.run("get", "cm", "was", "-o", "jsonpath={.data.a}").out == "first"
    world.run("delete", "cm", "was")


def test_diff_compares_with_what_was(world: World, past: str) -> None:
    found = world.run("diff", "cm/was", "--at", past)
    assert found.code == 1
    assert "-  a: first\n+  a: second\n" in found.out
    world.run("delete", "cm", "was")


def test_history_is_for_administrators(world: World) -> None:
    found = world.run("history", "cm/conf", "--as=nobody")
    assert found.code == 1
    assert "Forbidden" in found.err


def test_changes_are_told_field_by_field() -> None:
    before = {
        "spec": {"a": 1, "list": [{"name": "x", "v": 1}, {"name": "y"}], "gone": "text", "plain": [1, 2]}
    }
    after = {
        "spec": {"a": 2, "list": [{"name": "x", "v": 2}, {"name": "z"}], "new/key": {"b": 1}, "plain": [1, 3]}
    }
    assert changes.between(before, after) == [
        "spec.a: 1 → 2",
        "spec.gone: - text",
        "spec.list[x].v: 1 → 2",
        'spec.list[y]: - {"name":"y"}',
        'spec.list[z]: + {"name":"z"}',
        'spec["new/key"]: + {"b":1}',
        "spec.plain[1]: 2 → 3",
    ]


def test_what_the_control_plane_wrote_after_a_change_is_neither_undone_nor_lost(world: World) -> None:
    """A Deployment's revision is counted in an annotation as soon as its template changes."""
    assert world.run("create", "deploy", "undone", "--image=a", "--replicas=0").code == 0
    assert world.run("set", "image", "deploy/undone", "a=b").code == 0
    assert world.run("rollout", "status", "deploy/undone", "--timeout=20s").code == 0
    assert "2" in world.run("rollout", "history", "deploy/undone").out
    done = world.run("undo", "deploy/undone")
    assert "  spec.template.spec.containers[a].image: b → a" in done.out
    assert "revision" not in done.out.partition("\n")[2]
    world.run("delete", "deploy", "undone")


class Meddling:
    """A client behind whose back somebody writes before each of its first few changes."""

    def __init__(self, client: HttpClient, write: Callable[[], Outcome], times: int) -> None:
        self._client, self._write, self._times = client, write, times

    def request(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Ask, after somebody has written."""
        if method == "PUT" and self._times:
            self._times -= 1
            assert self._write().code == 0
        return self._client.request(method, *arguments, **more)


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Outcome], int], None]:
    """Return what has somebody write before changes of others."""

    def begin(write: Callable[[], Outcome], times: int) -> None:
        def taken(step: Any, query: dict[str, Any], session: Any) -> dict[str, Any]:
            meddling = Meddling(session.client, write, left.pop() if left else 0)
            return real(step, query, cast(Any, SimpleNamespace(client=meddling)))

        left, real = [1] * times, history._Step.take
        monkeypatch.setattr(history._Step, "take", taken)

    return begin


def test_a_status_that_is_written_meanwhile_keeps_nothing_from_being_undone(
    world: World, meddle: Callable[[Callable[[], Outcome], int], None]
) -> None:
    assert world.run("create", "deploy", "busy", "--image=a", "--replicas=0").code == 0
    assert world.run("set", "image", "deploy/busy", "a=b").code == 0
    assert world.run("rollout", "status", "deploy/busy", "--timeout=20s").code == 0
    count = itertools.count(50)

    def write() -> Outcome:
        patch = json.dumps({"status": {"collisionCount": next(count)}})
        return world.run("patch", "deploy/busy", "--subresource=status", "--type=merge", "-p", patch)

    meddle(write, 3)
    done = world.run("undo", "deploy/busy")
    assert (done.code, done.err) == (0, "")
    assert "  spec.template.spec.containers[a].image: b → a" in done.out
    assert next(count) == 53
    world.run("delete", "deploy", "busy")


def test_what_others_change_meanwhile_is_not_undone_unseen(
    world: World, past: str, meddle: Callable[[Callable[[], Outcome], int], None]
) -> None:
    meddle(lambda: world.run("patch", "cm/was", "-p", '{"data":{"b":"c"}}'), 1)
    done = world.run("undo", "cm/was")
    assert done.code == 1
    assert "the object has been modified" in done.err
    assert world.run("get", "cm/was", "-o", "jsonpath={.data}").out == '{"a":"second","b":"c"}'
    world.run("delete", "cm", "was")


@pytest.mark.parametrize(
    ("server", "sentence"), [("v1.36.0-minikctl", 'resource type "toys"'), ("v1.36.0", "keeps no history")]
)
def test_a_kind_that_is_gone_is_told_from_a_server_without_history(server: str, sentence: str) -> None:
    answer = SimpleNamespace(json=lambda: {"gitVersion": server})
    session = SimpleNamespace(client=SimpleNamespace(request=lambda *_: answer))
    target = SimpleNamespace(resource=SimpleNamespace(name="toys"))
    assert sentence in str(asking.unknown(cast(Any, target), cast(Any, session)))
