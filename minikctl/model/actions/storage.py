"""Plans as data: what the end of a volume asks of its node."""

from __future__ import annotations

from dataclasses import dataclass

from minikctl.model.actions import api


@dataclass(frozen=True)
class RemoveDirectory:
    """Remove the directory with all it holds; one that is gone is done."""

    path: str


StorageAction = RemoveDirectory | api.ApiAction
