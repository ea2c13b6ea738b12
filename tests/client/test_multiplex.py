from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from minikctl.client.multiplex import BUFFER_LIMIT, Connection, Stream, StreamReset
from minikctl.model.spdy import frames


class End:
    """One end of a pipe in memory; writing waits while too much is unread."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue(8)
        self.other: End = self
        self.closed = False

    async def read(self) -> bytes:
        return b"" if self.closed and self.incoming.empty() else await self.incoming.get()

    async def write(self, data: bytes) -> None:
        if self.closed or self.other.closed:
            raise BrokenPipeError
        await self.other.incoming.put(data)

    async def close(self) -> None:
        for end in (self, self.other):
            end.closed = True
            if not end.incoming.full():
                end.incoming.put_nowait(b"")


def pipe() -> tuple[End, End]:
    ends = End(), End()
    ends[0].other, ends[1].other = ends[1], ends[0]
    return ends


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Connection, Connection]]:
    ends = pipe()
    client, server = Connection(ends[0], client=True), Connection(ends[1], client=False)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()), group.create_task(server.run())]
        yield client, server
        for task in tasks:
            task.cancel()


async def accepted(server: Connection) -> Stream:
    stream = await anext(aiter(server.opened()))
    await server.accept(stream)
    return stream


async def test_bytes_go_both_ways_and_each_way_ends_alone() -> None:
    async with joined() as (client, server):
        ours = await client.open({"a": "b"})
        theirs = await accepted(server)
        assert theirs.headers == {"a": "b"}
        await ours.write(b"question")
        await ours.end()
        assert await theirs.read_all() == b"question"
        await theirs.write(b"answer")
        await theirs.end()
        assert await ours.read_all() == b"answer"


async def test_much_more_than_a_window_gets_through() -> None:
    async with joined() as (client, server), asyncio.TaskGroup() as group:
        ours = await client.open({})
        theirs = await accepted(server)
        data = bytes(range(256)) * 40_000
        group.create_task(ours.write(data)).add_done_callback(lambda _: group.create_task(ours.end()))
        assert await theirs.read_all() == data


async def test_a_reader_that_does_not_read_holds_up_no_other_stream() -> None:
    async with joined() as (client, server), asyncio.TaskGroup() as group:
        stuck = await client.open({})
        await accepted(server)
        stuck_writing = group.create_task(stuck.write(bytes(5_000_000)))
        await asyncio.sleep(0.05)
        assert not stuck_writing.done()
        free = await client.open({})
        theirs = await accepted(server)
        await free.write(b"through")
        assert await asyncio.wait_for(theirs.read(), 20) == b"through"
        stuck_writing.cancel()


async def test_a_peer_without_flow_control_is_read_only_so_far_ahead() -> None:
    ours, theirs = pipe()
    server = Connection(theirs, client=False)
    encoder = frames.Encoder()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await ours.write(encoder.encode(frames.SynStream(1)))
        stream = await accepted(server)
        chunk = encoder.encode(frames.Data(1, bytes(1_000_000)))
        written = 0
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(1):  # until nothing more is taken
                    await ours.write(chunk)
                written += 1
        assert BUFFER_LIMIT / 1_000_000 <= written < 25
        assert len(await stream.read()) >= BUFFER_LIMIT
        running.cancel()


async def test_a_reset_wakes_readers_and_writers() -> None:
    async with joined() as (client, server), asyncio.TaskGroup() as group:
        ours = await client.open({})
        theirs = await accepted(server)
        reading = group.create_task(swallowed(ours.read()))
        writing = group.create_task(swallowed(ours.write(bytes(5_000_000))))
        await asyncio.sleep(0.05)
        await theirs.reset()
        assert await asyncio.wait_for(reading, 20)
        assert await asyncio.wait_for(writing, 20)


async def swallowed(work: object) -> bool:
    try:
        await work  # type: ignore[misc]
    except StreamReset:
        return True
    return False


async def test_the_end_of_the_connection_ends_its_streams() -> None:
    async with joined() as (client, server):
        ours = await client.open({})
        theirs = await accepted(server)
        await theirs.write(b"last words")
        await server.close()
        assert await ours.read() == b"last words"
        with pytest.raises(StreamReset):
            await ours.read()
        await client.lost.wait()
        with pytest.raises(StreamReset):
            await client.open({})
        with pytest.raises(StreamReset):
            await ours.write(b"x")


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_connection_is_idle_once_its_last_stream_is_over_or_it_is_lost(is_lost: bool) -> None:
    async with joined() as (client, server):
        await client.idle()
        one, two = await client.open({}), await client.open({})
        await accepted(server)
        waiting = asyncio.create_task(client.idle())
        await one.reset()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await (server.close() if is_lost else two.reset())
        await asyncio.wait_for(waiting, 20)


async def test_a_peer_that_does_not_speak_spdy_ends_the_connection() -> None:
    ours, theirs = pipe()
    server = Connection(theirs, client=False)
    await ours.write(b"\x80\x07" + bytes(20))
    await asyncio.wait_for(server.run(), 20)
    assert server.lost.is_set()
    assert [stream async for stream in server.opened()] == []
