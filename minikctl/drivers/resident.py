"""The control plane's side of the program that runs in the agent (``drivers.netns_program``)."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers import netns_commands as commands
from minikctl.drivers import netns_messages as messages
from minikctl.drivers import netns_program
from minikctl.drivers.netns import NetnsChange

SILENT_SECONDS = 30.0
"""A program of which nothing is heard for so long hangs: the commands of a change may take 10 s."""
ENDED = "the network agent ended while it was at work"


@dataclass(frozen=True)
class _Question:
    """What was asked of the program, and how long it is waited for."""

    answer: asyncio.Future[dict[str, str]]
    patience: asyncio.Timeout


class Resident:
    """The program in one agent: it ends with its session, and the session with the agent."""

    def __init__(self, session: engines.ExecSession) -> None:
        self._session = session
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Question] = {}
        self._told: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        self._words = ""
        self.over = False
        self._hearing = asyncio.ensure_future(self._hear())

    @classmethod
    async def start(cls, engine: engines.Engine, agent: str) -> Resident:
        """Start the program in the agent."""
        # The name tells its own transactions from those of all others, an earlier one of ours included.
        argv = ["python3", "-I", "-S", "-c", _source(), f"mk-rules-{secrets.token_hex(3)}"]
        return cls(await engine.exec(agent, argv, engines.ExecOptions(stdin=True)))

    async def apply(self, changes: Sequence[NetnsChange]) -> dict[str, str]:
        """Make the changes, those without commands first; return what failed as {container id: words}.

        ``DriverError`` when the program ends meanwhile or is silent: what was done is not known then.
        """
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(SILENT_SECONDS) as patience:
                self._waiting[number] = _Question(answer, patience)
                await self._session.write(request(number, changes))
                if self.over and not answer.done():
                    raise errors.DriverError(self._words or ENDED)
                return await answer
        except TimeoutError as error:
            raise errors.DriverError("the network agent did not answer in time") from error
        finally:
            self._waiting.pop(number, None)

    async def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        """Yield (container id, table) of what others change, until the program is over."""
        while (found := await self._told.get()) is not None:
            yield found

    async def close(self) -> None:
        """End the program."""
        self._hearing.cancel()
        await asyncio.gather(self._hearing, return_exceptions=True)
        await self._session.close()

    async def _hear(self) -> None:
        rest = b""
        try:
            async for stream, piece in self._session.output():
                if stream == 2:
                    self._words = piece.decode(errors="replace").strip()
                    continue
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
        except (errors.DriverError, ValueError) as error:
            self._words = str(error)
        finally:
            self._end()

    def _take(self, told: dict[str, Any]) -> None:
        for container, table in told.get("disturbed", ()):
            self._told.put_nowait((container, table))
        asked = self._waiting.get(told.get("id", 0))
        if asked is None or asked.answer.done():
            return
        if "failed" in told:
            asked.answer.set_result(told["failed"])
        elif not asked.patience.expired():
            asked.patience.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)

    def _end(self) -> None:
        if self.over:
            return
        self.over = True
        self._told.put_nowait(None)
        for asked in self._waiting.values():
            if not asked.answer.done():
                asked.answer.set_exception(errors.DriverError(self._words or ENDED))


_START = """import sys
for name, text in {}:
    module = sys.modules[name] = type(sys)(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["minikctl.drivers.netns_program"].Program(sys.argv[1]).run()
"""


def _source() -> str:
    """Return the program with the modules that it is made of; the packages that they name are empty."""
    parts = [(each.__name__, inspect.getsource(each)) for each in (commands, messages, netns_program)]
    return _START.format([("minikctl", ""), ("minikctl.drivers", ""), *parts])


def request(number: int, changes: Sequence[NetnsChange]) -> bytes:
    """Return the line that asks for the changes; a text that many of them need is in it once."""
    texts: dict[str, int] = {}
    wanted = [
        (
            change.sandbox,
            change.pid,
            change.commands,
            texts.setdefault(change.ruleset, len(texts)) if change.ruleset else -1,
            change.writing,
        )
        for change in changes
    ]
    return json.dumps({"id": number, "texts": list(texts), "changes": wanted}).encode() + b"\n"
