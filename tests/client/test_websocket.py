"""WebSocket from the client's side: what the library's server reads, and what is read of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from minikctl.client import websocket, wire

PROTOCOLS = ("one", "two")
SIZES = (0, 1, 125, 126, 65535, 65536, 100_003)


def heard(data: bytes, *, step: int = 0) -> list[tuple[int, bytes]]:
    """Return what a client hears of a server's bytes that come so many at a time."""
    decoder = websocket.Decoder()
    found = []
    for begin in range(0, len(data), step or len(data)):
        decoder.feed(data[begin : begin + (step or len(data))])
        found += decoder.messages()
    return found


def sent(opcode: Opcode, data: bytes, *, final: bool = True) -> bytes:
    """Return a frame as servers send it."""
    return Frame(opcode, data, fin=final).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES)
def test_a_server_reads_what_is_sent(size: int) -> None:
    server = ServerProtocol(max_size=None, state=OPEN)
    payload = bytes(number % 251 for number in range(size))
    server.receive_data(websocket.frame(websocket.BINARY, payload))
    (event,) = server.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, bytes(event.data)) == (Opcode.BINARY, payload)


@pytest.mark.parametrize("size", [*SIZES, 1 << 14, (1 << 14) + 1])
def test_a_mask_is_the_same_with_and_without_the_library(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    payload, key = bytes(number % 251 for number in range(size)), b"\1\xfe\x80\7"
    wanted = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    assert websocket.masked(payload, key) == wanted
    monkeypatch.setattr(websocket, "_quick", [None])
    assert websocket.masked(payload, key) == wanted


def test_a_large_frame_does_not_load_the_library() -> None:
    script = (
        "import sys; from minikctl.client import websocket as w\n"
        "w.frame(w.BINARY, bytes(99999)); assert w._quick[0] is not None; print('websockets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_sent_is_masked_anew_each_time() -> None:
    """So that no server's bytes can be chosen by whoever chooses the input (RFC 6455, 10.3)."""
    assert len({websocket.frame(websocket.BINARY, bytes(9)) for _ in range(8)}) == 8


@pytest.mark.parametrize("size", SIZES)
def test_what_a_server_sends_is_read_however_it_is_cut(size: int) -> None:
    payload = bytes(number % 251 for number in range(size))
    data = sent(Opcode.BINARY, payload) + sent(Opcode.PING, b"?") + sent(Opcode.CLOSE, websocket.NORMAL)
    wanted = [(websocket.BINARY, payload), (websocket.PING, b"?"), (websocket.CLOSE, websocket.NORMAL)]
    assert heard(data) == heard(data, step=1013) == wanted
    if size < 1000:
        assert heard(data, step=1) == wanted


def test_the_parts_of_a_message_are_joined_and_others_may_stand_between() -> None:
    data = (
        sent(Opcode.TEXT, b"a", final=False)
        + sent(Opcode.PING, b"")
        + sent(Opcode.CONT, b"b", final=False)
        + sent(Opcode.CONT, b"c")
        + sent(Opcode.BINARY, b"d")
    )
    assert heard(data, step=1) == [
        (websocket.PING, b""),
        (websocket.BINARY, b"abc"),
        (websocket.BINARY, b"d"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="reserved bits"),
        pytest.param(b"\x83\x00", id="an unknown opcode"),
        pytest.param(b"\x82\x81aaaab", id="masked"),
        pytest.param(b"\x80\x00", id="goes on with nothing"),
        pytest.param(b"\x02\x01a\x82\x01b", id="a message in another"),
        pytest.param(b"\x09\x00", id="a ping in parts"),
        pytest.param(b"\x89\x7e\x00\x80" + bytes(128), id="a long ping"),
    ],
)
def test_what_is_no_websocket_is_refused(data: bytes) -> None:
    with pytest.raises(websocket.ProtocolError):
        heard(data)


def answer(handshake: websocket.Handshake, **changed: str) -> wire.Headers:
    """Return the headers with which the library's server answers."""
    server = ServerProtocol(subprotocols=["two"])  # type: ignore[list-item]
    lines = [f"{name}: {value}\r\n" for name, value in {"Host": "h", **handshake.headers()}.items()]
    server.receive_data("".join(["GET / HTTP/1.1\r\n", *lines, "\r\n"]).encode())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    response = server.accept(request)
    assert response.status_code == wire.SWITCHED
    found = {name.lower(): value for name, value in response.headers.raw_items()}
    return wire.Headers(
        list({**found, **{name.replace("_", "-"): each for name, each in changed.items()}}.items())
    )


def test_a_server_agrees_and_chooses_a_protocol() -> None:
    handshake = websocket.Handshake(PROTOCOLS)
    assert handshake.protocol(answer(handshake)) == "two"
    assert handshake.protocol(answer(handshake, sec_websocket_protocol="")) == ""


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("upgrade", "SPDY/3.1", "another protocol"),
        ("sec_websocket_accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "did not answer to the key"),
        ("sec_websocket_protocol", "three", "not offered: three"),
    ],
)
def test_another_answer_is_none(name: str, value: str, words: str) -> None:
    handshake = websocket.Handshake(PROTOCOLS)
    with pytest.raises(websocket.ProtocolError, match=words):
        handshake.protocol(answer(handshake, **{name: value}))
