"""Ctrl-C that is never lost: what waits and looks again asks whether it was pressed.

Python raises ``KeyboardInterrupt`` wherever the program happens to be.  Where that is a finalizer, or a call from C
that drops errors, nobody hears of it; so it is noted, too, and the next look finds the note.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_pressed: list[int] = []


def install() -> None:
    """Note each Ctrl-C from now on, unless whoever started the process has it ignored."""
    # The bare module does: what ``signal`` adds takes longer to load than a request.
    import _signal  # type: ignore[import-not-found]

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, note)


def end() -> None:
    """End the process as Ctrl-C ends those that do nothing about it: so a shell's script ends, too."""
    import _signal
    import contextlib
    import os
    import sys

    with contextlib.suppress(OSError):  # nobody may read any more
        sys.stdout.flush()
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)


def note(number: int = 2, frame: Any = None) -> None:
    """Remember that Ctrl-C was pressed, and raise ``KeyboardInterrupt``."""
    _pressed.append(number)
    raise KeyboardInterrupt


def check() -> None:
    """Raise ``KeyboardInterrupt`` if Ctrl-C was pressed and nobody heard of it; once for each."""
    if _pressed:
        _pressed.clear()
        raise KeyboardInterrupt


def sleep(seconds: float) -> None:
    """Sleep between two looks, without missing a Ctrl-C from before."""
    check()
    time.sleep(seconds)
