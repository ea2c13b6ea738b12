from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from minikctl.apiserver import channels, http_sockets
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client
from tests.apiserver.talk import Talk

POD = "/api/v1/namespaces/default/pods/web"
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
ENDED = {"terminated": {"exitCode": 1}}


async def make_pod(
    registry: Registry, names: tuple[str, ...] = ("app",), phase: str = "Running", **states: Any
) -> None:
    body = samples.pod(nodeName="one")
    body["spec"]["containers"] = [{"name": name, "image": "x"} for name in names]
    pod = await registry.create(kinds.POD, "default", body)
    statuses = [{"name": name, "state": RUNNING, **states} for name in names]
    status = {"phase": phase, "containerStatuses": statuses}
    await registry.update(kinds.POD, "default", "web", {**pod, "status": status}, subresource="status")


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def client(registry: Registry, talk: Talk) -> Client:
    return Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN), streams=talk))


async def test_a_log_is_plain_text(client: Client, registry: Registry, talk: Talk) -> None:
    await make_pod(registry)
    answer = await client("GET", f"{POD}/log?tailLines=5&timestamps=true&sinceSeconds=60")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"one\ntwo\n", "text/plain")
    container, previous, options = talk.asked[0]
    assert (container, previous, options.tail, options.timestamps) == ("app", False, 5, True)
    assert options.since is not None


async def test_a_log_is_cut_at_its_limit(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    assert (await client("GET", f"{POD}/log?limitBytes=5")).body == b"one\nt"


async def test_a_followed_log_ends_with_its_reader(client: Client, registry: Registry, talk: Talk) -> None:
    await make_pod(registry)
    stream = await client.stream(f"{POD}/log?follow=true")
    assert await stream.sent.get() == b"one\n"
    await stream.leave()
    await asyncio.wait_for(talk.ended.wait(), 20)


async def test_an_unscheduled_pod_has_an_empty_log(client: Client, registry: Registry) -> None:
    await registry.create(kinds.POD, "default", samples.pod())
    assert (await client("GET", f"{POD}/log")).body == b""


@pytest.mark.parametrize(
    ("query", "states", "text"),
    [
        ("", {}, "a container name must be specified for pod web, choose one of: [a b]"),
        ("container=c", {}, "container c is not valid for pod web"),
        (
            "container=a",
            {"state": {"waiting": {"reason": "ContainerCreating"}}},
            'container "a" in pod "web" is waiting to start: ContainerCreating',
        ),
        (
            "container=a",
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}},
            'container "a" in pod "web" is waiting to start: trying and failing to pull image',
        ),
        ("container=a&previous=true", {}, 'previous terminated container "a" in pod "web" not found'),
    ],
)
async def test_logs_that_are_not_there(
    client: Client, registry: Registry, query: str, states: Any, text: str
) -> None:
    await make_pod(registry, ("a", "b"), **states)
    answer = await client("GET", f"{POD}/log?{query}")
    assert (answer.status, answer.json()["message"]) == (400, text)


async def test_the_log_of_a_container_that_is_gone(client: Client, registry: Registry) -> None:
    await make_pod(registry, ("broken",))
    answer = await client("GET", f"{POD}/log")
    assert (answer.status, "unable to retrieve" in answer.json()["message"]) == (400, True)


async def test_a_crashed_container_has_a_log(client: Client, registry: Registry, talk: Talk) -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    await make_pod(registry, state=waiting, lastState=ENDED)
    assert (await client("GET", f"{POD}/log")).status == 200
    assert (await client("GET", f"{POD}/log?previous=true")).status == 200
    assert [previous for _, previous, _ in talk.asked] == [False, True]


@pytest.mark.parametrize(
    "query", ["tailLines=-1", "tailLines=x", "sinceSeconds=0", "sinceTime=x", "stream=Stderr", "limitBytes=0"]
)
async def test_log_options_that_make_no_sense(client: Client, registry: Registry, query: str) -> None:
    await make_pod(registry)
    answer = await client("GET", f"{POD}/log?{query}")
    assert (answer.status, answer.json()["details"]["kind"]) == (422, "PodLogOptions")


async def test_without_a_node_nothing_streams(registry: Registry) -> None:
    await make_pod(registry)
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))
    assert (await client("GET", f"{POD}/log")).status == 503


async def test_what_is_not_upgraded_is_refused_after_everything_else(
    client: Client, registry: Registry
) -> None:
    assert (await client("POST", f"{POD}/exec?command=ls&stdout=1")).status == 404
    await make_pod(registry)
    for path in ("exec?command=ls&stdout=1", "attach?stdout=1", "portforward"):
        answer = await client("POST", f"{POD}/{path}")
        assert (answer.status, "missing upgrade headers" in answer.json()["message"]) == (400, True)


