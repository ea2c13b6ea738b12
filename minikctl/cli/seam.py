"""Where the log of a process ends and its output, as whoever has joined it hears it, goes on."""

from __future__ import annotations

_HEAD = 64
"""So many bytes are alike by no accident; of fewer only whole lines count, as a log consists of lines."""


def overlap(logged: bytes, heard: bytes) -> int:
    """Return how many of the first bytes that were heard the log ends with: as many as can be."""
    head = heard[:_HEAD]
    at = max(len(logged) - len(heard), 0)
    while len(head) == _HEAD and (at := logged.find(head, at)) >= 0:
        if heard.startswith(logged[at:]):
            return len(logged) - at
        at += 1
    for size in range(min(len(head), len(logged)), 0, -1):
        begins_line = size == len(logged) or logged[-size - 1 : -size] == b"\n"
        if begins_line and logged.endswith(head[:size]):
            return size
    return 0
