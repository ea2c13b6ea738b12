"""What ``run`` shows of the pod that it joins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl.cli import run_
from minikctl.cli.selection import Target
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
    target = cast(Target, SimpleNamespace(path=lambda: "/p", name="p", namespace="n"))
    session.pieces = [b"one\n", b"two\n"]
    shown = run_._print_log(target, cast(Session, session))
    assert shown == b"one\ntwo\n"
    session.pieces = [b"one\ntwo", b"\nthree\n", b"four\n"]
    assert run_._print_log(target, cast(Session, session), len(shown)) == b"one\ntwo\nthree\nfour\n"
    found = raw.getvalue().decode() if has_bytes else out.getvalue()
    assert found == "one\ntwo\nthree\nfour\n"
