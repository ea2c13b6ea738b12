"""What ``debug`` shows of a container that ends while it is being joined."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl import errors
from minikctl.cli import attach, debug, logs, pods
from minikctl.cli.session import Session

POD = {
    "metadata": {"name": "web", "namespace": "n"},
    "status": {"ephemeralContainerStatuses": [{"name": "looking", "state": {"running": {}}}]},
}


def test_a_container_that_ended_before_it_was_joined_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """In kubectl's words; between the look at its state and the attaching it may end."""
    said: list[str] = []
    read: list[Any] = []

    def refused(*_: object) -> None:
        raise errors.UsageError('error: unable to upgrade connection: container not found ("looking")')

    monkeypatch.setattr(pods, "in_namespace", lambda *_: POD)
    monkeypatch.setattr(attach, "join", refused)
    monkeypatch.setattr(logs, "run", lambda options, _: read.append(options))
    session = cast(Session, SimpleNamespace(io=SimpleNamespace(warn=said.append)))
    debug._attach(debug.DebugOptions(stdin=True), POD, "looking", session)
    assert said == [
        "warning: couldn't attach to pod/web, falling back to streaming logs: "
        'unable to upgrade connection: container not found ("looking")'
    ]
    assert [(each.arguments, each.container, each.follow) for each in read] == [(("web",), "looking", True)]


def test_a_container_that_was_joined_shows_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "in_namespace", lambda *_: POD)
    monkeypatch.setattr(attach, "join", lambda *_: None)
    monkeypatch.setattr(logs, "run", lambda *_: pytest.fail("the log was read, too"))
    debug._attach(debug.DebugOptions(), POD, "looking", cast(Session, SimpleNamespace()))
