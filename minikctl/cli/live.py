"""``top --watch``: what is used, again and again, with a sparkline of how it went."""

from __future__ import annotations

from collections import deque

from minikctl import errors
from minikctl.cli import interrupts
from minikctl.cli.output import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minikctl.cli.session import Session

    Sample = tuple[tuple[str, ...], tuple[int, int]]
    """The cells that name a thing, and its CPU (thousandths) and memory (bytes)."""

BARS = "▁▂▃▄▅▆▇█"
KEPT = 24
CLEAR = "\x1b[H\x1b[2J"


def run(header: list[str], sample: Callable[[], Iterable[Sample]], seconds: float, session: Session) -> int:
    """Show samples until the user ends it."""
    past: dict[tuple[str, ...], deque[tuple[int, int]]] = {}
    is_live = session.io.out.isatty()
    while True:
        try:
            found = list(sample())
        except errors.StatusError as error:
            if error.code != 404:
                raise
            found = []  # a pod went between its being listed and measured
        present = {key for key, _ in found}
        for key in list(past):
            if key not in present:
                del past[key]
        rows = [[*header, "CPU(cores)", "", "MEMORY(bytes)", ""]] if header else []
        for key, used in found:
            seen = past.setdefault(key, deque(maxlen=KEPT))
            seen.append(used)
            cpu, memory = [each[0] for each in seen], [each[1] for each in seen]
            rows.append([*key, f"{used[0]}m", sparkline(cpu), f"{used[1] >> 20}Mi", sparkline(memory)])
        session.io.out.write(CLEAR if is_live else "")
        for line in fitting(table.align(rows)) if is_live else table.align(rows):
            session.io.say(line)
        if not is_live:
            session.io.say("")
        session.io.out.flush()
        interrupts.sleep(seconds)


def fitting(lines: list[str]) -> list[str]:
    """Return as many of the lines as a screen has room for, with a word of the others."""
    import shutil

    width, height = shutil.get_terminal_size()
    room = max(2, height - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… and {len(lines) - room + 1} more"]
    return [line[:width] for line in lines]


def sparkline(values: list[int]) -> str:
    """Return a bar for each value, between nothing and the highest of them."""
    most = max(values, default=0)
    if most <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in values)
