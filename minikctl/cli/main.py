"""The program: finds the verb, imports that verb's module alone, and reports what goes wrong.

Imports cost more than anything else that a command does, so what only some verbs need is not imported here.
"""

from __future__ import annotations

import gc
import os
import sys

from minikctl import errors
from minikctl.cli import catalog, commands, flags, interrupts, parsing, session
from minikctl.cli.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""What shells say of a process that Ctrl-C ended."""
HEARING = frozenset(("get", "events", "logs", "wait", "delete", "edit", "run", "rollout status"))
"""Commands that, as kubectl's, end by themselves on Ctrl-C while they wait or watch, with exit code 1."""
NOT_FOUND = 404


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program with these arguments and end the process with its exit code."""
    # A command is over before a collection of its garbage would pay.
    gc.set_threshold(100_000, 50, 100)
    interrupts.install()
    code = run(sys.argv[1:] if argv is None else argv, session.Io.standard())
    if code == INTERRUPTED:
        interrupts.end()
    # Everything is flushed; tearing the interpreter down takes as long as a request.
    os._exit(code)


def run(argv: Sequence[str], io: session.Io) -> int:
    """Run one command line; return its exit code, everything being written out."""
    verbosity = 0
    failed = 1
    try:
        words = preferred(list(argv), io)
        chosen = find(words)
        if chosen is None:
            code = _overview(words, io)
        else:
            path, command, rest = chosen
            failed = command.failed
            settings, parsed = read(path, command, rest)
            verbosity = settings.verbosity
            code = _dispatch(path, command, settings, parsed, io)
            code = code or int(io.troubled)
        io.out.flush()
        io.err.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where every failure becomes text and a code
        from minikctl.cli import report

        return report.failure(error, io, verbosity, failed)
    return code


def preferred(words: list[str], io: session.Io) -> list[str]:
    """Return the command line with what kubectl's preferences file says of it, if there is one."""
    is_named = "KUBERC" in os.environ or any(word.startswith("--kuberc") for word in words)
    if words[:1] == ["__complete"] or not (
        is_named or os.path.exists(os.path.join(os.path.expanduser("~"), ".kube", "kuberc"))
    ):
        return words
    from minikctl.cli import preferences

    return preferences.applied(words, io)


def find(words: list[str]) -> tuple[list[str], commands.Command, list[str]] | None:
    """Return the command that the words name, its path and the other words; None when they name none."""
    lookup = parsing.Lookup([Settings.FLAGS])
    place = parsing.first_word(words, lookup)
    if place is None:
        return None
    place = _past_values(words, place, lookup)
    verb = words[place]
    if verb == "help":
        return find([*words[:place], *words[place + 1 :], "--help"])
    if verb not in catalog.MODULES:
        _plugin(words, place)
    path = ["minikctl", verb]
    command, rest = commands.descend(load(verb), path, words[place + 1 :], Settings.FLAGS)
    return path, command, words[:place] + rest


def _past_values(words: list[str], place: int, lookup: parsing.Lookup) -> int:
    """Return the place of the command, which is not what stands behind a flag that is only the command's own."""
    while place and words[place] not in catalog.MODULES and parsing.is_unknown_flag(words[place - 1], lookup):
        following = parsing.first_word(words[place + 1 :], lookup)
        if following is None:
            break
        place += 1 + following
    return place


def _plugin(words: list[str], place: int) -> None:
    """Become the plugin that the words name; raise when there is none."""
    from minikctl.cli import plugin, report

    found = plugin.find(words[place:])
    if found is None:
        raise report.unknown_command(words[place], catalog.SUMMARIES)
    if place:
        raise parsing.Verbatim(
            f"Error: flags cannot be placed before plugin name: {words[0].partition('=')[0]}"
        )
    plugin.execute(*found)


def load(verb: str) -> commands.Command:
    """Return a verb's command, importing its module."""
    module = __import__(f"minikctl.cli.{catalog.MODULES[verb]}", fromlist=["COMMANDS"])
    found: commands.Command = module.COMMANDS[verb]
    return found


def read(path: list[str], command: commands.Command, words: list[str]) -> tuple[Settings, parsing.Parsed]:
    """Return the global settings and the command line taken apart."""
    try:
        parsed = parsing.parse(words, parsing.Lookup([command.options.FLAGS, Settings.FLAGS]))
    except parsing.BadCommandLine as error:
        if command.failed != 1:  # as kubectl: what such a command says of flags is its own
            raise parsing.BadCommandLine(f"{error}\n{_see(path)}") from error
        error.see = error.see or f"{' '.join(path)} --help"
        raise
    chosen = {flag.dest: parsed.given[flag] for flag in Settings.FLAGS.values() if flag in parsed.given}
    return Settings(**chosen), parsed


def _dispatch(
    path: list[str], command: commands.Command, settings: Settings, parsed: parsing.Parsed, io: session.Io
) -> int:
    if parsed.wants_help or command.run is None:
        from minikctl.cli import usage

        usage.of(path, command, io)
        return 0 if parsed.wants_help else 1
    chosen = session.Session(settings, io)
    try:
        code = _run(path, command, commands.options_of(command, parsed), chosen)
        return 1 if code == 0 and settings.strict_warnings and _warned(chosen) else code
    except flags.BadArguments as error:
        raise parsing.BadCommandLine(f"{error}\n{_chosen_by_flag(path, parsed)}{_see(path)}") from error
    except errors.StatusError as error:
        if error.code == NOT_FOUND:
            from minikctl.cli import elsewhere

            error.elsewhere = elsewhere.of_failure(error, chosen)
        raise
    finally:
        chosen.close()


def _chosen_by_flag(path: list[str], parsed: parsing.Parsed) -> str:
    """Return the hint for who names a cluster as with k3d, behind the verb; "" for all other lines."""
    if path[1] != "cluster" or len(parsed.arguments) != 1:
        return ""
    return f"hint: a cluster is chosen by a flag: `{' '.join(path)} --cluster {parsed.arguments[0]}`\n"


def _see(path: list[str]) -> str:
    return f"See '{' '.join(path)} -h' for help and examples"


def _run(path: list[str], command: commands.Command, options: flags.Options, chosen: session.Session) -> int:
    assert command.run is not None, "a group has no options"
    try:
        return command.run(options, chosen)
    except KeyboardInterrupt:
        goes_on = getattr(options, "watch", True) or getattr(options, "watch_only", False)
        if " ".join(path[1:]) in HEARING and goes_on:
            return 1
        raise


def _warned(chosen: session.Session) -> bool:
    """Say that warnings count as errors, if there were any."""
    if chosen.warned:
        chosen.io.warn(f"error: {chosen.warned} warning{'s' if chosen.warned > 1 else ''} received")
    return chosen.warned > 0


def _overview(words: list[str], io: session.Io) -> int:
    try:
        parsing.parse(words, parsing.Lookup([Settings.FLAGS]))
    except parsing.BadCommandLine as error:
        error.see = "minikctl --help"
        raise
    from minikctl.cli import usage

    usage.overview(io)
    return 0


if __name__ == "__main__":
    main()
