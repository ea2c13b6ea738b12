"""Variables from files: the format, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan.pod import env, env_files
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import EnvFile, PodView
from tests.plan.pod import cases

TEXT = """
# a comment
A='one'
  B='#two' # said twice
C= 'three'
D='first
second'
"""
FILE = EnvFile(f"/state/pods/{cases.UID}/volumes/v", "env/x")


def view(text: str | None, **reference: Any) -> PodView:
    entry = {"name": "X", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "env/x", **reference}}}
    containers = [{"name": "app", "env": [{"name": "Y", "value": "1"}, entry]}]
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "w", "hostPath": {"path": "/"}}]
    given = {"pod": {"spec": {"containers": containers, "volumes": volumes}}}
    found = cases.view(given)
    return PodView(
        **{**vars(found), "env_files": {} if text is None else {FILE: text}},
    )


@pytest.mark.parametrize(
    ("key", "value"), [("A", "one"), ("B", "#two"), ("C", ""), ("D", "first\nsecond"), ("E", "")]
)
def test_a_value_is_what_the_quotes_hold(key: str, value: str) -> None:
    assert env_files.parse(TEXT, key) == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A", "invalid environment variable format at line 1: missing '='"),
        ("\n='x'", "invalid environment variable format at line 2: empty variable name"),
        ("A ='x'", "invalid environment variable format at line 1: whitespace before '=' is not allowed"),
        ("A=x", "invalid environment variable format at line 1: value must be enclosed in single quotes"),
        ("A='x' y", "invalid environment variable format at line 1: unexpected content after closing quote"),
        ("\nA='x\ny", "invalid environment variable format starting at line 2: unclosed single quote"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="invalid") as raised:
        env_files.parse(text, "Z")
    assert str(raised.value) == fault


def test_only_files_of_empty_dirs_are_wanted() -> None:
    assert env_files.wanted(view(None, key="A")) == {FILE}
    assert env_files.wanted(view(None, key="A", volumeName="w")) == frozenset()
    assert env_files.wanted(PodView(cases.node(), cases.UID, "default", "web")) == frozenset()


def value(text: str | None, **reference: Any) -> str | None:
    full = {"volumeName": "v", "path": "env/x", **reference}
    return env_files.value(view(text, **reference), full)


def test_what_is_missing_is_an_error_unless_it_may_be() -> None:
    assert value(TEXT, key="A") == "one"
    assert value(None, key="A", optional=True) is None
    with pytest.raises(ConfigError, match='environment variable key "E" not found in file env/x of volume v'):
        value(TEXT, key="E")
    with pytest.raises(ConfigError, match=r"couldn't parse env file: env/x of volume v: invalid .* missing"):
        value("A", key="A", optional=True)


def test_a_container_has_the_value_beside_its_other_variables() -> None:
    seen = view(TEXT, key="A")
    assert seen.pod is not None
    (container,) = seen.pod["spec"]["containers"]
    found = env.environment(seen, container, "")
    assert (found["X"], found["Y"]) == ("one", "1")
