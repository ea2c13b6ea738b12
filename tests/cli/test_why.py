"""``why``: the broken link leads, and the chain follows."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import pytest

from minikctl.cli import why
from minikctl.client.settings import ClusterSettings
from tests.cli.conftest import World


def test_what_is_broken_is_told_first(world: World) -> None:
    overrides = json.dumps({"spec": {"nodeSelector": {"no": "where"}}})
    assert world.run("run", "nowhere", "--image=x", f"--overrides={overrides}").code == 0
    try:
        done = world.run("why", "pod/nowhere", "--probe=false")
        lines = done.out.splitlines()
        assert done.code == 1
        assert lines[0] == "pod default/nowhere"
        assert lines[1].startswith("broken: node: ")
        assert any(line.split()[:2] == ["BROKEN", "node"] for line in lines[2:])
    finally:
        world.run("delete", "pod", "nowhere")


def test_ports_on_this_machine_are_tried() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]}
        web = {"metadata": {"namespace": "default", "name": "web"}, "spec": spec}
        assert why.met(web, ClusterSettings("x")) == {("127.0.0.1", port): ""}
        assert why.met(web, ClusterSettings("x", runtime="sim")) == {}
    assert why.met(web, ClusterSettings("x")) == {("127.0.0.1", port): "Connection refused"}


def test_a_path_that_no_request_has_as_it_stands_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def send(connection: Any, data: bytes) -> None:
        asked.append(data.splitlines()[0])
        raise OSError("enough")

    monkeypatch.setattr(http.client.HTTPConnection, "send", send)
    assert (
        why._visit(("127.0.0.1", 80), "h", "/caf\u00e9/(a b)%20").problem
        == "no answer at 127.0.0.1:80 (enough)"
    )
    assert asked == [b"GET /caf%C3%A9/(a%20b)%20 HTTP/1.1"]
