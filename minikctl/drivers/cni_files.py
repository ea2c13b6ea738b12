"""Which CNI configuration a cluster has: its user's, or the built-in one."""

from __future__ import annotations

import os
from pathlib import Path

from minikctl import errors
from minikctl.plan.cni import conflist

SUFFIXES = (".conflist", ".conf", ".json")


def read(path: str, name: str) -> str:
    """Return the valid configuration at ``path``: a file, or the first of a directory by name.

    "" is the built-in one of a network ``name``.  ``UsageError`` names file, line and field of what is wrong.
    """
    if not path:
        return conflist.default(name)
    found = _file(Path(path))
    try:
        text = found.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"error: {found}: {error}") from error
    conflist.parse(text, str(found))
    return text


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in sorted(os.listdir(path)):
        if name.endswith(SUFFIXES):
            return path / name
    raise errors.UsageError(f"error: {path}: no CNI configuration is there (*{', *'.join(SUFFIXES)})")
