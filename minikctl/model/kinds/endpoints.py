"""Endpoints: the older form of EndpointSlice, one object per Service."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("", "v1", "Endpoints", "endpoints", short_names=("ep",))
