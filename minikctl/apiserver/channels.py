"""The ``channel.k8s.io`` protocols of exec and attach over WebSocket, without any IO.

Each message is one byte of channel number and the payload; in the ``base64`` variants, for browsers, a digit
and the payload in base64, as text.  v4 tells the outcome as a ``metav1.Status``, the first version as plain
text.  v5 adds channel 255: its payload is the number of a channel that the sender has closed, which is
how a client says that stdin has ended.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4, V1 = "v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"
V4_BASE64, V1_BASE64 = "v4.base64.channel.k8s.io", "base64.channel.k8s.io"
PROTOCOLS = (V5, V4, V4_BASE64, V1, V1_BASE64)


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
    """Return the newest protocol that both sides speak, None if there is none; "" when none was offered."""
    return next((protocol for protocol in PROTOCOLS if protocol in offered), None) if offered else ""


def is_text(protocol: str) -> bool:
    """Tell whether messages are base64 in text."""
    return "base64" in protocol


def is_structured(protocol: str) -> bool:
    """Tell whether the outcome is told as a Status."""
    return protocol.startswith(("v4.", "v5."))


def decode(message: bytes, protocol: str) -> Input | None:
    """Return what a client's message asks for; None for what means nothing (empty, unknown, unreadable)."""
    if not message:
        return None
    channel, payload = unpack(message, protocol)
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


def unpack(message: bytes, protocol: str) -> tuple[int, bytes]:
    """Return a message's channel and payload; an unreadable payload is empty."""
    if not is_text(protocol):
        return message[0], message[1:]
    try:
        return message[0] - ord("0"), base64.b64decode(message[1:])
    except binascii.Error:
        return message[0] - ord("0"), b""


def encode(channel: int, payload: bytes, protocol: str = V5) -> bytes:
    """Return the message that carries the payload on a channel."""
    if is_text(protocol):
        return str(channel).encode() + base64.b64encode(payload)
    return bytes([channel]) + payload


def outcome(status: dict[str, Any], *, structured: bool) -> bytes:
    """Return how the end of a command is told: a Status, or in the first protocols what went wrong."""
    if structured:
        return orjson.dumps(status)
    return b"" if status["status"] == "Success" else str(status["message"]).encode()


def success() -> dict[str, Any]:
    """Return the Status of a command that ended well."""
    return {"metadata": {}, "status": "Success"}


def exited(code: int) -> dict[str, Any]:
    """Return the Status that tells how the command ended."""
    return exit_status(code) if code else success()


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


def failed(message: str) -> dict[str, Any]:
    """Return the Status that says why there is no exit code."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
