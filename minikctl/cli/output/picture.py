"""Boxes in columns with lines between them: as text with line-drawing characters, and as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from minikctl.cli import terminal
from minikctl.cli.output import joints
from minikctl.client.record import Record

RED = 31
BOX_WIDTH, BOX_HEIGHT, COLUMN_GAP, ROW_GAP, MARGIN = 230, 46, 90, 16, 20
"""Of the SVG, in its own units."""


class Box(Record):
    """One thing: its title, a word on how it is, and whether that is bad."""

    title: str
    note: str = ""
    bad: bool = False


class Drawing(Record):
    """Columns of boxes, and lines from (column, number) to (column, number) of the next column.

    ``rows`` says for each column on which row each box is; without it they are on the first ones.
    """

    boxes: tuple[list[Box], ...]
    lines: list[tuple[tuple[int, int], tuple[int, int]]]
    rows: tuple[list[int], ...] = ()

    def row(self, column: int, number: int) -> int:
        """Return the row of a box."""
        return self.rows[column][number] if self.rows else number

    @property
    def height(self) -> int:
        """The number of rows."""
        rows = self.rows or tuple([*range(len(boxes))] for boxes in self.boxes)
        return max((row + 1 for column in rows for row in column), default=0)


def text(drawing: Drawing, *, colors: bool = False) -> list[str]:
    """Return lines of text: each box on a line of its own, each line between boxes from row to row."""
    widths = [max((len(_label(box)) for box in column), default=0) for column in drawing.boxes]
    grid = [
        {drawing.row(column, number): box for number, box in enumerate(boxes)}
        for column, boxes in enumerate(drawing.boxes)
    ]
    between = [
        joints.Joints(
            (drawing.row(*start), drawing.row(*end)) for start, end in drawing.lines if start[0] == column
        )
        for column in range(len(drawing.boxes) - 1)
    ]
    found = []
    for row in range(drawing.height):
        line = ""
        for number, column in enumerate(grid):
            box = column.get(row)
            label = _label(box) if box else ""
            shown = terminal.painted(label, RED) if box and box.bad and colors else label
            line += shown + " " * (widths[number] - len(label))
            if number < len(between):
                line += f" {between[number].on(row)} "
        found.append(line.rstrip())
    return found


def _label(box: Box) -> str:
    return f"{box.title} ({box.note})" if box.note else box.title


def svg(drawing: Drawing) -> str:
    """Return the picture as SVG; it needs no fonts or styles of a page."""
    rows = drawing.height
    width = 2 * MARGIN + len(drawing.boxes) * BOX_WIDTH + (len(drawing.boxes) - 1) * COLUMN_GAP
    height = 2 * MARGIN + rows * BOX_HEIGHT + max(rows - 1, 0) * ROW_GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">\n'
        '<rect width="100%" height="100%" fill="white"/>\n'
    )
    return head + "".join(_svg_parts(drawing)) + "</svg>\n"


def _svg_parts(drawing: Drawing) -> Iterator[str]:
    for start, end in drawing.lines:
        x, y = _corner(drawing, start)
        x, y = x + BOX_WIDTH, y + BOX_HEIGHT // 2
        to_x, to_y = _corner(drawing, end)
        to_y += BOX_HEIGHT // 2
        middle = (x + to_x) // 2
        yield (
            f'<path d="M {x} {y} C {middle} {y} {middle} {to_y} {to_x} {to_y}" fill="none" stroke="#888"/>\n'
        )
    for column, boxes in enumerate(drawing.boxes):
        for number, box in enumerate(boxes):
            x, y = _corner(drawing, (column, number))
            yield _svg_box(box, x, y)


def _svg_box(box: Box, x: int, y: int) -> str:
    edge = "#c00" if box.bad else "#369"
    return (
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#f4f8fc" stroke="{edge}"/>\n'
        f'<text x="{x + 10}" y="{y + 19}">{escape(_short(box.title))}</text>\n'
        f'<text x="{x + 10}" y="{y + 36}" fill="{edge}">{escape(_short(box.note))}</text>\n'
    )


def _corner(drawing: Drawing, place: tuple[int, int]) -> tuple[int, int]:
    row = drawing.row(*place)
    return MARGIN + place[0] * (BOX_WIDTH + COLUMN_GAP), MARGIN + row * (BOX_HEIGHT + ROW_GAP)


def _short(title: str, most: int = 34) -> str:
    return title if len(title) <= most else title[: most - 1] + "…"
