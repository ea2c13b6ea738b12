"""Input for a remote command, read in a thread of its own."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.exec_ import Ends
    from minikctl.cli.session import Session

CHUNK = 32 * 1024


class Feeder(threading.Thread):
    """Passes input on; ``left``: the user pressed the keys for that, ``failure``: what ended the source."""

    def __init__(self, remote: Any, session: Session, ends: Ends) -> None:
        super().__init__(daemon=True)
        self.left = False
        self.failure: Exception | None = None
        self._remote = remote
        self._ends = ends
        self._read = ends.source or self._standard(session)

    def _standard(self, session: Session) -> Callable[[], bytes]:
        return lambda: os.read(session.io.stdin.fileno(), CHUNK)

    def run(self) -> None:
        """Read until the end, or until the user leaves."""
        held = b""
        keys = self._ends.detach if self._ends.tty else b""
        try:
            while data := self._read():
                data, held, self.left = unless_left(held + data, keys)
                if data:
                    self._remote.write(data)
                if self.left:
                    self._remote.leave()
                    return
        except Exception as error:  # noqa: BLE001 - told by the thread that waits for the command's end
            self.failure = error
        self._remote.close_stdin()


def unless_left(data: bytes, keys: bytes) -> tuple[bytes, bytes, bool]:
    """Return what to pass on, what may be the beginning of the keys that leave, and whether they were all there."""
    if not keys:
        return data, b"", False
    before, found, _ = data.partition(keys)
    if found:
        return before, b"", True
    for size in range(min(len(keys) - 1, len(data)), 0, -1):
        if data.endswith(keys[:size]):
            return data[:-size], data[-size:], False
    return data, b"", False
