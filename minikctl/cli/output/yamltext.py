"""YAML as kubectl prints it: keys in order, the same choice of quotes, the same folds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"
_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_WORDS = frozenset(
    form
    for word in ("y", "yes", "on", "true", "n", "no", "off", "false", "null")
    for form in (word, word.capitalize(), word.upper())
) | {"", "~", ".nan", ".NaN", ".NAN"} | {
    f"{sign}.{word}" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")
}  # fmt: skip
_NUMBER = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[0-9]+"
    r"|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
)
_SIXTY = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\s*\d{1,2}:\d{1,2}:\d{1,2}(\.\d*)?\s*(Z|[-+]\d{1,2}(:\d\d)?)?)?"
)


class _Dumper(_BASE):  # type: ignore[misc]
    """Gets every scalar as text, already decided: nothing is to be resolved again."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - a setting of the base class

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value out each time, even if it is the same one."""
        return True


def to_yaml(value: Any) -> str:
    """Return the value as YAML, keys in order."""
    text = str(yaml.dump(value, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=80, indent=2))
    return text.removesuffix("...\n")  # libyaml's mark after an open-ended scalar


def is_ambiguous(text: str) -> bool:
    """Tell whether a reader would take the bare text for something else than text."""
    if text in _WORDS:
        return True
    if not text[:1] or text[0] not in "0123456789+-.":
        return False
    return bool(_NUMBER.fullmatch(text.replace("_", "")) or _SIXTY.fullmatch(text)) or _is_date(text)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        year, month, day = text[:10].rstrip("Tt ").split("-")
        datetime(int(year), int(month), int(day[:2]))
    except ValueError:
        return False
    return True


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else '"' if is_ambiguous(value) else None
    return dumper.represent_scalar(_TEXT, value, style=style)


def _bare(text: str) -> Any:
    return lambda dumper, value: dumper.represent_scalar(_TEXT, text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(
    bool, lambda dumper, value: dumper.represent_scalar(_TEXT, "true" if value else "false")
)
_Dumper.add_representer(int, lambda dumper, value: dumper.represent_scalar(_TEXT, str(value)))
_Dumper.add_representer(float, lambda dumper, value: dumper.represent_scalar(_TEXT, f"{value:g}"))
_Dumper.add_representer(type(None), _bare("null"))
