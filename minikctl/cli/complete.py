"""``__complete``: what may stand at the end of an unfinished command line, quickly and never with an error."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import candidates, catalog, main, parsing, session
from minikctl.cli.candidates import FILES
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, after_dash, flag
from minikctl.cli.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.flags import Flag
    from minikctl.cli.session import Session

TIMEOUT = "1s"


class CompleteOptions(Options):
    """What a shell asks."""

    descriptions: bool = flag(
        "--descriptions", default=False, help="A tab and a description after each candidate."
    )
    words: tuple[str, ...] = after_dash(default=())


def run(options: CompleteOptions, asked: Session) -> int:
    """Print the candidates for the last word, one a line; the exit code is always 0."""
    words = list(options.words) or [""]
    try:
        words = _meant(words, asked.io)
        found = possible(words, asked.io)
    except Exception:  # noqa: BLE001 - completion is silent, whatever happens
        return 0
    seen = set()
    for candidate, description in found:
        if candidate in seen or not (candidate == FILES or candidate.startswith(words[-1])):
            continue
        seen.add(candidate)
        asked.io.say(f"{candidate}\t{description}" if options.descriptions and description else candidate)
    return 0


def _meant(words: list[str], io: session.Io) -> list[str]:
    """Return the unfinished command line with the command that an alias of the user's preferences stands for."""
    from minikctl.cli import preferences

    path, is_named = preferences.place(words)
    if len(words) < 2 or not path or not os.path.exists(path):
        return words
    found = preferences.read(path, io, is_named=is_named)
    return preferences.expanded(
        words, {**found, "aliases": [{**alias, "appendArgs": []} for alias in found.get("aliases") or ()]}
    )


class Line:
    """An unfinished command line, understood as far as it goes."""

    def __init__(self, before: list[str]) -> None:
        self.command: Command | None = None
        self.arguments: list[str] = []
        self.given: dict[str, str] = {}
        self.pending: Flag | None = None
        self.is_closed = False
        lookup = parsing.Lookup([Settings.FLAGS])
        for word in before:
            if self.pending is not None:
                self._take(self.pending, word)
                self.pending = None
            elif word == "--":
                self.is_closed = True
                return
            elif word.startswith("-") and word != "-":
                self._flag(word, lookup)
            else:
                self._word(word)
                if self.command is not None:
                    lookup = parsing.Lookup([self.command.options.FLAGS, Settings.FLAGS])
        self.lookup = lookup

    def _flag(self, word: str, lookup: parsing.Lookup) -> None:
        name, equals, value = word.partition("=")
        if not name.startswith("--"):
            self._letters(word[1:], lookup)
            return
        known = lookup.long.get(name[2:])
        if known is None:
            return
        if equals:
            self._take(known, value)
        elif known.takes_value:
            self.pending = known

    def _letters(self, letters: str, lookup: parsing.Lookup) -> None:
        """Read ``-it``, ``-nkube-system`` or ``-n=kube-system``."""
        for place, letter in enumerate(letters):
            known = lookup.short.get(letter)
            if known is None:
                return
            if known.takes_value:
                value = letters[place + 1 :].removeprefix("=")
                if value:
                    self._take(known, value)
                else:
                    self.pending = known
                return

    def _take(self, known: Flag, value: str) -> None:
        self.given[known.dest] = value

    def _word(self, word: str) -> None:
        if self.command is None:
            if word not in catalog.MODULES:
                raise errors.UsageError("no such verb")
            self.command = main.load(word)
            return
        name = self.command.aliases.get(word, word)
        if name in self.command.children:
            self.command = self.command.children[name]
        else:
            self.arguments.append(word)

    def session(self, io: session.Io) -> Session:
        """Return a session for what the line says of cluster and namespace; it starts no control plane."""
        names = ("namespace", "cluster", "context", "kubeconfig", "server", "token", "user", "as_user")
        given: dict[str, Any] = {n: os.path.expanduser(self.given[n]) for n in names if n in self.given}
        return session.Session(Settings(**given, request_timeout=TIMEOUT), io, starts=False)


def possible(words: list[str], io: session.Io) -> list[tuple[str, str]]:
    """Return what may stand in the place of the last word, with descriptions."""
    last = words[-1]
    try:
        line = Line(words[:-1])
    except errors.UsageError:
        from minikctl.cli import plugin

        return plugin.completed(words)
    if line.is_closed:
        return []
    if line.pending is not None:
        return _values(line.pending.complete, line, last, io)
    if last.startswith("--") and "=" in last:
        name, _, value = last.partition("=")
        known = line.lookup.long.get(name[2:])
        found = _values(known.complete, line, value, io) if known else []
        return [(f"{name}={candidate}", text) for candidate, text in found if candidate != FILES]
    if last.startswith("-"):
        return _flags(line, last)
    if line.command is None:
        from minikctl.cli import plugin

        return [*catalog.SUMMARIES.items(), *((name, "a plugin") for name in plugin.names())]
    if line.command.children:
        return [(name, child.summary.splitlines()[0]) for name, child in line.command.children.items()]
    declared = line.command.options.FLAGS.values()
    complete = next((flag.complete for flag in declared if not flag.names), "")
    return _values(complete, line, last, io)


def _flags(line: Line, last: str) -> list[tuple[str, str]]:
    letter = line.lookup.short.get(last[1:])
    if letter is not None:
        return [(last, letter.help)]
    flags = sorted(line.lookup.long.items())
    found = [(f"--{name}" + ("=" if flag.takes_value else ""), flag.help) for name, flag in flags]
    return [*found, ("--help", "Show help")]


def _values(complete: str, line: Line, last: str, io: session.Io) -> list[tuple[str, str]]:
    if complete == "files":
        return [(FILES, "")]
    scheme, _, detail = complete.partition(":")
    if scheme not in candidates.MAKERS:
        return [(word, "") for word in complete.split()]
    asked = line.session(io)
    try:
        found = candidates.MAKERS[scheme](candidates.Place(line.arguments, line.given, last, detail), asked)
        return [(candidate, "") for candidate in found]
    finally:
        asked.close()


COMMANDS = {"__complete": Command("Print candidates for a shell.", CompleteOptions, run)}
