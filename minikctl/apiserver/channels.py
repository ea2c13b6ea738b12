"""The ``v4`` and ``v5.channel.k8s.io`` protocols of exec and attach, without any IO.

Each WebSocket message is one byte of channel number and the payload.  v5 adds channel 255: its payload is the
number of a channel that the sender has closed, which is how a client says that stdin has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


@dataclass(frozen=True)
class Stdin:
    """Bytes for the process."""

    data: bytes


@dataclass(frozen=True)
class StdinClosed:
    """The client sends no more input."""


@dataclass(frozen=True)
class Resize:
    """The client's terminal has this size now."""

    width: int
    height: int


Input = Stdin | StdinClosed | Resize


def choose(offered: Sequence[str]) -> str | None:
    """Return the newest protocol that both sides speak, or None."""
    return next((protocol for protocol in (V5, V4) if protocol in offered), None)


def decode(message: bytes, protocol: str) -> Input | None:
    """Return what a client's message asks for; None for what means nothing (empty, unknown, unreadable)."""
    if not message:
        return None
    channel, payload = message[0], message[1:]
    if channel == STDIN:
        return Stdin(payload) if payload else None
    if channel == RESIZE:
        return _resize(payload)
    if channel == CLOSE and protocol == V5 and payload == bytes([STDIN]):
        return StdinClosed()
    return None


def _resize(payload: bytes) -> Resize | None:
    try:
        size = orjson.loads(payload)
        width, height = int(size["Width"]), int(size["Height"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return Resize(width, height) if width > 0 and height > 0 else None


def encode(channel: int, payload: bytes) -> bytes:
    """Return the message that carries the payload on a channel."""
    return bytes([channel]) + payload


def success() -> bytes:
    """Return the message that says: the command ended well."""
    return encode(STATUS, orjson.dumps({"metadata": {}, "status": "Success"}))


def exited(code: int) -> bytes:
    """Return the message that tells how the command ended."""
    if code == 0:
        return success()
    return encode(STATUS, orjson.dumps(exit_status(code)))


def exit_status(code: int) -> dict[str, Any]:
    """Return the Status of a command that ended with a non-zero code."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        "code": 500,
    }


def failed(message: str) -> bytes:
    """Return the message that says why there is no exit code."""
    status = {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
    return encode(STATUS, orjson.dumps(status))
