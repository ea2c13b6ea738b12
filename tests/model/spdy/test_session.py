from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minikctl.model.spdy import frames
from minikctl.model.spdy.session import (
    CONNECTION_WINDOW,
    DEFAULT_WINDOW,
    STREAM_LIMIT,
    STREAM_WINDOW,
    Accepted,
    Ended,
    Event,
    Opened,
    Received,
    Session,
    WasReset,
    WentAway,
    Widened,
)


def joined() -> tuple[Session, Session]:
    """Return a client and a server that know of each other's windows."""
    client, server = Session(client=True), Session(client=False)
    exchange(client, server)
    return client, server


def exchange(client: Session, server: Session) -> tuple[list[Event], list[Event]]:
    """Carry everything both ways; return what the client and the server saw, but for windows."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    while (forth := client.take()) or (back := server.take()):
        seen[1].extend(server.receive(forth))
        seen[0].extend(client.receive(server.take() if forth else back))
    return tuple([e for e in side if not isinstance(e, Widened)] for side in seen)  # type: ignore[return-value]


def filled(side: Session, stream: int) -> int:
    """Send as much as the windows let; return how much that was."""
    sent = 0
    while room := side.room(stream):
        side.send(stream, bytes(room))
        sent += room
    return sent


def plain_client() -> tuple[frames.Encoder, Session]:
    """Return the sending side of a client without flow control, as kubectl is, and a server."""
    return frames.Encoder(), Session(client=False)


def test_a_stream_from_its_opening_to_its_end() -> None:
    client, server = joined()
    number = client.open({"streamtype": "data"})
    assert exchange(client, server)[1] == [Opened(1, {"streamtype": "data"})]
    server.accept(number)
    client.send(number, b"hi")
    client.end(number)
    assert exchange(client, server) == ([Accepted(1)], [Received(1, b"hi"), Ended(1)])
    assert not client.sends(number)
    server.send(number, b"ho")
    server.end(number)
    assert exchange(client, server) == ([Received(1, b"ho"), Ended(1)], [])
    assert not client.knows(number)
    assert not server.knows(number)


def test_streams_of_both_sides_have_numbers_of_their_own() -> None:
    client, server = joined()
    assert [client.open({}), client.open({}), server.open({}), server.open({})] == [1, 3, 2, 4]


def test_a_reset_ends_both_directions_at_once() -> None:
    client, server = joined()
    number = client.open({})
    exchange(client, server)
    server.send(number, b"late")
    client.reset(number)
    assert exchange(client, server) == ([], [WasReset(1)])
    assert server.room(number) == 0
    client.reset(number)
    assert client.take() == b""


def test_a_peer_without_flow_control_is_sent_everything() -> None:
    encoder, server = plain_client()
    server.receive(encoder.encode(frames.SynStream(1)))
    for _ in range(10):
        server.send(1, bytes(server.room(1)))
    assert len(server.take()) > 4 * DEFAULT_WINDOW
    # Nor does it see frames that it would not understand.
    server.receive(encoder.encode(frames.Data(1, bytes(STREAM_WINDOW))))
    server.consumed(1, STREAM_WINDOW)
    assert server.take() == b""


def test_a_window_that_is_used_up_is_enlarged_by_reading() -> None:
    client, server = joined()
    number = client.open({})
    exchange(client, server)
    sent = filled(client, number)
    assert sent == STREAM_WINDOW
    with pytest.raises(ValueError, match="no room"):
        client.send(number, b"x")
    exchange(client, server)
    server.consumed(number, sent)
    exchange(client, server)
    assert client.room(number) > 0


def test_what_is_taken_is_told_when_it_is_half_of_a_window() -> None:
    client, server = joined()
    number = client.open({})
    exchange(client, server)
    server.consumed(number, 1)
    assert server.take() == b""
    server.consumed(number, STREAM_WINDOW // 2)
    told = frames.Decoder()
    assert told.feed(server.take()) == [frames.WindowUpdate(number, STREAM_WINDOW // 2 + 1)]
    server.reset(number)
    server.consumed(number, CONNECTION_WINDOW // 2)
    taken = STREAM_WINDOW // 2 + 1 + CONNECTION_WINDOW // 2
    assert told.feed(server.take()) == [
        frames.RstStream(number, frames.CANCEL),
        frames.WindowUpdate(0, taken),
    ]


def test_a_stream_that_was_open_before_windows_were_told_has_the_told_one() -> None:
    client, server = Session(client=True), Session(client=False)
    number = client.open({})
    exchange(client, server)
    assert filled(client, number) == STREAM_WINDOW


def test_who_leaves_says_so_and_what_is_over_ends_once() -> None:
    client, server = joined()
    number = client.open({})
    client.end(number)
    exchange(client, server)
    client.end(number)
    client.end(99)
    assert client.take() == b""
    server.leave()
    assert exchange(client, server) == ([WentAway()], [])


def test_pings_are_answered_but_not_our_own() -> None:
    encoder, server = plain_client()
    ping = encoder.encode(frames.Ping(1))
    server.receive(ping)
    assert server.take() == ping
    server.receive(encoder.encode(frames.Ping(2)))
    assert server.take() == b""


@pytest.mark.parametrize("number", [2, 0])
def test_numbers_that_are_not_the_peers_are_refused(number: int) -> None:
    encoder, server = plain_client()
    assert server.receive(encoder.encode(frames.SynStream(number))) == []
    assert frames.Decoder().feed(server.take()) == [frames.RstStream(number, frames.PROTOCOL_ERROR)]


def test_a_number_serves_once() -> None:
    encoder, server = plain_client()
    server.receive(encoder.encode(frames.SynStream(3)))
    assert server.receive(encoder.encode(frames.SynStream(3)) + encoder.encode(frames.SynStream(1))) == []


def test_there_are_only_so_many_streams() -> None:
    encoder, server = plain_client()
    for number in range(STREAM_LIMIT):
        server.receive(encoder.encode(frames.SynStream(2 * number + 1)))
    assert server.receive(encoder.encode(frames.SynStream(2 * STREAM_LIMIT + 1))) == []
    assert isinstance(frames.Decoder().feed(server.take())[-1], frames.RstStream)


def test_what_comes_for_unknown_streams_means_nothing() -> None:
    encoder, server = plain_client()
    for frame in (
        frames.SynReply(9),
        frames.Headers(9, fin=True),
        frames.Data(9, b"x", fin=True),
        frames.RstStream(9, 1),
        frames.WindowUpdate(9, 1),
        frames.Settings({1: 2}),
        frames.Unknown(40),
    ):
        assert server.receive(encoder.encode(frame)) == []


class Conversation(RuleBasedStateMachine):
    """Whatever both sides do, bytes arrive whole and in order, and windows are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = joined()
        self.streams: list[int] = []
        self.sent: dict[tuple[int, int], bytes] = {}
        self.got: dict[tuple[int, int], bytes] = {}
        self.untaken: dict[tuple[int, int], int] = {}

    @rule(side=st.integers(0, 1))
    def open(self, side: int) -> None:
        if len(self.streams) < 6:
            self.streams.append(self.sides[side].open({"n": str(len(self.streams))}))
            self.carry()

    @rule(side=st.integers(0, 1), which=st.integers(0, 5), size=st.integers(1, 200_000))
    def send(self, side: int, which: int, size: int) -> None:
        if which < len(self.streams):
            number = self.streams[which]
            data = bytes([which + 65]) * min(size, self.sides[side].room(number))
            if data:
                self.sides[side].send(number, data)
                key = (1 - side, number)
                self.sent[key] = self.sent.get(key, b"") + data

    @rule(side=st.integers(0, 1), which=st.integers(0, 5))
    def end(self, side: int, which: int) -> None:
        if which < len(self.streams):
            self.sides[side].end(self.streams[which])

    @rule()
    def carry(self) -> None:
        for side, events in enumerate(exchange(*self.sides)):
            for event in events:
                if isinstance(event, Received):
                    key = (side, event.stream)
                    self.got[key] = self.got.get(key, b"") + event.data
                    self.untaken[key] = self.untaken.get(key, 0) + len(event.data)

    @rule(side=st.integers(0, 1), which=st.integers(0, 5))
    def take(self, side: int, which: int) -> None:
        if which < len(self.streams) and (count := self.untaken.pop((side, self.streams[which]), 0)):
            self.sides[side].consumed(self.streams[which], count)

    @invariant()
    def windows_are_kept(self) -> None:
        assert all(count <= STREAM_WINDOW for count in self.untaken.values())

    @invariant()
    def what_arrived_was_sent(self) -> None:
        assert all(self.sent[key].startswith(data) for key, data in self.got.items())

    def teardown(self) -> None:
        self.carry()
        assert self.got == self.sent


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(st.binary(max_size=100))
def test_noise_ends_a_session_by_a_protocol_error_at_most(noise: bytes) -> None:
    with contextlib.suppress(frames.ProtocolError):
        Session(client=False).receive(noise)
