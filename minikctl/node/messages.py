"""Termination messages: what a container left in its file, or the end of its log."""

from __future__ import annotations

from typing import Protocol

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model import objects
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.node import host_files
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo

FILE_LIMIT = 4096
LOG_LINES = 80
LOG_LIMIT = 2048


class Sources(Protocol):
    """Where messages are found."""

    @property
    def engine(self) -> engines.Engine:
        """Return what has the logs."""
        ...

    @property
    def files(self) -> host_files.HostFiles:
        """Return what has the files."""
        ...


async def read(sources: Sources, node: NodeInfo, container: Container, pod: Object | None) -> str:
    """Return the message of a container that ended, "" if it left none."""
    labels = container.labels
    name = labels.get(names.CONTAINER, "")
    path = names.termination_log(node, labels[names.POD_UID], name, names.attempt(container))
    text = await sources.files.tail(path, FILE_LIMIT)
    if text or container.exit_code == 0 or not _falls_back(pod, name):
        return text
    return await _log_end(sources.engine, container.id)


def _falls_back(pod: Object | None, name: str) -> bool:
    spec = objects.spec(pod or {})
    for container in objects.containers(spec):
        if container.get("name") == name:
            return str(container.get("terminationMessagePolicy")) == "FallbackToLogsOnError"
    return False


async def _log_end(engine: engines.Engine, container_id: str) -> str:
    found = bytearray()
    try:
        async for chunk in engine.logs(container_id, engines.LogOptions(tail=LOG_LINES)):
            found += chunk
            del found[:-LOG_LIMIT]
    except errors.DriverError:
        return ""
    return found.decode(errors="replace")
