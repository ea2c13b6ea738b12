"""Root filesystems made of this machine's own programs and the libraries that they load."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minikctl.drivers import interpreter

_SEARCH = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
_LIBRARY = re.compile(r"(?:=>\s+)?(/\S+)\s+\(0x")
# Old and new places of programs and libraries are the same directories, as on the machines they come from.
_MERGED = ("bin", "sbin", "lib", "lib64")
_BASE = ("dash", "busybox")
_DIRECTORIES = ("dev", "etc", "proc", "root", "run", "sys", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")


@dataclass(frozen=True)
class Recipe:
    """What a root filesystem holds.

    ``programs`` must be on the machine, ``extras`` are taken if they are.  ``sh`` is dash, because busybox's
    own prefers its applets to the programs of the same name; busybox supplies every applet that no program
    here replaces.  ``files`` are path → (content, mode); ``directories`` path → mode.
    ``changes`` are the Dockerfile instructions that make the files an image.
    """

    programs: tuple[str, ...]
    extras: tuple[str, ...]
    files: Mapping[str, tuple[bytes, int]]
    directories: Mapping[str, int]
    changes: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """Patterns of paths: what the programs load while they run, which they do not say beforehand."""
    python: tuple[str, ...] = ()
    """Modules of Python: with any, ``python3`` is there and can import these, and no others."""


class Sources:
    """Where the parts of a recipe are on this machine; blocking."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        needed = (*_BASE, *recipe.programs)
        found = {name: shutil.which(name, path=_SEARCH) for name in (*needed, *recipe.extras)}
        self.missing = [name for name in needed if not found[name]]
        self._programs = {name: path for name, path in found.items() if path}
        self._python = interpreter.find(recipe.python) if recipe.python else None
        if recipe.python and self._python is None:
            self.missing.append("python3")

    def fingerprint(self) -> str:
        """Return a short text that changes when any program, library or file does, or this module's ways."""
        digest = hashlib.sha256(Path(__file__).read_bytes())
        for path in self._paths():
            status = os.stat(path)
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        for name, (content, mode) in sorted(self.recipe.files.items()):
            digest.update(f"{name} {mode:o} {len(content)}\n".encode() + content)
        digest.update(repr((sorted(self.recipe.directories.items()), self.recipe.changes)).encode())
        return digest.hexdigest()[:12]

    def _paths(self) -> list[str]:
        programs = sorted(self._programs.values())
        modules = sorted(path for pattern in self.recipe.modules for path in glob.glob(pattern))
        if self._python is None:
            return programs + libraries(programs) + modules
        loading = [*programs, *self._python.libraries_of]
        return [*programs, self._python.program, *libraries(loading), *modules, *self._python.files]

    def write(self, archive: Path) -> None:
        """Write the root filesystem to a tar file."""
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
            taken = _Taken(tar)
            for name in _DIRECTORIES:
                taken.directory(name, 0o755)
            taken.directory("tmp", 0o1777)
            for name in _MERGED:
                taken.link(name, f"usr/{name}")
            for name, mode in sorted(self.recipe.directories.items()):
                taken.directory(name, mode)
            for path in self._paths():
                taken.file(path)
            taken.link("usr/bin/sh", os.path.relpath(inside(self._programs["dash"]), "usr/bin"))
            if self._python is not None:
                taken.link("usr/bin/python3", os.path.relpath(inside(self._python.program), "usr/bin"))
            for applet in _applets(self._programs["busybox"]):
                if not self._programs.get(applet):
                    taken.link(f"usr/bin/{applet}", "busybox")
            for name, (content, mode) in sorted(self.recipe.files.items()):
                taken.content(name, content, mode)


class _Taken:
    """A tar being written; what is in it already is left as it is."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._names: set[str] = set()

    def _new(self, name: str) -> tarfile.TarInfo | None:
        if name in self._names:
            return None
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent, 0o755)
        self._names.add(name)
        return tarfile.TarInfo(name)

    def directory(self, name: str, mode: int) -> None:
        """Add a directory and those above it."""
        if entry := self._new(name):
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            self._tar.addfile(entry)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        if entry := self._new(name):
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            self._tar.addfile(entry)

    def content(self, name: str, content: bytes, mode: int) -> None:
        """Add a file with this content."""
        if entry := self._new(name):
            entry.mode, entry.size = mode, len(content)
            self._tar.addfile(entry, io.BytesIO(content))

    def file(self, path: str) -> None:
        """Add a file of the machine under its own path, links followed."""
        if entry := self._new(inside(path)):
            status = os.stat(path)
            # No set-user-id bits: nothing in these images is meant to gain rights.
            entry.mode, entry.size = status.st_mode & 0o755, status.st_size
            # By it Python knows whether what it has compiled is of this source.
            entry.mtime = int(status.st_mtime)
            with open(path, "rb") as source:
                self._tar.addfile(entry, source)


def inside(path: str) -> str:
    """Return the member name for a path of the machine, below usr/ where /bin and /usr/bin are the same."""
    first, _, rest = path.lstrip("/").partition("/")
    return f"usr/{first}/{rest}" if first in _MERGED else f"{first}/{rest}"


def libraries(programs: Sequence[str]) -> list[str]:
    """Return the shared libraries that the programs load, and the loader."""
    # A static program has no loader and makes ldd fail, which is no failure here.
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return sorted(set(parse_ldd(told.splitlines())))


def parse_ldd(lines: Iterable[str]) -> Iterable[str]:
    """Yield the paths in ldd's answer."""
    for line in lines:
        if match := _LIBRARY.search(line):
            yield match.group(1)


def _applets(busybox: str) -> list[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split() if name != "busybox"]
