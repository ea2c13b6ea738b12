"""The levels of Pod Security, and which of them a namespace's labels ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.plan.podsecurity import baseline, restricted
from minikctl.plan.podsecurity.view import Finding, View

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
Mode = Literal["enforce", "audit", "warn"]
MODES: tuple[Mode, ...] = ("enforce", "audit", "warn")
_CHECKS: Mapping[str, tuple[baseline.Check, ...]] = {
    "privileged": (),
    "baseline": baseline.CHECKS,
    "restricted": restricted.CHECKS,
}


@dataclass(frozen=True)
class Level:
    """A level and the version of its checks, which here are always the latest."""

    name: str
    version: str

    def __str__(self) -> str:
        """Return both as messages show them."""
        return f"{self.name}:{self.version}"


def wanted(namespace: Object | None, mode: Mode) -> Level:
    """Return the level that the namespace's labels ask for; an unreadable one counts as restricted."""
    labels = objects.labels(namespace) if namespace else {}
    name = labels.get(PREFIX + mode, "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return Level(name if name in LEVELS else "restricted", version)


def findings(level: Level, metadata: Mapping[str, object], spec: Mapping[str, object]) -> list[Finding]:
    """Return what the level forbids of a pod."""
    view = View(metadata, spec)
    return [finding for check in _CHECKS[level.name] for finding in check(view)]


def invalid_labels(namespace: Object) -> Iterator[Cause]:
    """Yield what is wrong with the labels of a namespace."""
    labels = objects.labels(namespace)
    for mode in MODES:
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            text = f"must be one of {', '.join(LEVELS)}"
            yield causes.invalid(f"metadata.labels[{PREFIX}{mode}]", level, text)
        if version is not None and not _is_version(version):
            text = 'must be "latest" or "v1.x"'
            yield causes.invalid(f"metadata.labels[{PREFIX}{mode}-version]", version, text)


def _is_version(text: str) -> bool:
    return text == "latest" or (text.startswith("v1.") and text[3:].isascii() and text[3:].isdigit())
