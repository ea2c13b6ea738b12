"""Secret: settings that are not shown by default."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("", "v1", "Secret", "secrets")
