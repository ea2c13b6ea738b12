"""Where boxes go: beside what they lead to, so that ways that have nothing in common do not meet."""

from __future__ import annotations

from minikctl.cli.output.picture import Drawing

Place = tuple[int, int]
"""A box: its column, and its number there."""


def arranged(drawing: Drawing) -> Drawing:
    """Return the drawing with a row for each box: what is connected is together, and what is not comes last."""
    placed = _Rows(drawing)
    for part in _parts(drawing):
        placed.add(part)
    rows = tuple(
        [placed.rows[column, number] for number in range(len(boxes))]
        for column, boxes in enumerate(drawing.boxes)
    )
    return Drawing(drawing.boxes, drawing.lines, rows)


def _parts(drawing: Drawing) -> list[list[Place]]:
    """Return the boxes that lines join, group by group; the last group is of those that none does."""
    near: dict[Place, set[Place]] = {}
    for start, end in drawing.lines:
        near.setdefault(start, set()).add(end)
        near.setdefault(end, set()).add(start)
    found: list[list[Place]] = []
    alone: list[Place] = []
    known: set[Place] = set()
    for column, boxes in enumerate(drawing.boxes):
        for place in ((column, number) for number in range(len(boxes))):
            if place not in near:
                alone.append(place)
            elif place not in known:
                found.append(_reached(place, near))
                known.update(found[-1])
    return [*found, alone]


def _reached(start: Place, near: dict[Place, set[Place]]) -> list[Place]:
    known, coming = {start}, [start]
    while coming:
        new = near[coming.pop()] - known
        known |= new
        coming += new
    return sorted(known)


class _Rows:
    """The rows that were given to boxes so far."""

    def __init__(self, drawing: Drawing) -> None:
        self.rows: dict[Place, int] = {}
        self._free = [0] * len(drawing.boxes)
        self._targets: dict[Place, list[Place]] = {}
        for start, end in sorted(drawing.lines):
            self._targets.setdefault(start, []).append(end)

    def add(self, part: list[Place]) -> None:
        """Place boxes below all that are there."""
        base = max(self._free, default=0)
        self._free = [base] * len(self._free)
        for place in part:
            if place not in self.rows:
                beside = [self.rows[each] for each in self._targets.get(place, ()) if each in self.rows]
                self._put(place, min(beside, default=base))

    def _put(self, place: Place, at: int) -> int:
        """Give the box the first free row from ``at`` on, and what it leads to the rows beside it; return the next."""
        row = max(at, self._free[place[0]])
        self.rows[place] = row
        self._free[place[0]] = row + 1
        end = following = row
        for target in self._targets.get(place, ()):
            if target not in self.rows:
                following = self._put(target, following)
                end = max(end, following - 1)
        return end + 1
