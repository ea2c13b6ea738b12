"""A command: what it takes, what it does, and its place in the tree of commands."""

from __future__ import annotations

from minikctl.cli import flags, parsing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from minikctl.cli.session import Session


class Command:
    """A verb (``run`` gets its options and a session and returns the exit code) or a group of them.

    ``usage`` is what stands after the command's name in its usage line; ``examples`` are pairs of a sentence
    and a command line; ``failed`` is the exit code of a failure.
    """

    def __init__(
        self,
        summary: str,
        options: type[flags.Options] = flags.Options,
        run: Callable[[Any, Session], int] | None = None,
        *,
        usage: str = "",
        examples: Sequence[tuple[str, str]] = (),
        children: Mapping[str, Command] | None = None,
        aliases: Mapping[str, str] | None = None,
        failed: int = 1,
    ) -> None:
        self.summary = summary
        self.options = options
        self.run = run
        self.usage = usage
        self.examples = tuple(examples)
        self.children = dict(children or {})
        self.aliases = dict(aliases or {})
        self.failed = failed


def descend(
    command: Command, path: list[str], words: list[str], common: Mapping[str, flags.Flag]
) -> tuple[Command, list[str]]:
    """Return the innermost command that the words name, and the words without those names."""
    rest = list(words)
    while command.children:
        lookup = parsing.Lookup([command.options.FLAGS, common])
        place = parsing.first_word(rest, lookup)
        if place is None:
            break
        name = command.aliases.get(rest[place], rest[place])
        if command.run and name not in command.children:
            break
        del rest[place]
        if name not in command.children:
            named = " ".join([name, *parsing.plain_words(rest, lookup)])
            raise parsing.BadCommandLine(
                f"unknown command \"{named}\"\nSee '{' '.join(path)} -h' for help and examples"
            )
        command = command.children[name]
        path.append(name)
    return command, rest


def options_of(command: Command, parsed: parsing.Parsed) -> flags.Options:
    """Return the command's options as they were given."""
    declared = command.options.FLAGS
    given = {flag.dest: parsed.given[flag] for flag in declared.values() if flag in parsed.given}
    arguments, dashed = parsed.arguments, parsed.after_dash
    for flag in declared.values():
        if flag.names == ("--",):
            given[flag.dest], dashed = tuple(dashed), []
    arguments = arguments + dashed
    positional = next((flag for flag in declared.values() if not flag.names), None)
    if positional is not None:
        given[positional.dest] = tuple(arguments)
    elif arguments:
        raise flags.BadArguments(f"unexpected arguments: [{' '.join(arguments)}]")
    return command.options(**given)
