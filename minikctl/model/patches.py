"""All kinds of patch: applied, and made."""

from __future__ import annotations

from minikctl.model.json_patches import PatchError, json_patch, merge, merge_diff
from minikctl.model.strategic import strategic, three_way

__all__ = ["PatchError", "json_patch", "merge", "merge_diff", "strategic", "three_way"]