# --- exec and attach --------------------------------------------------------------------------------------


class Socket:
    """A WebSocket to the application."""

    def __init__(self, client: Client, url: str, protocols: tuple[str, ...] = (channels.V5,)) -> None:
        self.scope = {
            **client.scope("GET", url, {}),
            "type": "websocket",
            "subprotocols": list(protocols),
            "extensions": {"websocket.http.response": {}},
        }
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.ensure_future(client.app(self.scope, self.incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.put_nowait(message)

    def say(self, data: bytes) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.sent.get(), 20)

    async def until_closed(self) -> AsyncIterator[bytes]:
        while (message := await self.hear())["type"] != "websocket.close":
            yield message["bytes"]


async def transcript(socket: Socket) -> tuple[dict[int, bytes], Any]:
    """Return what came on each channel, and the status."""
    assert (await socket.hear())["type"] == "websocket.accept"
    said: dict[int, bytes] = {}
    async for data in socket.until_closed():
        said[data[0]] = said.get(data[0], b"") + data[1:]
    await asyncio.wait_for(socket.task, 20)
    return said, json.loads(said.pop(channels.STATUS))


async def test_exec_carries_output_and_success(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    said, status = await transcript(
        Socket(client, f"{POD}/exec?command=echo&command=a&command=b&stdout=true")
    )
    assert (said, status["status"]) == ({1: b"a b\n"}, "Success")


async def test_exec_carries_the_exit_code(client: Client, registry: Registry, talk: Talk) -> None:
    await make_pod(registry)
    said, status = await transcript(Socket(client, f"{POD}/exec?command=fail&command=3&stderr=true"))
    assert said == {2: b"it failed\n"}
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert talk.sessions[0].closed.is_set()


async def test_input_ends_when_the_client_closes_it(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/exec?command=cat&stdin=true&stdout=true")
    socket.say(b"\x00hello")
    socket.say(b"\xff\x00")
    assert (await transcript(socket))[0] == {1: b"hello"}


async def test_terminals_have_a_size(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/exec?command=size&stdin=1&stdout=1&tty=1", (channels.V4,))
    socket.say(b'\x04{"Width":80,"Height":24}')
    assert (await transcript(socket))[0] == {1: b"80x24"}


async def test_attach_talks_to_the_container(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/attach?stdin=1&stdout=1")
    socket.say(b"\x00hi")
    socket.say(b"\xff\x00")
    said, status = await transcript(socket)
    assert (said, status["status"]) == ({1: b"hi"}, "Success")


async def test_a_command_that_cannot_start(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    said, status = await transcript(Socket(client, f"{POD}/exec?command=missing&stdout=1"))
    assert (said, "not found in $PATH" in status["message"]) == ({}, True)


async def test_a_client_that_leaves_ends_the_session(client: Client, registry: Registry, talk: Talk) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/exec?command=hang&stdout=1")
    await socket.hear()
    socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(socket.task, 20)
    assert talk.sessions[0].closed.is_set()


@pytest.mark.parametrize(
    ("query", "phase", "protocols", "code", "text"),
    [
        ("command=ls&stdout=1", "Running", ("v1",), 400, "the WebSocket protocol must be"),
        ("stdout=1", "Running", (channels.V5,), 400, "at least one command"),
        ("command=ls", "Running", (channels.V5,), 400, "at least 1 of stdin, stdout, stderr"),
        ("command=ls&stdout=1", "Failed", (channels.V5,), 400, "current phase is Failed"),
    ],
)
async def test_upgrades_that_are_refused(
    client: Client, registry: Registry, query: str, phase: str, protocols: Any, code: int, text: str
) -> None:
    await make_pod(registry, phase=phase)
    socket = Socket(client, f"{POD}/exec?{query}", protocols)
    start, body = await socket.hear(), await socket.hear()
    assert start["status"] == code
    assert text in json.loads(body["body"])["message"]
    await socket.task


async def test_exec_into_a_stopped_container_is_refused(client: Client, registry: Registry) -> None:
    await make_pod(registry, state=ENDED)
    socket = Socket(client, f"{POD}/exec?command=ls&stdout=1")
    assert (await socket.hear())["status"] == 500
    assert 'container not found ("app")' in json.loads((await socket.hear())["body"])["message"]


async def test_without_the_token_nothing_is_upgraded(registry: Registry, talk: Talk) -> None:
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN), streams=talk), "wrong")
    assert (await Socket(client, f"{POD}/exec?command=ls&stdout=1").hear())["status"] == 401


# --- logs over WebSocket ----------------------------------------------------------------------------------


async def test_a_log_comes_in_messages(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/log", ("other", "binary.k8s.io"))
    assert (await socket.hear())["subprotocol"] == "binary.k8s.io"
    assert [data async for data in socket.until_closed()] == [b"", b"one\n", b"two\n"]
    await asyncio.wait_for(socket.task, 20)


async def test_a_log_comes_in_text_to_whoever_wants_base64(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/log", ("base64.binary.k8s.io",))
    said = [await socket.hear() for _ in range(4)]
    assert [message.get("text") for message in said] == [None, "", "b25lCg==", "dHdvCg=="]


async def test_a_log_followed_over_websocket_ends_with_its_reader(
    client: Client, registry: Registry, talk: Talk
) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/log?follow=true", ())
    assert [(await socket.hear()).get("bytes") for _ in range(3)] == [None, b"", b"one\n"]
    socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(talk.ended.wait(), 20)


async def test_a_log_over_websocket_tells_what_went_wrong(client: Client, registry: Registry) -> None:
    await make_pod(registry, ("broken",))
    socket = Socket(client, f"{POD}/log", ())
    await socket.hear()
    said = [data async for data in socket.until_closed()]
    assert said[0] == b""
    assert said[1]


async def test_an_unscheduled_pod_has_an_empty_log_over_websocket(client: Client, registry: Registry) -> None:
    await registry.create(kinds.POD, "default", samples.pod())
    socket = Socket(client, f"{POD}/log", ())
    await socket.hear()
    assert [data async for data in socket.until_closed()] == [b""]


async def test_a_log_over_websocket_is_refused_in_other_protocols(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/log", ("v4.channel.k8s.io",))
    assert (await socket.hear())["status"] == 400


# --- watches ----------------------------------------------------------------------------------------------

MAPS = "/api/v1/namespaces/default/configmaps"


def with_token(token: str) -> str:
    return http_sockets.TOKEN + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize(("protocols", "chosen"), [((), None), (("binary.k8s.io",), "binary.k8s.io")])
async def test_a_watch_over_websocket_sends_a_text_per_event(
    client: Client, registry: Registry, protocols: tuple[str, ...], chosen: str | None
) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("a"))
    socket = Socket(client, f"{MAPS}?watch=true", protocols)
    assert await socket.hear() == {"type": "websocket.accept", "subprotocol": chosen}
    added = json.loads((await socket.hear())["text"])
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "a")
    await registry.delete(kinds.CONFIG_MAP, "default", "a")
    assert json.loads((await socket.hear())["text"])["type"] == "DELETED"
    socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(socket.task, 20)


async def test_a_watch_over_websocket_ends_when_its_time_is_up(client: Client, registry: Registry) -> None:
    here = registry.feed.revision
    socket = Socket(client, f"{MAPS}?watch=true&resourceVersion={here}&timeoutSeconds=1", ())
    assert [(await socket.hear())["type"] for _ in range(2)] == ["websocket.accept", "websocket.close"]


async def test_a_watch_takes_one_protocol(client: Client) -> None:
    socket = Socket(client, f"{MAPS}?watch=true", ("a", "b"))
    assert (await socket.hear())["status"] == 400


async def test_browsers_send_their_token_as_a_protocol(client: Client) -> None:
    client.headers = {}
    socket = Socket(client, f"{MAPS}?watch=true", (with_token(TOKEN), "base64.binary.k8s.io"))
    assert (await socket.hear())["subprotocol"] == "base64.binary.k8s.io"
    socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await socket.task


@pytest.mark.parametrize(
    "protocols",
    [
        (with_token(TOKEN),),
        (with_token(TOKEN), with_token(TOKEN), "binary.k8s.io"),
        (with_token("another"), "binary.k8s.io"),
        (f"{http_sockets.TOKEN}!", "binary.k8s.io"),
        (f"{http_sockets.TOKEN}_w", "binary.k8s.io"),
    ],
)
async def test_what_is_no_token_is_refused(client: Client, protocols: tuple[str, ...]) -> None:
    client.headers = {}
    assert (await Socket(client, f"{MAPS}?watch=true", protocols).hear())["status"] == 401


async def test_a_port_that_has_ended_holds_up_no_other(client: Client, registry: Registry) -> None:
    await make_pod(registry)
    socket = Socket(client, f"{POD}/portforward?ports=80,81", (channels.V4,))
    assert (await socket.hear())["type"] == "websocket.accept"
    async with asyncio.timeout(20):
        while (await socket.hear())["bytes"][:1] != bytes([3]):
            pass  # the ports, and what the first one says
        while (await socket.hear())["bytes"][:1] != bytes([3]):
            pass  # why the second one has ended
        for _ in range(40):
            socket.say(bytes([2]) + b"for nobody")
        socket.say(bytes([0]) + b"still there?")
        while (await socket.hear())["bytes"] != bytes([0]) + b"still there?":
            pass
    socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(socket.task, 20)
