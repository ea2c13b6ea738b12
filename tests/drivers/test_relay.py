"""Connections through the agent: what its shell says comes in any order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from minikctl import errors
from minikctl.drivers import relay
from minikctl.drivers.engine import Engine

REFUSED = b"nc: can't connect to remote host (127.0.0.1): Connection refused\n"


class _Session:
    def __init__(self, pieces: list[tuple[int, bytes]]) -> None:
        self._pieces = pieces

    async def write(self, data: bytes) -> None:
        pass

    async def close(self) -> None:
        pass

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        for piece in self._pieces:
            yield piece


class _Engine:
    def __init__(self, pieces: list[tuple[int, bytes]]) -> None:
        self._pieces = pieces

    async def exec(self, *_: object) -> Any:
        return _Session(self._pieces)

    async def run(self, *_: object) -> None:
        pass


async def _agent() -> str:
    return "agent"


@pytest.mark.parametrize(
    "pieces",
    [
        [(1, b"17\n"), (2, REFUSED)],
        [(2, REFUSED), (1, b"17\n")],
        [(2, REFUSED[:9]), (1, b"17\n"), (2, REFUSED[9:])],
    ],
)
def test_a_port_where_nothing_listens_is_told_even_ahead_of_the_answer(
    pieces: list[tuple[int, bytes]],
) -> None:
    async def scenario() -> None:
        connection = await relay.AgentRelay(cast(Engine, _Engine(pieces)), _agent).connect("box", 1, 80)
        with pytest.raises(errors.DriverError, match=r"can't connect to remote host \(127\.0\.0\.1\)"):
            await connection.read()

    asyncio.run(scenario())


async def test_an_agent_that_does_not_answer_is_a_failure_of_the_driver() -> None:
    class Slow(_Engine):
        async def run(self, *_: object) -> None:
            raise TimeoutError

    agents = relay.AgentRelay(cast(Engine, Slow([])), _agent)
    async with agents.held():
        with pytest.raises(errors.DriverError, match="the network agent did not answer in time"):
            await agents.connect("sandbox", 7, 80)
