"""How far several objects are: on a terminal a list that changes in place, elsewhere each sentence once."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from minikctl.cli.session import Io


class Progress:
    """What is said of objects until they are done; writes to the error stream."""

    def __init__(self, io: Io) -> None:
        self._io = io
        self._is_live = io.err.isatty()
        self._said: dict[str, str] = {}
        self._since = time.monotonic()
        self._drawn = 0

    def show(self, title: str, words: str) -> None:
        """Tell how far one object is."""
        is_new = self._said.get(title) != words
        self._said[title] = words
        if is_new and not self._is_live:
            self._io.warn(f"{title}: {words}")

    def say(self, title: str, text: str) -> None:
        """Say what stays said; nothing more is shown of that object."""
        self._said.pop(title, None)
        self._wipe()
        self._io.warn(text)

    def draw(self) -> None:
        """Bring the list on the terminal up to date."""
        if not self._is_live:
            return
        import shutil

        width, height = shutil.get_terminal_size()
        found = lines(self._said, time.monotonic() - self._since, width - 1, height - 1)
        self._wipe()
        self._io.err.write("".join(f"{line}\n" for line in found))
        self._io.err.flush()
        self._drawn = len(found)

    def end(self) -> None:
        """Leave nothing behind of what changes."""
        self._wipe()
        self._io.err.flush()

    def _wipe(self) -> None:
        if self._drawn:
            self._io.err.write(f"\x1b[{self._drawn}A\r\x1b[J")
        self._drawn = 0


def lines(said: Mapping[str, str], seconds: float, width: int, height: int) -> list[str]:
    """Return a line for each object, in two columns, as far as there is room, then how long it has taken."""
    column = max((len(title) for title in said), default=0)
    found = [f"{title.ljust(column)}  {_short(words)}" for title, words in said.items()]
    room = max(1, height - 1)
    if len(found) > room:
        found = [*found[: room - 1], f"… and {len(found) - room + 1} more"]
    found = [line if len(line) <= width else f"{line[: width - 1]}…" for line in found]
    return [*found, f"{seconds:.0f} s"[:width]] if found else []


def _short(words: str) -> str:
    """Return a rollout's sentence without what the first column says."""
    _, found, rest = words.partition(" rollout to finish: ")
    return (rest if found else words).removesuffix("...")
