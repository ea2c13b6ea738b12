"""What a start says of a system pod whose port another process has, and what it waits for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl import errors
from minikctl.cli import cluster, starting
from minikctl.cli.session import Session
from minikctl.client import http, launcher
from minikctl.drivers import docker_http

ADDRESS = "127.0.253.7"


class FakeSession:
    """A session that knows two pods, one of which waits, and what was told of it."""

    def __init__(self, port: int, told: str) -> None:
        self.client = self.io = self
        self.told = told
        self.warnings: list[str] = []
        self.pods = [pod("dns", True), pod("ingress", False, port)]
        self.nodes: list[dict[str, Any]] = []
        self.home = SimpleNamespace(settings=lambda: SimpleNamespace(runtime="docker"))

    def request(self, method: str, path: str, query: Any = None) -> Any:
        del method
        self.asked = query
        events = [{"lastTimestamp": "1", "message": "before"}, {"lastTimestamp": "2", "message": self.told}]
        if path == "/api/v1/nodes":
            return Answer({"items": self.nodes})
        found = self.pods if path == starting.PODS else events if self.told else []
        return Answer({"items": found})

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @property
    def as_session(self) -> Session:
        return cast(Session, self)


class Answer:
    def __init__(self, content: Any) -> None:
        self.content = content

    def json(self) -> Any:
        return self.content


def pod(part: str, ready: bool, port: int = 0) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    ports = [{"containerPort": 80}, {"containerPort": 80, "hostPort": port, "hostIP": ADDRESS}]
    return {
        "metadata": {"name": f"{part}-x", "uid": part, "labels": {"app.kubernetes.io/name": part}},
        "spec": {"containers": [{"ports": ports if port else []}]},
        "status": status,
    }


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ADDRESS, 0)) as server:
        yield int(server.getsockname()[1])


WORDS = "Error starting userland proxy: listen tcp4: bind: address already in use"


def test_the_other_process_is_named_and_the_rest_is_enough(taken: int) -> None:
    session = FakeSession(taken, WORDS)
    assert cluster._is_enough(session.pods, session.as_session)
    (said,) = session.warnings
    assert said.startswith("warning: ingress cannot run: ")
    assert f"(process {os.getpid()}) has {ADDRESS}:{taken}; it starts by itself once that is free" in said
    assert session.asked == {"fieldSelector": "involvedObject.uid=ingress,type=Warning"}
    assert starting.states(session.as_session)["ingress"].endswith(f"has {ADDRESS}:{taken}")


@pytest.mark.parametrize("told", ["", "no such image"])
def test_who_waits_for_something_else_is_waited_for(taken: int, told: str) -> None:
    session = FakeSession(taken, told)
    assert not cluster._is_enough(session.pods, session.as_session)
    assert starting.states(session.as_session) == {"dns": "ready", "ingress": told or "starting"}


def test_a_port_that_is_free_again_is_said_to_be(taken: int) -> None:
    session = FakeSession(taken + 1, WORDS)
    assert starting.taken_port(session.pods[1], session.as_session) == "the port was taken a moment ago"
    assert starting.taken_port(session.pods[0], session.as_session) == ""


def test_a_cluster_of_which_nothing_runs_is_not_ready(taken: int) -> None:
    session = FakeSession(taken, WORDS)
    assert not cluster._is_enough(session.pods[1:], session.as_session)
    session.pods[1]["status"] = session.pods[0]["status"]
    assert cluster._is_enough(session.pods, session.as_session)
    assert session.warnings == []


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("the container engine has not answered yet", "has not answered yet; what is asked for waits"),
        (
            f"the container engine answers; {launcher.PREPARING}",
            "the system pods did not become ready within 0.3 s",
        ),
    ],
)
def test_an_engine_that_answers_is_given_time(said: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the image takes longer than an engine may need to answer."""
    monkeypatch.setattr(cluster, "ENGINE_SECONDS", 0.0)
    refused(said, end)


def test_a_control_plane_that_ends_while_it_is_waited_for_is_started_again(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was killed a moment ago still has its lock, so that it passes for one that runs."""
    session = FakeSession(taken, WORDS)
    broken = [http.ConnectionRefused("Unable to connect to the server: [Errno 104] Connection reset by peer")]
    started: list[Any] = []
    monkeypatch.setattr(launcher, "ensure_running", started.append)
    answer = session.request

    def request(method: str, path: str, query: Any = None) -> Any:
        if broken:
            raise broken.pop()
        return answer(method, path, query)

    monkeypatch.setattr(session, "request", request)
    waits(session, 5)
    assert started == [session.home]


def test_that_there_is_no_engine_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "DOWN_SECONDS", 0.0)
    there_is_none = docker_http.Connection("unix:///nowhere").unavailable("")
    refused(f"container runtime is down: {there_is_none}", "unix:///nowhere; what is asked for waits")


def refused(said: str, end: str) -> None:
    """Wait for a node that is not ready and says why; it must end with these words."""
    session = FakeSession(1, "")
    ready = {"type": "Ready", "status": "False", "message": said}
    session.nodes = [{"metadata": {"name": "one"}, "status": {"conditions": [ready]}}]
    with pytest.raises(errors.UsageError, match=end):
        waits(session, 0.3)


def waits(session: FakeSession, seconds: float) -> None:
    cluster._await_system(session.as_session, cast(Any, SimpleNamespace(step=print, done=print)), seconds)
