"""Event: what happened to an object; core/v1, and events.k8s.io/v1 as another view of the same storage."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("", "v1", "Event", "events", short_names=("ev",))
KIND_EVENTS = Kind("events.k8s.io", "v1", "Event", "events", short_names=("ev",), storage=("", "v1"))
