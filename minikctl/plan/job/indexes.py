"""Completion indexes: sets of whole numbers, and their short text such as ``0-3,5,7``."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from minikctl.model import objects
from minikctl.model.objects import Object

INDEX = "batch.kubernetes.io/job-completion-index"


def parse(text: str, completions: int) -> set[int]:
    """Return the indexes below ``completions`` that the text names; unreadable parts are left out."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return found


def render(indexes: Iterable[int]) -> str:
    """Return the shortest text: runs of three and more as a range."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(
        str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}"
        for first, last in runs
    )


def of(pod: Object) -> int | None:
    """Return the pod's completion index, None if it has none."""
    text = objects.annotations(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def first_free(taken: Collection[int], count: int, completions: int) -> list[int]:
    """Return up to so many of the lowest indexes that are not taken."""
    found: list[int] = []
    for index in range(completions):
        if len(found) >= count:
            break
        if index not in taken:
            found.append(index)
    return found
