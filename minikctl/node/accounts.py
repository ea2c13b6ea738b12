"""Reading who an image's users and groups are, by way of a container that never runs."""

from __future__ import annotations

import io
import os
import tarfile

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import ContainerSpec
from minikctl.node import cleaning
from minikctl.plan.pod import accounts, names

LIMIT_BYTES = 4 << 20
_MISSING = "could not find the file"


async def read(engine: engines.Engine, cluster: str, image: str) -> accounts.Accounts:
    """Return what the image's /etc/passwd and /etc/group say; a file that is not there says nothing."""
    spec = ContainerSpec(
        name=f"mk_{cluster}_accounts_{os.urandom(6).hex()}",
        image=image,
        labels={names.CLUSTER: cluster, names.ROLE: cleaning.IMAGE_ROLE},
        entrypoint=("/",),
        network="none",
    )
    container_id = await engine.create(spec)
    try:
        passwd = await _text(engine, container_id, "/etc/passwd")
        group = await _text(engine, container_id, "/etc/group")
    finally:
        await cleaning.discard(engine, container_id)
    return accounts.parse(passwd, group)


async def _text(engine: engines.Engine, container_id: str, path: str) -> str:
    try:
        archive = await engine.get_archive(container_id, path)
    except errors.EngineUnavailable:
        raise
    except errors.DriverError as error:
        if _MISSING in error.output.lower():
            return ""
        raise
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        member = found.next()
        source = found.extractfile(member) if member is not None and member.isfile() else None
        return "" if source is None else source.read(LIMIT_BYTES).decode(errors="replace")
