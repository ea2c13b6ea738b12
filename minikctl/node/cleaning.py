"""Removing containers that only held an image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import Container
from minikctl.plan.pod import names

IMAGE_ROLE = "image"
"""Of containers that never run: an image's files are read from them."""
LEFT_SECONDS = 600.0
"""Nobody reads an image for so long."""


async def discard(engine: engines.Engine, container_id: str) -> None:
    """Remove a container that held an image; what stays twice, ``sweep`` takes later."""
    for _ in range(2):
        with contextlib.suppress(errors.DriverError):
            await engine.remove(container_id)
            return


async def sweep(
    engine: engines.Engine, found: Iterable[Container], began: datetime | None, now: datetime
) -> None:
    """Remove what held an image for somebody who is gone: since before ``began``, or for long."""
    oldest = now - timedelta(seconds=LEFT_SECONDS)
    oldest = oldest if began is None else max(oldest, began)
    for container in found:
        is_holder = container.labels.get(names.ROLE) == IMAGE_ROLE
        if is_holder and container.created_at is not None and container.created_at < oldest:
            await discard(engine, container.id)
