"""How far a pull is, from the steps that the Docker engine tells meanwhile; no input or output here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minikctl.model.containers import PullProgress

Watch = Callable[[PullProgress], None]
"""Is called on the event loop each time a pull has come further."""
_THERE = ("Pull complete", "Already exists")
_LOADED = ("Verifying Checksum", "Download complete", "Extracting", *_THERE)
_BEGUN = ("Pulling fs layer", "Waiting", "Downloading", *_LOADED)


class PullMeter:
    """Adds up the layers of one pull."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[str, int, int]] = {}

    def feed(self, step: Mapping[str, Any]) -> PullProgress:
        """Return how far the pull is with this step; what is not about a layer changes nothing."""
        status, layer = str(step.get("status") or ""), str(step.get("id") or "")
        if layer and status in _BEGUN:
            _, loaded, total = self._layers.get(layer, ("", 0, 0))
            if status == "Downloading":
                detail = step.get("progressDetail") or {}
                loaded, total = int(detail.get("current") or 0), int(detail.get("total") or total)
            elif status in _LOADED:
                loaded = total
            self._layers[layer] = status, loaded, total
        return PullProgress(
            len(self._layers),
            sum(status in _THERE for status, _, _ in self._layers.values()),
            sum(loaded for _, loaded, _ in self._layers.values()),
            sum(total for _, _, total in self._layers.values()),
        )
