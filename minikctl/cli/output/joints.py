"""Lines between two columns of text: each way has a lane of its own where it would meet another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from minikctl.client.record import Record

HALF = 2
"""Characters before the first lane, and after the last one before the arrow's head."""


class _Way(Record):
    """Rows that lead to the same rows."""

    starts: frozenset[int]
    ends: frozenset[int]

    @property
    def first(self) -> int:
        """The uppermost row."""
        return min(self.starts | self.ends)

    @property
    def last(self) -> int:
        """The lowest row."""
        return max(self.starts | self.ends)

    def is_left_of(self, other: _Way) -> bool:
        """Tell whether it would run into the other on a row where it starts and only the other ends."""
        return bool(self.starts & other.ends - self.ends)


class Joints:
    """What stands between the columns on each row, for lines from row to row."""

    def __init__(self, lines: Iterable[tuple[int, int]]) -> None:
        self._ways = _lanes(_ways(lines))
        self._lanes = 1 + max((lane for lane, _ in self._ways), default=0)

    def on(self, row: int) -> str:
        """Return the piece of that row; all are equally wide."""
        start = next((lane for lane, way in self._ways if row in way.starts), -1)
        end = min((lane for lane, way in self._ways if row in way.ends), default=self._lanes)
        pieces = [("─" if start >= 0 else " ") * HALF]
        for lane in range(self._lanes):
            level = (lane <= start or end < lane, lane < start or end <= lane)
            pieces.append(self._crossing(row, lane, level))
            if lane < self._lanes - 1:
                pieces.append("─" if level[1] else " ")
        has_end = end < self._lanes
        pieces.append(("─" if has_end else " ") * HALF + ("▶" if has_end else " "))
        return "".join(pieces)

    def _crossing(self, row: int, lane: int, level: tuple[bool, bool]) -> str:
        for own, way in self._ways:
            if own == lane and way.first <= row <= way.last:
                above, below = way.first < row, row < way.last
                if above and below and row not in way.starts | way.ends:
                    return "│"  # what passes here passes behind it
                return _CORNERS[(*level, above, below)]
        return _CORNERS[(*level, False, False)]


def _ways(lines: Iterable[tuple[int, int]]) -> list[_Way]:
    ends: dict[int, set[int]] = {}
    for start, end in lines:
        ends.setdefault(start, set()).add(end)
    starts: dict[frozenset[int], set[int]] = {}
    for start, found in ends.items():
        starts.setdefault(frozenset(found), set()).add(start)
    ways = [_Way(frozenset(froms), tos) for tos, froms in starts.items()]
    return sorted(ways, key=lambda way: (way.first, way.last, sorted(way.starts)))


def _lanes(ways: Sequence[_Way]) -> list[tuple[int, _Way]]:
    """Give each way the first lane that is free on its rows, to the right of those that have to be left of it."""
    found: list[tuple[int, _Way]] = []
    waiting = list(ways)
    while waiting:
        free = (way for way in waiting if not any(o is not way and o.is_left_of(way) for o in waiting))
        way = next(free, waiting[0])
        waiting.remove(way)
        beside = [
            (lane, other) for lane, other in found if other.first <= way.last and way.first <= other.last
        ]
        least = max((lane + 1 for lane, other in beside if other.is_left_of(way)), default=0)
        taken = {lane for lane, _ in beside}
        found.append((next(lane for lane in range(least, least + len(ways)) if lane not in taken), way))
    return found


_CORNERS = {
    (False, False, False, False): " ",
    (True, True, False, False): "─",
    (True, False, False, False): "─",
    (False, True, False, False): "─",
    (True, True, False, True): "┬",
    (True, False, False, True): "╮",
    (False, True, False, True): "╭",
    (True, True, True, False): "┴",
    (True, False, True, False): "╯",
    (False, True, True, False): "╰",
    (True, True, True, True): "┼",
    (True, False, True, True): "┤",
    (False, True, True, True): "├",
    (False, False, True, True): "│",
    (False, False, True, False): " ",
    (False, False, False, True): " ",
}
"""By whether a line comes from the left, goes to the right, comes from above, goes below."""
