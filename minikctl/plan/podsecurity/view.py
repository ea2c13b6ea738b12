"""What checks read of a pod."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from minikctl.model.objects import Object


@dataclass(frozen=True)
class Finding:
    """What a check forbids, and where."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        """Return both as refusals show them."""
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


@dataclass(frozen=True)
class View:
    """A pod's metadata and spec."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    def containers(self) -> Iterator[Object]:
        """Yield all containers, those that come first being first."""
        for field in ("initContainers", "containers", "ephemeralContainers"):
            yield from self.spec.get(field) or ()

    @property
    def security(self) -> Mapping[str, Any]:
        """The pod's own security context."""
        return self.spec.get("securityContext") or {}

    @property
    def is_windows(self) -> bool:
        """Whether the pod says that it is for Windows."""
        return (self.spec.get("os") or {}).get("name") == "windows"


def security(container: Object) -> Mapping[str, Any]:
    """Return a container's security context."""
    return container.get("securityContext") or {}


def quoted(texts: Iterable[str], joint: str = ", ") -> str:
    """Return texts in quotation marks."""
    return joint.join(json.dumps(text) for text in texts)


def named(word: str, names: list[str]) -> str:
    """Return ``container "a"`` or ``containers "a", "b"``."""
    return f"{word}{'s' if len(names) > 1 else ''} {quoted(names)}"


def either(many: list[Any], one: str, several: str) -> str:
    """Return the word that fits the number."""
    return one if len(many) == 1 else several


def setters(pod: bool, names: list[str]) -> str:
    """Return who sets something: ``pod``, ``containers "a", "b"``, or both with "and" between; or ""."""
    return " and ".join((["pod"] if pod else []) + ([named("container", names)] if names else []))


CONFINING = ("RuntimeDefault", "Localhost")


def unconfined(view: View, field: str) -> tuple[str, list[str]]:
    """Return who sets the profile to a type that confines nothing, and these types."""
    whole = (view.security.get(field) or {}).get("type", "RuntimeDefault")
    each = {
        str(one.get("name")): str((security(one).get(field) or {}).get("type", "RuntimeDefault"))
        for one in view.containers()
    }
    names = [name for name, found in each.items() if found not in CONFINING]
    types = {found for found in (whole, *each.values()) if found not in CONFINING}
    return setters(whole not in CONFINING, names), sorted(types)
