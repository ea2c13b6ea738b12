"""A Python of this machine, and the files that it takes to run a program that needs few modules."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# Ascii and Latin-1 are loaded by what Python does at its end and with odd locales.
_ALWAYS = ("encodings.ascii", "encodings.latin_1", "encodings.utf_8", "os")
_LISTING = """
import importlib, sys
for name in sys.argv[1:]: importlib.import_module(name)
found = {}
for module in list(sys.modules.values()):
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path: found[path] = True
import json, os
print(json.dumps([sys.version_info >= (3, 9), os.path.realpath(sys.executable), sorted(found)]))
"""


@dataclass(frozen=True)
class Interpreter:
    """The program, and the files of modules with what is compiled of them, as paths of this machine."""

    program: str
    files: tuple[str, ...]

    @property
    def libraries_of(self) -> tuple[str, ...]:
        """Return the files that load shared libraries."""
        return (self.program, *(path for path in self.files if path.endswith(".so")))


@functools.cache
def find(modules: Sequence[str]) -> Interpreter | None:
    """Return the first of this machine's that can import the modules; None if none can.  Blocking.

    The distribution's own comes first: it is small, and its files are where others of its kind look for them.
    """
    for candidate in ("/usr/bin/python3", getattr(sys, "_base_executable", sys.executable)):
        found = _asked(candidate, modules)
        if found is not None:
            return found
    return None


def _asked(candidate: str, modules: Sequence[str]) -> Interpreter | None:
    argv = [candidate, "-I", "-S", "-c", _LISTING, *_ALWAYS, *modules]
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    is_new, program, paths = json.loads(said)
    files = tuple(path for path in paths if os.path.isfile(path))
    return Interpreter(program, files) if is_new else None
