"""The kept results: one Markdown file with a section per part."""

from __future__ import annotations

import pathlib
import re

HEAD = "# Results of `make bench`\n\nOurs beside the bare thing in the same run, interleaved; each section says when and where.\n"


def keep(path: pathlib.Path, part: str, text: str) -> None:
    """Put a part's text into the file in place of its former one; other parts stay as they are."""
    sections = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    sections[part] = text.strip()
    body = "".join(f"\n## {name}\n\n{found}\n" for name, found in sections.items())
    path.write_text(HEAD + body, encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {name: found.strip() for name, found in zip(parts[1::2], parts[2::2], strict=True)}
