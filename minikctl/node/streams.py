"""Logs, exec and attach of pods, straight from the engine: fits ``apiserver.streams.NodeStreams``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model import objects
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import names
from minikctl.plan.pod.state import ended, runs

SCHEME = "docker://"


class EngineStreams:
    """Finds a pod's container by its labels and connects to it; needs neither cache nor agent."""

    def __init__(self, engine: engines.Engine, cluster: str) -> None:
        self._engine = engine
        self._cluster = cluster

    async def logs(
        self, pod: Object, container: str, previous: bool, options: engines.LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield log bytes of the present or of the previous run, until the end or for ever with follow."""
        chosen = _last_ended(pod, container) if previous else await self._newest(pod, container)
        if not chosen:
            word = "previous terminated container" if previous else "container"
            raise errors.NoSuchContainer(f'{word} "{container}" in pod "{objects.name(pod)}" not found')
        async for chunk in self._engine.logs(chosen, options):
            yield chunk

    async def exec(
        self, pod: Object, container: str, argv: Sequence[str], options: engines.ExecOptions
    ) -> engines.ExecSession:
        """Start a command in the running container."""
        return await self._engine.exec(await self._running(pod, container), argv, options)

    async def attach(self, pod: Object, container: str, *, stdin: bool, tty: bool) -> engines.ExecSession:
        """Connect to the container's own process."""
        return await self._engine.attach(await self._running(pod, container), stdin=stdin, tty=tty)

    async def _newest(self, pod: Object, container: str) -> str:
        """Return the id of the run that the status shows, else of the newest that has a log."""
        shown = str(_entry(pod, container).get("containerID") or "")
        if shown:
            return shown.removeprefix(SCHEME)
        found = await self._attempts(pod, container)
        return next((each.id for each in found if runs(each) or ended(each)), "")

    async def _running(self, pod: Object, container: str) -> str:
        """Return the id of the run that the status shows running, else of one that runs."""
        entry = _entry(pod, container)
        if (entry.get("state") or {}).get("running") and entry.get("containerID"):
            return str(entry["containerID"]).removeprefix(SCHEME)
        for each in await self._attempts(pod, container):
            if runs(each):
                return each.id
        raise errors.NoSuchContainer(f'container not found ("{container}")')

    async def _attempts(self, pod: Object, container: str) -> list[Container]:
        """Return the container's attempts, the newest first."""
        labels = {names.CLUSTER: self._cluster, names.POD_UID: objects.uid(pod), names.CONTAINER: container}
        return sorted(await self._engine.list(labels), key=names.attempt, reverse=True)


def _entry(pod: Object, container: str) -> Object:
    """Return what the pod's status says of the container."""
    status = objects.status(pod)
    for entry in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        if entry.get("name") == container:
            return dict(entry)
    return {}


def _last_ended(pod: Object, container: str) -> str:
    """Return the id of the run before the one that the status shows."""
    ended = (_entry(pod, container).get("lastState") or {}).get("terminated") or {}
    return str(ended.get("containerID") or "").removeprefix(SCHEME)
