"""Paths of files in objects."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import causes
from minikctl.model.kind import Cause


def no_backsteps(value: str, path: str) -> Iterator[Cause]:
    """Yield a cause if a path leads upwards."""
    if ".." in value.split("/"):
        yield causes.invalid(path, value, "must not contain '..'")


def descending(value: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no path below somewhere."""
    if value.startswith("/"):
        yield causes.invalid(path, value, "must be a relative path")
    yield from no_backsteps(value, path)


def not_reserved(value: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no path for a file in a volume: those that begin with ``..`` are taken."""
    yield from descending(value, path)
    if value.startswith("..") and not value.startswith("../") and value != "..":
        yield causes.invalid(path, value, "must not start with '..'")
