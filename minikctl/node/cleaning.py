"""Removing what containers wrote as root and this process may not touch: from inside a container."""

from __future__ import annotations

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import ContainerSpec, Mount
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import clock as clocks

ROLE = "cleaner"
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
