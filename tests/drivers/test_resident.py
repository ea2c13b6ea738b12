"""The control plane's side of the agent's program, whatever the other side does."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import pytest

from minikctl import errors
from minikctl.drivers import resident
from minikctl.drivers.netns import NetnsChange

CHANGES = [NetnsChange("a", 1, (), "text")]


class Session:
    """Fits ``drivers.engine.ExecSession``: what is written is kept, what is ``said`` comes out."""

    def __init__(self) -> None:
        self.written = b""
        self.said: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self.is_closed = False

    async def write(self, data: bytes) -> None:
        self.written += data

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while (piece := await self.said.get()) is not None:
            yield piece

    async def exit_code(self) -> int:
        return 0

    async def close(self) -> None:
        self.is_closed = True
        self.said.put_nowait(None)


@pytest.fixture
async def session() -> Session:
    return Session()


async def test_answers_find_their_questions_however_they_arrive(session: Session) -> None:
    program = resident.Resident(session)
    asked = [asyncio.ensure_future(program.apply(CHANGES)) for _ in range(2)]
    await asyncio.sleep(0)
    for piece in (b'{"id":2,"failed":{"a":"wo', b'rds"}}\n{"id":1,"failed":{}}\n', b'{"id":9,"failed":{}}\n'):
        session.said.put_nowait((1, piece))
    assert await asyncio.gather(*asked) == [{}, {"a": "words"}]
    await program.close()
    assert session.is_closed


async def test_what_is_told_unasked_is_handed_on_until_the_end(session: Session) -> None:
    program = resident.Resident(session)
    session.said.put_nowait((1, b'{"disturbed":[["a","minikctl"],["b",""]]}\n'))
    session.said.put_nowait(None)
    assert [each async for each in program.disturbed()] == [("a", "minikctl"), ("b", "")]
    assert program.over
    with pytest.raises(errors.DriverError, match="ended while it was at work"):
        await program.apply(CHANGES)


async def test_a_program_that_dies_says_so_in_its_last_words(session: Session) -> None:
    program = resident.Resident(session)
    asked = asyncio.ensure_future(program.apply(CHANGES))
    await asyncio.sleep(0)
    session.said.put_nowait((2, b"exec: python3: not found\n"))
    session.said.put_nowait(None)
    with pytest.raises(errors.DriverError, match="python3: not found"):
        await asked


async def test_one_that_dies_while_it_is_asked_is_told_of_once(session: Session) -> None:
    """An answer that nobody took would be told a second time, as a failure that was lost."""
    lost: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
    program = resident.Resident(session)

    async def dies(data: bytes) -> None:
        await session.close()
        while not program.over:
            await asyncio.sleep(0)

    session.write = dies  # type: ignore[method-assign]
    with pytest.raises(errors.DriverError, match="ended while it was at work"):
        await program.apply(CHANGES)
    gc.collect()
    assert lost == []


async def test_what_is_no_answer_ends_it(session: Session) -> None:
    program = resident.Resident(session)
    session.said.put_nowait((1, b"garbage\n"))
    assert [each async for each in program.disturbed()] == []
    await program.close()


async def test_one_that_does_not_answer_is_not_waited_for_without_end(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "SILENT_SECONDS", 0.5)
    program = resident.Resident(session)
    begun = time.monotonic()
    with pytest.raises(errors.DriverError, match="in time"):
        await program.apply(CHANGES * 100)
    assert time.monotonic() - begun < 25  # not as long for each of them
    session.said.put_nowait((1, b'{"id":1}\n'))
    await program.close()


async def test_one_that_says_that_it_goes_on_is_waited_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "SILENT_SECONDS", 2.0)
    program = resident.Resident(session)
    asked = asyncio.ensure_future(program.apply(CHANGES))
    for _ in range(24):
        await asyncio.sleep(0.1)
        session.said.put_nowait((1, b'{"id":1}\n'))
    session.said.put_nowait((1, b'{"id":1,"failed":{}}\n'))
    assert await asked == {}
    await program.close()
