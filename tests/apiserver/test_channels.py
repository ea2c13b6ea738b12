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
    assert json.loads(channels.exited(0)[1:]) == {"metadata": {}, "status": "Success"}
    failed = channels.exited(3)
    assert failed[0] == channels.STATUS
    assert json.loads(failed[1:])["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    assert json.loads(channels.failed("no")[1:])["message"] == "no"
