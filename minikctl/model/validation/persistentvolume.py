"""PersistentVolume and PersistentVolumeClaim."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object


def default(obj: Object) -> None:
    """Complete a PersistentVolume: what a volume source leaves open."""
    if azure := objects.spec(obj).get("azureDisk"):
        azure.setdefault("cachingMode", "ReadWrite")
