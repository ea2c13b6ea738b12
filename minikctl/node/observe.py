"""Following the engine: its events as they come, all containers now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import Container
from minikctl.node import cleaning
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

RELIST_SECONDS = 60.0
FIRST_RELIST_SECONDS = 1.0
"""Events that came while the stream was being opened are caught by a second list."""
RETRY_SECONDS = 1.0
_IGNORED = frozenset({"create", "kill", "stop", "attach", "exec_create", "exec_start", "exec_die", "top"})


@dataclass(frozen=True)
class Follower:
    """Who is told: of one container's state, of its end, of all containers, of the engine's going and coming.

    ``listed`` gets the uid of the one pod that was listed ("" for all), its containers, and the ids of those
    that changed since the question went out, which grow while it works: what is listed of them is outdated.
    ``expects`` tells whether a start of that container is under way here, which looks at it itself; ``left``
    whether a container matters that left the network.
    """

    changed: Callable[[Container], Awaitable[None]]
    gone: Callable[[str], None]
    listed: Callable[[str, Sequence[Container], Set[str]], Awaitable[None]]
    lost: Callable[[str], None]
    expects: Callable[[engines.EngineEvent], bool]
    left: Callable[[str], bool]


@dataclass
class _Refresh:
    """One container that is being looked at; ``again``: something happened since the question went out.

    Once it is ``done``, ``failed`` tells those who waited whether they have to look themselves.
    """

    again: bool = True
    failed: bool = True
    done: asyncio.Event = field(default_factory=asyncio.Event)


class EngineWatch:
    """Keeps a follower up to date about the pod containers of one cluster."""

    def __init__(
        self,
        engine: engines.Engine,
        place: NodeInfo,
        clock: clocks.Clock,
        background: tasks.Tasks,
        follower: Follower,
    ) -> None:
        self._engine = engine
        self._labels = {names.CLUSTER: place.cluster}
        self._began = place.began
        self._network = place.engine_network or place.network
        self._clock = clock
        self._background = background
        self._follower = follower
        self._refreshing: dict[str, _Refresh] = {}
        self._listings: list[set[str]] = []
        self._doubt = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled; without an engine, try again each second."""
        while True:
            try:
                await self._follow()
            except errors.EngineUnavailable as error:
                self._follower.lost(str(error))
            except errors.DriverError as error:
                log.warning("following the engine: %s", error)
            await self._clock.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        beside = (
            self._background.start(self._relist(), "relist"),
            self._background.start(self._follow_network(), "departures"),
        )
        try:
            async for event in self._engine.events(self._labels):
                self._take(event)
        finally:
            for task in beside:
                task.cancel()

    async def _follow_network(self) -> None:
        """Look at the containers that leave the network; one that runs on has lost its address."""
        while True:
            try:
                async for container_id in self._engine.departures(self._network):
                    if self._follower.left(container_id):
                        self._background.start(self._guarded_refresh(container_id), "refresh")
            except errors.DriverError as error:
                log.debug("following network %s: %s", self._network, error)
            await self._clock.sleep(RETRY_SECONDS)

    async def _relist(self) -> None:
        """List now, once more soon, then now and then; soon again after a failure."""
        pause = FIRST_RELIST_SECONDS
        while True:
            self._doubt.clear()
            try:
                await self.list_now()
            except errors.EngineUnavailable as error:
                self._follower.lost(str(error))
                pause = RETRY_SECONDS
            except errors.DriverError as error:
                log.warning("listing containers: %s", error)
                pause = RETRY_SECONDS
            except Exception as error:
                expected = isinstance(error, errors.MinikctlError | OSError)
                log.warning("listing containers: %s", error, exc_info=None if expected else error)
            await tasks.first(self._clock.sleep(pause), self._doubt.wait())
            if self._doubt.is_set():
                await self._clock.sleep(RETRY_SECONDS)
            pause = RELIST_SECONDS

    def doubt(self) -> None:
        """Have all containers listed soon: an action found the engine gone, the stream may not notice."""
        self._doubt.set()

    async def list_now(self, uid: str = "") -> None:
        """Tell the follower all pod containers, or those of one pod, as they are now."""
        labels = self._labels | ({names.POD_UID: uid} if uid else {})
        touched: set[str] = set()
        self._listings.append(touched)
        try:
            found = [await self._whole(each) for each in await self._engine.list(labels)]
            await self._follower.listed(uid, [each for each in found if is_pod_container(each)], touched)
        finally:
            self._listings.remove(touched)
        if not uid:
            await cleaning.sweep(self._engine, found, self._began, self._clock.now())

    async def _whole(self, container: Container) -> Container:
        """Return the container with why it could not be started, which a list does not tell."""
        if container.status != "created" or container.error:
            return container
        return await self._engine.inspect(container.id) or container

    def _take(self, event: engines.EngineEvent) -> None:
        if event.action in _IGNORED or event.labels.get(names.ROLE) not in names.POD_ROLES:
            return
        self._touch(event.container_id)
        if event.action == "destroy":
            self._follower.gone(event.container_id)
        elif not (event.action == "start" and self._follower.expects(event)):
            self._background.start(self._guarded_refresh(event.container_id), "refresh")

    async def _guarded_refresh(self, container_id: str) -> None:
        try:
            await self.refresh(container_id)
        except errors.DriverError as error:
            log.debug("inspecting %s: %s", container_id, error)
            self.doubt()  # what happened to it is not known, and no event will tell again

    async def refresh(self, container_id: str) -> None:
        """Tell the follower the container's state as it is after this call.

        Of one container only one question is out at a time, so that no older answer overtakes a newer one.
        """
        while (running := self._refreshing.get(container_id)) is not None:
            running.again = True
            await running.done.wait()
            if not running.failed:
                return
        running = self._refreshing[container_id] = _Refresh()
        try:
            while running.again:
                running.again = False
                self._touch(container_id)
                found = await self._engine.inspect(container_id)
                self._touch(container_id)
                if found is None:
                    self._follower.gone(container_id)
                else:
                    await self._follower.changed(found)
            running.failed = False
        finally:
            del self._refreshing[container_id]
            running.done.set()

    def _touch(self, container_id: str) -> None:
        for touched in self._listings:
            touched.add(container_id)


def is_pod_container(container: Container) -> bool:
    """Tell whether the container belongs to a pod."""
    labels = container.labels
    return labels.get(names.ROLE) in names.POD_ROLES and bool(labels.get(names.POD_UID))
