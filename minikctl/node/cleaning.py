"""Removing what is of no more use: what containers wrote as root, and containers that only held an image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import Container, ContainerSpec, Mount
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import clock as clocks

ROLE = "cleaner"
IMAGE_ROLE = "image"
"""Of containers that never run: an image's files are read from them."""
LEFT_SECONDS = 600.0
"""Nobody reads an image for so long."""
POLL_SECONDS = 0.1
MAX_NAME = 36


async def remove_as_root(engine: engines.Engine, node: NodeInfo, path: str, clock: clocks.Clock) -> None:
    """Remove the directory with all it holds, by the infrastructure image's ``rm``.

    ``DriverError`` when something of it stays.
    """
    parent, _, name = path.rpartition("/")
    spec = ContainerSpec(
        name=f"mk_{node.cluster}_{ROLE}_{name[:MAX_NAME]}",
        image=node.infra_image,
        labels={names.CLUSTER: node.cluster, names.ROLE: ROLE},
        entrypoint=("/bin/rm", "-rf", f"/pods/{name}"),
        mounts=(Mount(parent, "/pods"),),
    )
    for left in await engine.list(spec.labels):
        if left.name == spec.name:  # of a control plane that was killed
            await engine.remove(left.id)
    container_id = await engine.create(spec)
    try:
        await engine.start(container_id)
        while (found := await engine.inspect(container_id)) is not None and found.status == "running":
            await clock.sleep(POLL_SECONDS)
    finally:
        await engine.remove(container_id)
    if found is not None and found.exit_code:
        raise errors.DriverError(f"{path} cannot be removed: rm ended with exit code {found.exit_code}")


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
