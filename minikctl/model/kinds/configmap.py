"""ConfigMap: settings in clear."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("", "v1", "ConfigMap", "configmaps", short_names=("cm",))
