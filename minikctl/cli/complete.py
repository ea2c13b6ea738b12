"""``__complete``: what may stand at the end of an unfinished command line, quickly and never with an error."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import catalog, main, parsing, selection, session
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, after_dash, flag
from minikctl.cli.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.flags import Flag
    from minikctl.cli.session import Session

TIMEOUT = "1s"
FILES = ":files"
"""The answer that tells the shell to complete file names."""


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
        found = candidates(words, asked.io)
    except Exception:  # noqa: BLE001 - completion is silent, whatever happens
        return 0
    seen = set()
    for candidate, description in found:
        if candidate in seen or not (candidate == FILES or candidate.startswith(words[-1])):
            continue
        seen.add(candidate)
        asked.io.say(f"{candidate}\t{description}" if options.descriptions and description else candidate)
    return 0


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
        known = lookup.long.get(name[2:]) if name.startswith("--") else lookup.short.get(name[-1:])
        if known is None:
            return
        if equals:
            self._take(known, value)
        elif known.takes_value:
            self.pending = known

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
        names = ("namespace", "cluster", "context", "kubeconfig", "server")
        given: dict[str, Any] = {n: os.path.expanduser(self.given[n]) for n in names if n in self.given}
        return session.Session(Settings(**given, request_timeout=TIMEOUT), io, starts=False)


def candidates(words: list[str], io: session.Io) -> list[tuple[str, str]]:
    """Return what may stand in the place of the last word, with descriptions."""
    line = Line(words[:-1])
    last = words[-1]
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
        return _flags(line)
    if line.command is None:
        return list(catalog.SUMMARIES.items())
    if line.command.children:
        return [(name, child.summary.splitlines()[0]) for name, child in line.command.children.items()]
    declared = line.command.options.FLAGS.values()
    complete = next((flag.complete for flag in declared if not flag.names), "")
    return _values(complete, line, last, io)


def _flags(line: Line) -> list[tuple[str, str]]:
    flags = sorted(line.lookup.long.items())
    found = [(f"--{name}" + ("=" if flag.takes_value else ""), flag.help) for name, flag in flags]
    return [*found, ("--help", "Show help")]


def _values(complete: str, line: Line, last: str, io: session.Io) -> list[tuple[str, str]]:
    if complete == "files":
        return [(FILES, "")]
    makers: dict[str, Callable[[Line, str, Session], list[str]]] = {
        "namespaces": lambda line, last, session: _names("namespaces", session),
        "certificatesigningrequests": lambda line, last, session: _names("csr", session),
        "services": lambda line, last, session: [] if line.arguments else _names("services", session),
        "switchable": lambda line, last, session: [
            *(f"local/{each}" for each in _clusters()),
            *_contexts(line),
        ],
        "types": lambda line, last, session: sorted({each.name for each in session.discovery.all()}),
        "clusters": lambda line, last, session: _clusters(),
        "contexts": lambda line, last, session: _contexts(line),
        "objects": _objects,
        "pods": _pods,
        "containers": _containers,
        "forwardable": _forwardable,
        "copies": _copies,
    }
    if complete in makers:
        asked = line.session(io)
        try:
            return [(candidate, "") for candidate in makers[complete](line, last, asked)]
        finally:
            asked.close()
    return [(word, "") for word in complete.split()]


def _objects(line: Line, last: str, session: Session) -> list[str]:
    if "/" in last:
        kind = last.partition("/")[0]
        return [f"{kind}/{name}" for name in _names(kind, session)]
    if not line.arguments:
        return sorted(
            {r.name for r in session.discovery.all() if "get" in r.verbs} | {"all", selection.EVERYTHING}
        )
    if "/" in line.arguments[0]:
        return []
    return [name for name in _names(line.arguments[0], session) if name not in line.arguments[1:]]


def _pods(line: Line, last: str, session: Session) -> list[str]:
    if line.arguments:
        return _containers(line, last, session) if len(line.arguments) == 1 else []
    if "/" in last:
        return _objects(line, last, session)
    return _names("pods", session)


def _containers(line: Line, last: str, session: Session) -> list[str]:
    from minikctl.cli import pods

    return pods.containers(pods.named(line.arguments[0], session)[0])


def _forwardable(line: Line, last: str, session: Session) -> list[str]:
    """Return what ports are forwarded to, then the ports: ``80``, ``http``; local ones are the user's choice."""
    if not line.arguments:
        return (
            _pods(line, last, session)
            if "/" in last
            else [*_names("pods", session), "service/", "deployment/"]
        )
    from minikctl.cli import pods

    local, colon, _ = last.partition(":")
    target = selection.parse([_typed(line.arguments[0])], session.discovery, session.namespace)[0]
    if target.resource.qualified == "services":
        ports = session.client.request("GET", target.path()).json()["spec"].get("ports") or []
        numbers = [str(port["port"]) for port in ports]
    else:
        spec = pods.named(line.arguments[0], session)[0]["spec"]
        ports = [port for each in spec["containers"] for port in each.get("ports") or ()]
        numbers = [str(port["containerPort"]) for port in ports]
    found = [*numbers, *(str(port["name"]) for port in ports if port.get("name"))]
    return [f"{local}{colon}{port}" for port in found]


def _typed(argument: str) -> str:
    return argument if "/" in argument else f"pods/{argument}"


def _copies(line: Line, last: str, session: Session) -> list[str]:
    """Return pods, as the beginnings of places in them; the shell adds the files."""
    if last.startswith(("/", ".", "~")) or ":" in last:
        return [FILES]
    return [*(f"{name}:" for name in _names("pods", session)), FILES]


def _names(kind: str, session: Session) -> list[str]:
    target = selection.Target(session.discovery.find(kind.split(",")[0]), "", session.namespace)
    return sorted(member.name for member in selection.members(target, session))


def _clusters() -> list[str]:
    from minikctl.client import home

    return home.list_clusters()


def _contexts(line: Line) -> list[str]:
    from minikctl.client import kubeconfig

    path = line.given.get("kubeconfig")
    paths = [os.path.expanduser(path)] if path else kubeconfig.default_paths()
    return [entry["name"] for entry in kubeconfig.load_merged(paths)["contexts"]]


COMMANDS = {"__complete": Command("Print candidates for a shell.", CompleteOptions, run)}
