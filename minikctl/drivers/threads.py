"""The one place where a driver's blocking calls leave the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")
_ITEMS_AHEAD = 64


class ClosableIterable(Protocol):
    """A blocking source of byte chunks that another thread may close, which ends it."""

    def chunks(self) -> Iterable[bytes]:
        """Yield chunks as they come."""
        ...

    def close(self) -> None:
        """End ``chunks``, also while it waits."""
        ...


class Threads:
    """Runs blocking work: quick work on a small pool, patient work on a thread each.

    Work that waits for something to happen never takes a place in the pool, so it holds up nobody; its
    threads are daemons, so that they never delay the end of the program.
    """

    def __init__(self, name: str, quick: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(quick, thread_name_prefix=name)
        self._streams: set[ClosableIterable] = set()

    async def quick(self, work: Callable[[], T]) -> T:
        """Run work that ends soon."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def patient(self, work: Callable[[], T]) -> T:
        """Run work that may take long."""
        return await self._begun(work)

    def _begun(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run work on a thread of its own; return what will have its outcome."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            outcome = _outcome(work)
            # The loop may have ended meanwhile: then nobody waits for the outcome.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: done.done() or outcome(done))

        threading.Thread(target=run, name=f"{self._name}-patient", daemon=True).start()
        return done

    async def stream(self, open_source: Callable[[], ClosableIterable]) -> AsyncGenerator[bytes]:
        """Yield the chunks of a blocking source, which waits while the reader is slow."""
        opening = self._begun(open_source)
        try:
            source = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_unwanted)
            raise
        self._streams.add(source)
        reading = _Reading(source, asyncio.get_running_loop())
        threading.Thread(target=reading.run, name=f"{self._name}-stream", daemon=True).start()
        try:
            while (chunk := await reading.next()) is not None:
                yield chunk
        finally:
            self._streams.discard(source)
            reading.stop()

    def close(self) -> None:
        """End all streams and take no more work."""
        for source in list(self._streams):
            source.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _outcome(work: Callable[[], T]) -> Callable[[asyncio.Future[T]], None]:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - handed to the waiting coroutine, whatever it is
        failure = error
        return lambda done: done.set_exception(failure)
    return lambda done: done.set_result(result)


def _unwanted(opening: asyncio.Future[ClosableIterable]) -> None:
    """Close a source that came when nobody waited for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


class _Reading:
    """Moves chunks from a thread into the loop, at most a few ahead of the reader."""

    def __init__(self, source: ClosableIterable, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self._queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_ITEMS_AHEAD)
        self._stopped = False

    def run(self) -> None:
        """Read the source to its end; runs on the stream's thread."""
        last: Exception | None = None
        try:
            for chunk in self._source.chunks():
                self._room.acquire()
                if self._stopped:
                    break
                self._hand_over(chunk)
        except Exception as error:  # noqa: BLE001 - raised again where the stream is read
            last = error
        finally:
            self._source.close()
            self._hand_over(last)

    def _hand_over(self, item: bytes | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

    async def next(self) -> bytes | None:
        """Return the next chunk, None at the end; raises what the source raised."""
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        self._room.release()
        return item

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._room.release()
        self._source.close()
