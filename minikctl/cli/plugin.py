"""Plugins: ``minikctl foo bar`` runs ``kubectl-foo-bar`` or ``minikctl-foo-bar`` of $PATH, as kubectl does."""

from __future__ import annotations

import os

from minikctl import errors
from minikctl.cli import catalog
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minikctl.cli.session import Session

PREFIXES = ("kubectl-", "minikctl-")


def find(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the plugin that the first words name, the longest name first, and the words that are left for it."""
    names = []
    for word in words:
        if word.startswith("-"):
            break
        names.append(word.replace("-", "_"))
    while names:
        for prefix in PREFIXES:
            path = _which(prefix + "-".join(names))
            if path:
                return path, list(words[len(names) :])
        names.pop()
    return None


COMPLETION_SECONDS = 2.0


def names(before: Sequence[str] = ()) -> list[str]:
    """Return the words that plugins have after the words ``before``, as their programs' names tell."""
    found = set()
    for directory in _directories():
        try:
            files = os.listdir(directory)
        except OSError:
            continue
        for file in files:
            if file.startswith(PREFIXES) and _which(file):
                parts = [part.replace("_", "-") for part in file.split("-")[1:]]
                if parts[: len(before)] == list(before) and len(parts) > len(before):
                    found.add(parts[len(before)])
    return sorted(found)


def completed(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return what may be the last of a plugin's words: what its ``kubectl_complete-NAME`` says, with descriptions.

    That program is given the words after the plugin's name and prints a candidate a line, as Go's cobra does.
    """
    import subprocess

    before, found = list(words[:-1]), [(name, "a plugin") for name in names(words[:-1])]
    for count in range(len(before), 0, -1):
        name = "-".join(word.replace("-", "_") for word in before[:count])
        program = _which(f"kubectl_complete-{name}") or _which(f"minikctl_complete-{name}")
        if program:
            asked = [program, *before[count:], words[-1]]
            done = subprocess.run(
                asked, capture_output=True, text=True, timeout=COMPLETION_SECONDS, check=False
            )
            lines = [
                line
                for line in done.stdout.splitlines()
                if line and not line.startswith((":", "_activeHelp_"))
            ]
            return found + [(head, text) for head, _, text in (line.partition("\t") for line in lines)]
    return found


def execute(path: str, words: Sequence[str]) -> None:
    """Become the plugin; returns only if that fails."""
    try:
        os.execv(path, [path, *words])
    except OSError as error:
        raise errors.UsageError(f"error: {path}: {error.strerror}") from error


def _which(name: str) -> str:
    for directory in _directories():
        path = os.path.join(directory, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def _directories() -> list[str]:
    return list(dict.fromkeys(part for part in os.environ.get("PATH", "").split(os.pathsep) if part.strip()))


class ListOptions(Options):
    """What ``plugin list`` was asked."""

    names_only: bool = flag("--name-only", default=False, help="Only the names, without their paths.")


def list_(options: ListOptions, session: Session) -> int:
    """List the plugins of $PATH and what is wrong with them; return the exit code."""
    found = list(_plugins(session))
    if not found:
        raise errors.UsageError("error: unable to find any kubectl plugins in your PATH")
    session.io.say("The following compatible plugins are available:\n")
    seen: dict[str, str] = {}
    warnings = 0
    for path in found:
        name = os.path.basename(path)
        session.io.say(name if options.names_only else path)
        for warning in _warnings(path, name, seen):
            session.io.warn(f"  - warning: {warning}")
            warnings += 1
        seen.setdefault(name, path)
    if warnings:
        count = "one plugin warning was" if warnings == 1 else f"{warnings} plugin warnings were"
        raise errors.UsageError(f"error: {count} found")
    return 0


def _plugins(session: Session) -> Iterator[str]:
    for directory in _directories():
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue  # a directory of $PATH that is not there is no news
        for name in names:
            path = os.path.join(directory, name)
            if name.startswith(PREFIXES) and not os.path.isdir(path):
                yield path


def _warnings(path: str, name: str, seen: dict[str, str]) -> Iterator[str]:
    verb = name.partition("-")[2].partition("-")[0].replace("_", "-")
    if verb in catalog.SUMMARIES and verb not in ("create",):
        yield f'{name} overwrites existing command: "minikctl {verb}"'
    if not os.access(path, os.X_OK):
        yield f"{path} identified as a kubectl plugin, but it is not executable"
    elif name in seen:
        yield f"{path} is overshadowed by a similarly named plugin: {seen[name]}"


COMMANDS = {
    "plugin": Command(
        "Programs named kubectl-NAME (or minikctl-NAME) on your PATH are run by `minikctl NAME`.",
        children={
            "list": Command(
                "List the plugins on your PATH.",
                ListOptions,
                list_,
                examples=(
                    ("List them", "minikctl plugin list"),
                    ("Only their names", "minikctl plugin list --name-only"),
                ),
            )
        },
    )
}
