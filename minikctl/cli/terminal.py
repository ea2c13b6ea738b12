"""What may be written to a stream: colours, and how wide."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def has_colors(stream: TextIO) -> bool:
    """Tell whether colours are welcome: a terminal, unless $NO_COLOR says otherwise (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def escaped(text: str) -> str:
    """Return the text without what would command a terminal: who wrote it is not always who reads it."""
    return text.replace("\x1b", "^[").replace("\r", "\\r")


def tamed(text: str) -> str:
    """Return the text with no more commands to a terminal than colours."""
    if "\x1b" not in text:
        return text
    import re

    return re.sub(r"\x1b(?!\[[\d;]*m)", "^[", text)


def painted(text: str, color: int) -> str:
    """Return the text in one of the terminal's colours."""
    return f"\x1b[{color}m{text}\x1b[0m"
