"""Custom kinds that the command itself has just applied: their objects wait until they are served."""

from __future__ import annotations

import time

from minikctl.cli import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

DEFINITION = "CustomResourceDefinition"
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05


class NewKinds:
    """Definitions of this run by the kinds that they define."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pending: dict[tuple[str, str], Target] = {}

    def applied(self, target: Target, result: dict[str, Any]) -> None:
        """Remember the definition, if it is one."""
        if result.get("kind") == DEFINITION:
            spec = result.get("spec") or {}
            self._pending[(spec.get("group", ""), (spec.get("names") or {}).get("kind", ""))] = target

    def wait_for(self, obj: dict[str, Any]) -> None:
        """Return when the object's kind is served, or when waiting longer would help nobody."""
        group, _, _ = str(obj.get("apiVersion") or "").rpartition("/")
        target = self._pending.pop((group, str(obj.get("kind"))), None)
        if target is None:
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._is_established(target) and self._is_discovered(obj):
                return
            interrupts.sleep(POLL_SECONDS)

    def _is_established(self, target: Target) -> bool:
        found = self._session.client.request("GET", target.path()).json()
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    def _is_discovered(self, obj: dict[str, Any]) -> bool:
        self._session.discovery.refresh()
        return self._session.discovery.by_kind(obj["apiVersion"], obj["kind"]) is not None
