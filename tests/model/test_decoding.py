from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import decoding, kinds

BY_NAME = {
    kind.kind: kind for kind in (kinds.DEPLOYMENT, kinds.POD, kinds.SERVICE, kinds.SECRET, kinds.EVENT)
}
REFUSED = yaml.safe_load((Path(__file__).parent / "decoding.yaml").read_text())


@pytest.mark.parametrize(("name", "obj", "said"), REFUSED)
def test_refusal(name: str, obj: dict[str, Any], said: str) -> None:
    start = f'{name} in version "v1" cannot be handled as a {name}: '
    assert decoding.decode_errors(BY_NAME[name], obj) == start + said


def test_sound_objects() -> None:
    container = {
        "command": [None, "a"],
        "ports": [],
        "env": None,
        "resources": {"limits": {"cpu": 1, "x": None}},
    }
    obj = {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "labels": None},
        "spec": {"containers": [container]},
    }
    assert decoding.decode_errors(kinds.POD, obj) is None
    port = {"targetPort": "http", "unknown": {"a": 1}}
    assert decoding.decode_errors(kinds.SERVICE, {"spec": {"ports": [port, {"targetPort": 1}]}}) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", -1), ("YQ==", -1), ("YW\nI=", -1), ("YWJj", -1), ("a", 0), ("YWJjZ", 4), ("YWJj=", 4), ("Y=", 1),
        ("Y$==", 1),         ("YQ=", 3), ("YQ=x", 3), ("YQ==YQ==", 4), ("YWI==", 4),
    ],
)  # fmt: skip
def test_base64(text: str, fault: int) -> None:
    assert decoding.base64_fault(text) == fault


@settings(deadline=None, max_examples=60)
@given(st.binary())
def test_base64_of_anything_is_sound(data: bytes) -> None:
    assert decoding.base64_fault(base64.b64encode(data).decode()) == -1
