"""Text in cells whose columns align: elastic tab stops, as Go's text/tabwriter has them.

A column is as wide as its widest cell among neighbouring lines that have it; a line without it ends the column.
"""

from __future__ import annotations

from minikctl.cli import terminal

PADDING = 2


class Sheet:
    """Lines of cells, indented by level."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []

    def row(self, level: int, *cells: object) -> None:
        """Add a line; the last cell does not count for the columns' widths.

        A line break in a cell begins a line, as it would if the text were written by hand.
        """
        text = "  " * level + "\t".join(str(cell) for cell in cells)
        self.lines += [line.split("\t") for line in text.split("\n")]

    def text(self) -> str:
        """Return the aligned lines."""
        found: list[str] = []
        _block(self.lines, 0, len(self.lines), [], found)
        return terminal.escaped("".join(line + "\n" for line in found))

    def raw(self) -> str:
        """Return the lines with tabs between the cells."""
        return terminal.escaped("".join("\t".join(line) + "\n" for line in self.lines))


def _block(lines: list[list[str]], first: int, end: int, widths: list[int], found: list[str]) -> None:
    """Write lines whose columns up to ``widths`` are known; each further column is a block of its own."""
    column, place = len(widths), first
    while place < end:
        if column >= len(lines[place]) - 1:
            place += 1
            continue
        _write(lines[first:place], widths, found)
        first = place
        width = 0
        while place < end and column < len(lines[place]) - 1:
            width = max(width, len(lines[place][column]) + PADDING)
            place += 1
        _block(lines, first, place, [*widths, width], found)
        first = place
    _write(lines[first:end], widths, found)


def _write(lines: list[list[str]], widths: list[int], found: list[str]) -> None:
    for line in lines:
        cells = [cell.ljust(widths[n]) if n < len(widths) else cell for n, cell in enumerate(line)]
        found.append("".join(cells))
