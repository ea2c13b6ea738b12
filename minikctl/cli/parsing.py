"""Reading a command line by kubectl's rules, with kubectl's words for what is wrong with it."""

from __future__ import annotations

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from minikctl.cli.flags import Flag

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class BadCommandLine(errors.UsageError):
    """The command line cannot be read; ``see`` is what to look at, such as ``minikctl get --help``."""

    def __init__(self, message: str, see: str = "") -> None:
        super().__init__(message)
        self.see = see
        self.near: tuple[str, ...] = ()
        """What may have been meant."""


class Verbatim(errors.UsageError):
    """A failure whose text is printed as it stands."""


class Parsed:
    """A command line taken apart."""

    def __init__(self) -> None:
        self.given: dict[Flag, Any] = {}
        self.arguments: list[str] = []
        self.after_dash: list[str] = []
        self.has_dash = False
        self.wants_help = False


class Lookup:
    """The flags that are known at one place of the command line; earlier groups hide later ones."""

    def __init__(self, groups: Iterable[Mapping[str, Flag]]) -> None:
        self.long: dict[str, Flag] = {}
        self.short: dict[str, Flag] = {}
        for group in groups:
            for flag in group.values():
                for name in flag.names:
                    if name == "--":
                        continue
                    if name.startswith("--"):
                        self.long.setdefault(name[2:], flag)
                    else:
                        self.short.setdefault(name[1:], flag)


def first_word(words: Sequence[str], lookup: Lookup) -> int | None:
    """Return the place of the first word that is neither a flag nor a flag's value."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            return None
        if not word.startswith("-") or word == "-":
            return place
        known = lookup.long.get(word[2:]) if word.startswith("--") else lookup.short.get(word[1:])
        place += 2 if known is not None and known.takes_value else 1
    return None


def is_unknown_flag(word: str, lookup: Lookup) -> bool:
    """Tell whether the word is a flag that is not known here, whose value may follow."""
    if not word.startswith("-") or word == "-" or "=" in word:
        return False
    return word.lstrip("-") not in (lookup.long if word.startswith("--") else lookup.short)


def plain_words(words: Sequence[str], lookup: Lookup) -> list[str]:
    """Return the words that are neither flags nor flags' values."""
    rest, found = list(words), []
    while (place := first_word(rest, lookup)) is not None:
        found.append(rest[place])
        rest = rest[place + 1 :]
    return found


def parse(arguments: Sequence[str], lookup: Lookup) -> Parsed:
    """Return the command line taken apart; ``BadCommandLine`` in kubectl's words."""
    parsed = Parsed()
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "--":
            parsed.has_dash = True
            parsed.after_dash = list(reversed(waiting))
            break
        if word.startswith("--"):
            _long(word, waiting, lookup, parsed)
        elif word.startswith("-") and word != "-":
            _shorts(word, waiting, lookup, parsed)
        else:
            parsed.arguments.append(word)
    return parsed


def _long(word: str, waiting: list[str], lookup: Lookup, parsed: Parsed) -> None:
    name, equals, value = word[2:].partition("=")
    flag = lookup.long.get(name)
    if flag is None:
        if name == "help":
            parsed.wants_help = True
            return
        raise _unknown(name, lookup)
    if not equals:
        if flag.takes_value:
            if not waiting:
                raise BadCommandLine(f"flag needs an argument: --{name}")
            value = waiting.pop()
        else:
            value = flag.bare or "true"
    _store(flag, value, parsed)


def _unknown(name: str, lookup: Lookup) -> BadCommandLine:
    import difflib

    error = BadCommandLine(f"unknown flag: --{name}")
    near = difflib.get_close_matches(name, sorted(lookup.long), 2, 0.7)
    error.near = tuple(f"--{each}" for each in near)
    return error


def _shorts(word: str, waiting: list[str], lookup: Lookup, parsed: Parsed) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = lookup.short.get(letter)
        if flag is None:
            if letter == "h":
                parsed.wants_help = True
                return
            raise BadCommandLine(f"unknown shorthand flag: {letter!r} in {word}")
        if letters.startswith("="):
            value, letters = letters[1:], ""
        elif not flag.takes_value:
            value = flag.bare or "true"
        elif letters:
            value, letters = letters, ""
        elif waiting:
            value = waiting.pop()
        else:
            raise BadCommandLine(f"flag needs an argument: {letter!r} in {word}")
        _store(flag, value, parsed)


def _store(flag: Flag, value: str, parsed: Parsed) -> None:
    if flag.kind == "bool":
        if value not in _TRUE and value not in _FALSE:
            raise _invalid(flag, value, f"strconv.ParseBool: parsing {_quoted(value)}: invalid syntax")
        parsed.given[flag] = value in _TRUE
    elif flag.kind == "int":
        try:
            parsed.given[flag] = int(value)
        except ValueError:
            raise _invalid(
                flag, value, f"strconv.ParseInt: parsing {_quoted(value)}: invalid syntax"
            ) from None
    elif flag.kind == "list":
        values = tuple(part for part in value.split(",") if part) if flag.split else (value,)
        parsed.given[flag] = parsed.given.get(flag, ()) + values
    else:
        if flag.long == "dry-run":
            # What it said before it had more than two values.
            value = "client" if value in _TRUE else "none" if value in _FALSE else value
        if flag.duration:
            _check_duration(flag, value)
        parsed.given[flag] = value


def _check_duration(flag: Flag, value: str) -> None:
    from minikctl.cli import timespan

    wrong = timespan.complaint(value)
    if wrong:
        raise _invalid(flag, value, wrong)


def _invalid(flag: Flag, value: str, cause: str) -> BadCommandLine:
    return BadCommandLine(f'invalid argument {_quoted(value)} for "{flag.title}" flag: {cause}')


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
