"""Small immutable values for modules that every command loads.

``typing.NamedTuple`` and ``dataclasses`` bring a dozen modules along, which takes longer than a request.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_: object):
        return lambda made: made


@dataclass_transform(frozen_default=True)
class Record:
    """Fields are a class's annotations, in order; equal by value, and never changed."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.FIELDS = tuple(name for name in cls.__annotations__ if name != "FIELDS")

    def __init__(self, *values: Any, **given: Any) -> None:
        found = dict(zip(self.FIELDS, values, strict=False)) | given
        for name in self.FIELDS:
            if name not in found and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name}")
        if len(values) > len(self.FIELDS) or not found.keys() <= set(self.FIELDS):
            raise TypeError(f"{type(self).__name__} has {', '.join(self.FIELDS)}")
        self.__dict__.update(found)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} never changes")

    def values(self) -> tuple[Any, ...]:
        """Return the fields' values, in order."""
        return tuple(getattr(self, name) for name in self.FIELDS)

    def replaced(self, **changes: Any) -> Self:
        """Return the same value with some fields changed."""
        return type(self)(**{**dict(zip(self.FIELDS, self.values(), strict=True)), **changes})

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash(self.values())

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({fields})"
