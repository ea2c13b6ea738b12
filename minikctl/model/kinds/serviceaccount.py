"""ServiceAccount: the identity of pods."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",))
