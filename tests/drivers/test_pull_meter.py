from __future__ import annotations

from typing import Any

from minikctl.drivers.pull_meter import PullMeter
from minikctl.model.containers import PullProgress


def step(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    return {"id": layer, "status": status, "progressDetail": {"current": current, "total": total}}


def test_layers_and_bytes_are_added_up() -> None:
    meter = PullMeter()
    assert meter.feed({"id": "1", "status": "Pulling from library/web"}) == PullProgress()
    assert meter.feed({"status": "Digest: sha256:1"}) == PullProgress()
    meter.feed({"id": "a", "status": "Already exists", "progressDetail": {}})
    meter.feed(step("b", "Pulling fs layer"))
    assert meter.feed(step("b", "Downloading", 10, 100)) == PullProgress(2, 1, 10, 100)
    meter.feed(step("c", "Waiting"))
    assert meter.feed(step("c", "Downloading", 5, 50)) == PullProgress(3, 1, 15, 150)
    assert meter.feed(step("b", "Download complete")) == PullProgress(3, 1, 105, 150)
    assert meter.feed(step("b", "Extracting", 20, 300)) == PullProgress(3, 1, 105, 150)
    assert meter.feed(step("b", "Pull complete")) == PullProgress(3, 2, 105, 150)
