"""What a node does as root where its process is not: by a container of the infrastructure image."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import ContainerSpec, Mount
from minikctl.node.files import Gift
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import clock as clocks

ROLE = "cleaner"
PLACE = "/place"
"""Where the container sees the directory that it is about."""
POLL_SECONDS = 0.05
MAX_NAME = 36


async def remove(engine: engines.Engine, node: NodeInfo, path: str, clock: clocks.Clock) -> None:
    """Remove the directory with all it holds; ``DriverError`` when something of it stays."""
    parent, _, name = path.rpartition("/")
    code = await _run(
        engine, node, name[:MAX_NAME], Mount(parent, PLACE), ("/bin/rm", "-rf", f"{PLACE}/{name}"), clock
    )
    if code:
        raise errors.DriverError(f"{path} cannot be removed: rm ended with exit code {code}")


async def give(
    engine: engines.Engine, node: NodeInfo, directory: str, gifts: Sequence[Gift], clock: clocks.Clock
) -> None:
    """Give what is in the directory to whom it is for; ``DriverError`` if something stays as it is."""
    if not gifts:
        return
    script = " && ".join(["cd " + PLACE, *(_words(gift, directory) for gift in gifts)])
    name = hashlib.sha256(directory.encode()).hexdigest()[:12]
    code = await _run(engine, node, name, Mount(directory, PLACE), ("/bin/sh", "-c", script), clock)
    if code:
        raise errors.DriverError(f"{directory} cannot be given to its users: sh ended with exit code {code}")


def _words(gift: Gift, directory: str) -> str:
    """Return the shell's words that give a path to its users."""
    path = shlex.quote(os.path.join(".", os.path.relpath(gift.path, directory)))
    owner = f"{'' if gift.uid is None else gift.uid}:{'' if gift.gid is None else gift.gid}"
    if gift.mode is not None:
        return f"chown -h {owner} {path} && chmod {gift.mode:o} {path}"
    directories = f"find {path} -type d -exec chmod ug+rwx,g+s {{}} +"
    return f"chown -hR {owner} {path} && {directories} && find {path} -type f -exec chmod ug+rw {{}} +"


async def _run(
    engine: engines.Engine,
    node: NodeInfo,
    name: str,
    mount: Mount,
    command: tuple[str, ...],
    clock: clocks.Clock,
) -> int | None:
    """Run a command in a container of its own, and return its exit code, None if that is not known."""
    spec = ContainerSpec(
        name=f"mk_{node.cluster}_{ROLE}_{name}",
        image=node.infra_image,
        labels={names.CLUSTER: node.cluster, names.ROLE: ROLE},
        entrypoint=command,
        mounts=(mount,),
        network="none",
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
    return found.exit_code if found is not None else None
