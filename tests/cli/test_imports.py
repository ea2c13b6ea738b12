"""What the commands that are typed all day import: each module costs every user its time, every time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import World

HEAVY = {
    "re",
    "typing",
    "enum",
    "functools",
    "contextlib",
    "collections",
    "json",
    "socket",
    "ssl",
    "yaml",
    "dataclasses",
}
PROBE = """
import io, json, sys
from minikctl.cli import main, session
io_ = session.Io(io.StringIO(), io.StringIO(), io.StringIO())
before = set(sys.modules)
code = main.run(sys.argv[1:], io_)
loaded = sorted(set(sys.modules))
sys.stdout.write(str(code) + " " + " ".join(loaded))
"""


def _loaded(*words: str) -> set[str]:
    program = PROBE.replace("import io, json, sys", "import io, sys")
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, *modules = done.stdout.split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "words",
    [
        ["get", "pods"],
        ["get", "pods", "-A", "-o", "wide"],
        ["get", "deploy", "web"],
        ["version", "--client"],
        ["__complete", "--", "get", "pods", "we"],
    ],
)
def test_daily_commands_load_nothing_heavy(world: World, words: list[str]) -> None:
    _loaded("--cluster", "cli", "get", "pods")  # what the server serves is kept from here on
    assert _loaded("--cluster", "cli", *words) & HEAVY == set()


def test_a_namespace_of_ones_own_is_read_from_yaml_only_once(world: World) -> None:
    assert world.run("ns", "kube-public").code == 0
    try:
        _loaded("--cluster", "cli", "get", "cm")
        assert _loaded("--cluster", "cli", "get", "cm") & HEAVY == set()
        assert "in kube-public namespace" in world.run("get", "pods").err
    finally:
        assert world.run("ns", "default").code == 0
    assert "web-" in world.run("get", "pods").out


def test_applying_what_is_there_loads_no_kinds(world: World, tmp_path: object) -> None:
    path = f"{tmp_path}/same.json"
    with open(path, "w", encoding="utf-8") as sink:
        json.dump(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "same"}, "data": {"a": "b"}}, sink
        )
    _loaded("--cluster", "cli", "apply", "-f", path)
    assert not {
        name for name in _loaded("--cluster", "cli", "apply", "-f", path) if name.startswith("minikctl.model")
    }
    assert world.run("delete", "cm", "same").code == 0


def test_yaml_and_names_are_printed_without_what_finds_fields(world: World) -> None:
    for form in ("yaml", "name", "json"):
        loaded = _loaded("--cluster", "cli", "get", "svc", "-o", form)
        assert {"dataclasses", "inspect", "minikctl.cli.output.jsonpath"} & loaded == set()


@pytest.mark.parametrize(
    "words", [["rollout", "status", "deploy/web"], ["label", "cm", "conf", "a=b", "--dry-run=client"]]
)
def test_commands_that_read_no_manifest_do_not_load_yaml(world: World, words: list[str]) -> None:
    assert not {"yaml", "minikctl.cli.output.describing"} & _loaded("--cluster", "cli", *words)


def test_a_command_in_a_container_starts_as_fast_as_others(world: World) -> None:
    """No event loop, no library for WebSocket, and no threads where there is no input."""
    pod = world.run("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}").out
    words = ("--cluster", "cli", "exec", pod, "-c", "c", "--", "true")
    _loaded(*words)  # what the server serves is kept from here on
    slow = {"asyncio", "websockets", "ssl", "socket", "re", "typing", "threading", "hashlib", "contextlib"}
    assert _loaded(*words) & slow == set()
