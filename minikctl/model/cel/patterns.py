"""Regular expressions of Go's RE2 as Python reads them, for what the CEL runtime has no function of."""

from __future__ import annotations

import functools
import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\t\n\v\f\r ",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
    "punct": r"!-/:-@\[-`{-~",
}


@functools.lru_cache(maxsize=512)
def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern, Go's syntax read as Python's where they differ."""
    text = re.sub(r"\[:(\w+):\]", lambda found: _POSIX.get(found[1], found[0]), text)
    text = re.sub(r"\\z", r"\\Z", text)
    return re.compile(re.sub(r"(?<!\\)\$(?=$|\)|\|)", r"\\Z", text))
