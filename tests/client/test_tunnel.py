"""What a local connection of ``port-forward`` said, said again to the next pod."""

from __future__ import annotations

import asyncio

from minikctl.client import tunnel


class _Pipe(tunnel.SocketPipe):
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.written: list[bytes] = []

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    async def write(self, data: bytes) -> None:
        self.written.append(data)

    async def close_write(self) -> None:
        self.written.append(b"end")


async def _all(local: tunnel.Replayable) -> list[bytes]:
    found = []
    while data := await local.read():
        found.append(data)
    return found


def test_what_was_said_is_heard_again_until_something_was_answered() -> None:
    async def scenario() -> None:
        pipe = _Pipe(b"one", b"two", b"three")
        local = tunnel.Replayable(pipe)
        assert [await local.read(), await local.read()] == [b"one", b"two"]
        await local.close_write()
        assert (local.fresh, pipe.written) == (True, [])
        local.rewind()
        assert await local.read() == b"one"
        await local.write(b"answer")
        assert not local.fresh
        assert await _all(local) == [b"two", b"three"]
        await local.close_write()
        assert pipe.written == [b"answer", b"end"]

    asyncio.run(scenario())


def test_its_end_is_heard_again_too() -> None:
    async def scenario() -> None:
        local = tunnel.Replayable(_Pipe(b"all"))
        for _ in range(3):
            assert await _all(local) == [b"all"]
            local.rewind()

    asyncio.run(scenario())


def test_a_long_one_is_not_kept() -> None:
    async def scenario() -> None:
        pieces = [b"x" * 300_000] * 5
        local = tunnel.Replayable(_Pipe(*pieces))
        assert await _all(local) == pieces
        assert not local.fresh

    asyncio.run(scenario())
