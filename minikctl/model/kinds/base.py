"""The types of the registry, under the name by which other packages import them."""

from __future__ import annotations

from minikctl.model.kind import VERBS, Cause, Column, Kind, ScalePaths, accept, leave, same

__all__ = ["VERBS", "Cause", "Column", "Kind", "ScalePaths", "accept", "leave", "same"]
