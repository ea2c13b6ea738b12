"""What the simulated engine tells those who listen, each from the moment at which it began to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from minikctl import errors
from minikctl.drivers import engine

T = TypeVar("T")


class Channel(Generic[T]):
    """News of one sort; ``lost`` makes the error with which listening ends when the engine goes away."""

    def __init__(self, lost: Callable[[], errors.DriverError]) -> None:
        self._lost = lost
        self._listeners: set[asyncio.Queue[tuple[T] | None]] = set()

    def tell(self, news: T) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener.put_nowait((news,))

    def hang_up(self) -> None:
        """End what everyone listens to."""
        for listener in self._listeners:
            listener.put_nowait(None)

    def listen(self, wanted: Callable[[T], bool], *, available: bool) -> AsyncGenerator[T]:
        """Yield what is told from now on; nothing but the error if the engine is not there."""
        queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
        if available:
            self._listeners.add(queue)
        else:
            queue.put_nowait(None)
        return self._heard(queue, wanted)

    async def _heard(
        self, queue: asyncio.Queue[tuple[T] | None], wanted: Callable[[T], bool]
    ) -> AsyncGenerator[T]:
        try:
            while (news := await queue.get()) is not None:
                if wanted(news[0]):
                    yield news[0]
            raise self._lost()
        finally:
            self._listeners.discard(queue)


class News:
    """All that an engine tells: events of containers, and who leaves which network."""

    def __init__(self, lost: Callable[[], errors.DriverError]) -> None:
        self.events: Channel[engine.EngineEvent] = Channel(lost)
        self._lost = lost
        self._departures: dict[str, Channel[str]] = {}

    def departures(self, network: str) -> Channel[str]:
        """Return the news of containers that leave the network."""
        return self._departures.setdefault(network, Channel(self._lost))

    def hang_up(self) -> None:
        """End what everyone listens to."""
        self.events.hang_up()
        for channel in self._departures.values():
            channel.hang_up()
