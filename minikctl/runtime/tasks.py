"""The one place that starts tasks: none is lost, and no exception passes unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
OnError = Callable[[str, Exception], None]
AGAIN_SECONDS = 1.0
"""A task that goes on so long after it was cancelled has lost the request, and gets another."""


def log_error(name: str, error: Exception) -> None:
    """Write the failure of a background task to the log, with its traceback."""
    log.error("task %s failed: %s", name, error, exc_info=error)


class Tasks:
    """Background work with one owner: ``close`` ends all of it, and each failure reaches ``on_error``.

    The tasks of one owner do not bring each other down; use ``asyncio.TaskGroup`` where they should.
    """

    def __init__(self, on_error: OnError = log_error) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many tasks are running."""
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[None]:
        """Run the work in the background; the task that is returned never raises, but can be cancelled."""
        task = asyncio.get_running_loop().create_task(self._guard(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # Work that was cancelled before its first step has not begun; closing it says that this is meant.
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guard(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - handed on, whatever it is
            self._on_error(name, error)

    async def idle(self) -> None:
        """Return when all that was started before has ended."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        await end(self._running)


async def end(running: Iterable[asyncio.Task[None]]) -> None:
    """Return when the tasks have ended, which are cancelled as often as it takes; what they raise is dropped.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11 drops the request when what it waits for ends in
    the same turn, and a group whose members fail while it is cancelled raises their failures only.
    """
    left = {task for task in running if not task.done()}
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()


def is_ending() -> bool:
    """Tell whether the running task was asked to end: what it caught is no reason to go on then."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def apart(work: Coroutine[Any, Any, None]) -> None:
    """Return when the work is done, as a task of its own; it ends with this one.

    A TaskGroup that fails while it waits leaves its task marked as cancelled in Python 3.11 and 3.12: whoever
    goes on after that, and asks ``is_ending``, has such work done apart.
    """
    await asyncio.get_running_loop().create_task(work)


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; it goes on to its end when whoever waits for it is cancelled.

    Nobody hears of its failure then.  What it waits for keeps the task alive.
    """
    return await asyncio.shield(asyncio.get_running_loop().create_task(work))


async def first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return when the first of the waits is over; the others are cancelled and awaited."""
    tasks = [asyncio.get_running_loop().create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
