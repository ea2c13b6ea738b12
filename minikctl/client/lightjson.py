"""Reading JSON without the ``json`` package, whose imports take longer than most answers.

The work is done by the package's own C scanner; where there is none, by the package.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANKS = " \t\n\r"


class _Strict:
    """What the scanner asks of its surroundings, as ``json.JSONDecoder`` has it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(text: str) -> float:
        return {"-Infinity": float("-inf"), "Infinity": float("inf")}.get(text, float("nan"))


def loads(data: bytes | str) -> Any:
    """Return the decoded text (UTF-8); ``ValueError`` if it is no JSON."""
    text = (data if isinstance(data, str) else str(data, "utf-8")).strip(_BLANKS)
    if _SCAN is None:
        import json

        return json.loads(text)
    try:
        found, end = _SCAN(text, 0)
    except StopIteration as error:
        raise ValueError(f"no JSON value at character {error.value}") from None
    if end != len(text):
        raise ValueError(f"something follows the JSON value at character {end}")
    return found


def _scanner() -> Any:
    try:
        import _json

        surroundings: Any = _Strict
        return _json.make_scanner(surroundings)
    except (ImportError, AttributeError):
        return None


_SCAN = _scanner()
