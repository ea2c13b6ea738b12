"""All kinds of patch: applied, and made."""

from __future__ import annotations

from minikctl.model.json_patches import PatchError, TestFailed, json_patch, merge, merge_diff
from minikctl.model.strategic import strategic, three_way

__all__ = ["PatchError", "TestFailed", "json_patch", "merge", "merge_diff", "strategic", "three_way"]
