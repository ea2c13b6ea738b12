"""What is shown of a container's log when it is joined."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl.cli.earlier import Earlier
from minikctl.cli.session import Session

POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [{"name": "c"}]}}


class FakeSession:
    """A pod whose log comes in pieces."""

    def __init__(self, out: Any) -> None:
        self.client, self.io, self.discovery = self, SimpleNamespace(out=out), self
        self.pieces: list[bytes] = []

    def find(self, name: str) -> Any:
        return SimpleNamespace(namespaced=True, api_version="v1", name=name)

    def request(self, method: str, path: str) -> Any:
        del method, path
        return SimpleNamespace(json=lambda: POD)

    def stream(self, method: str, path: str, query: Any) -> Any:
        del method, path
        assert query == {"container": "c"}
        return self

    def chunks(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("has_bytes", [True, False])
def test_what_was_shown_of_a_log_is_not_shown_again(has_bytes: bool) -> None:
    raw = io.BytesIO()
    out: Any = io.TextIOWrapper(raw) if has_bytes else io.StringIO()
    session = FakeSession(out)
    earlier = Earlier(POD, "c", cast(Session, session))
    assert not earlier.is_shown
    session.pieces = [b"one\n", b"two\n"]
    assert earlier.show() == b"one\ntwo\n"
    assert earlier.is_shown
    session.pieces = [b"one\ntwo", b"\nthree\n", b"four\n"]
    assert earlier.show() == b"one\ntwo\nthree\nfour\n"
    found = raw.getvalue().decode() if has_bytes else out.getvalue()
    assert found == "one\ntwo\nthree\nfour\n"
