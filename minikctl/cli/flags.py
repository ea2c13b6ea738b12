"""Declaring what a command takes: one frozen ``Options`` class per command, one line per flag.

The rules are those of kubectl's flag library: ``--wait=false``, ``-it``, ``-nkube-system`` and a flag with an
optional value (``--dry-run``, ``--dry-run=server``) mean here what they mean there.  A hand-made declaration
rather than a library's: importing one costs more than the whole rest of ``get pods``.
"""

from __future__ import annotations

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, ClassVar, dataclass_transform
else:  # ``typing`` is not needed at run time and would be imported by every command

    def dataclass_transform(**_: object):
        return lambda made: made


class Flag:
    """One flag, or (``names`` empty) the arguments that belong to no flag."""

    __slots__ = (
        "bare", "complete", "default", "dest", "duration", "help", "hidden", "kind", "metavar", "names", "own", "split"
    )  # fmt: skip

    def __init__(
        self,
        names: tuple[str, ...],
        default: object,
        text: str,
        extras: dict[str, Any],
    ) -> None:
        self.names = names
        self.default = default
        self.help = text
        self.bare: str | None = extras.get("bare")
        self.split: bool = extras.get("split", False)
        self.complete: str = extras.get("complete", "")
        self.metavar: str = extras.get("metavar", "")
        self.hidden: bool = extras.get("hidden", False)
        self.own: bool = extras.get("own", False)
        self.duration: bool = extras.get("duration", False)
        self.dest = ""
        self.kind = ""

    @property
    def long(self) -> str:
        """Return the name without dashes: ``output``."""
        return next((name[2:] for name in self.names if name.startswith("--")), "")

    @property
    def short(self) -> str:
        """Return the letter, or ""."""
        return next((name[1:] for name in self.names if not name.startswith("--")), "")

    @property
    def title(self) -> str:
        """Return how errors name the flag: ``-w, --watch``."""
        return f"-{self.short}, --{self.long}" if self.short else f"--{self.long}"

    @property
    def takes_value(self) -> bool:
        """Tell whether the next argument belongs to the flag when there is no ``=``."""
        return self.kind != "bool" and self.bare is None


def flag(*names: str, default: Any = "", help: str = "", **extras: Any) -> Any:
    """Declare a flag; its annotation (str, bool, int, tuple) says how its value is read.

    ``bare``: the value when none is given; ``split``: commas separate values; ``complete``: what completes it;
    ``duration``: the text is a duration, as Go writes them; ``own``: kubectl's command of that name has no such flag,
    and its help says so.
    """
    text = f"{help} {OWN}" if extras.get("own") else help
    return Flag(names, default, text, extras)


def rest(metavar: str = "", *, default: tuple[str, ...] = (), complete: str = "") -> Any:
    """Declare the arguments that belong to no flag."""
    return Flag((), default, "", {"metavar": metavar, "complete": complete})


def after_dash(*, default: tuple[str, ...] = ()) -> Any:
    """Declare what stands after ``--`` as apart from the other arguments."""
    return Flag(("--",), default, "", {})


OWN = "Not in kubectl."
"""What the help of a flag says that kubectl's command of that name has not."""


class BadArguments(errors.UsageError):
    """The arguments are not what the command takes; its help is worth a look."""


def one(arguments: Sequence[str], what: str = "NAME") -> str:
    """Return the only argument; ``BadArguments`` in kubectl's words when there are none or more."""
    if len(arguments) != 1:
        raise BadArguments(f"exactly one {what} is required, got {len(arguments)}")
    return arguments[0]


_KINDS = {
    "bool": "bool",
    "bool | None": "bool",
    "str | None": "str",
    "int": "int",
    "str": "str",
    "tuple[str, ...]": "list",
}


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(flag, rest, after_dash))
class Options:
    """What a command was asked: fields are given by name, and never change."""

    FLAGS: ClassVar[dict[str, Flag]] = {}
    LACKS: ClassVar[tuple[str, ...]] = ()
    """Fields of a base class that are no flags of this one; they keep their defaults."""

    def __init_subclass__(cls) -> None:
        found: dict[str, Flag] = {}
        for base in reversed(cls.__bases__):
            found |= getattr(base, "FLAGS", {})
        for dest, kind in getattr(cls, "__annotations__", {}).items():
            declared = cls.__dict__.get(dest)
            if isinstance(declared, Flag):
                declared.dest, declared.kind = dest, _KINDS[kind]
                found[dest] = declared
                setattr(cls, dest, declared.default)
        for dest in cls.__dict__.get("LACKS", ()):
            del found[dest]
        cls.FLAGS = found

    def __init__(self, **given: Any) -> None:
        for name in given:
            if name not in self.FLAGS:
                raise TypeError(f"{type(self).__name__} has no {name}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"

    def as_dict(self) -> dict[str, Any]:
        """Return every field with its value."""
        return {name: getattr(self, name) for name in self.FLAGS}
