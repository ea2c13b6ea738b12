from __future__ import annotations

import json

import pytest

from minikctl.apiserver import channels


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (b"\x00ls\n", channels.Stdin(b"ls\n")),
        (b"\x04" + b'{"Width":80,"Height":24}', channels.Resize(80, 24)),
        (b"\xff\x00", channels.StdinClosed()),
        (b"\xff\x01", None),
        (b"", None),
        (b"\x00", None),
        (b"\x04nonsense", None),
        (b"\x04" + b'{"Width":0,"Height":0}', None),
        (b"\x07x", None),
    ],
)
def test_messages_of_clients(message: bytes, found: channels.Input | None) -> None:
    assert channels.decode(message, channels.V5) == found


def test_closing_a_channel_is_new_in_v5() -> None:
    assert channels.decode(b"\xff\x00", channels.V4) is None


def test_the_newest_common_protocol_is_chosen() -> None:
    assert channels.choose([channels.V4, channels.V5]) == channels.V5
    assert channels.choose(["v3.channel.k8s.io", channels.V4]) == channels.V4
    assert channels.choose(["v3.channel.k8s.io"]) is None


def test_the_outcome_is_a_status() -> None:
    assert channels.exited(0) == {"metadata": {}, "status": "Success"}
    assert channels.exited(3)["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert json.loads(channels.outcome(channels.failed("no"), structured=True))["message"] == "no"


def test_the_first_protocol_tells_failures_in_plain_text() -> None:
    assert channels.outcome(channels.success(), structured=False) == b""
    assert channels.outcome(channels.failed("no"), structured=False) == b"no"


def test_browsers_get_text() -> None:
    message = channels.encode(1, b"\x00\xff", channels.V4_BASE64)
    assert message == b"1AP8="
    assert channels.decode(b"0bHMK", channels.V4_BASE64) == channels.Stdin(b"ls\n")
    assert channels.decode(b"0b", channels.V4_BASE64) is None


def test_a_client_that_offers_nothing_gets_the_first_protocol() -> None:
    assert channels.choose([]) == ""
    assert not channels.is_structured("")
