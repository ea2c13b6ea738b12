"""Connections to ports inside a pod's network namespace, 127.0.0.1 included, through the agent container.

Neither the machine's own network nor privileges of ours are needed: a shell in the agent enters the namespace
and becomes ``nc``.  Starting a shell there takes a tenth of a second, so while anybody forwards, a few wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers.agent import OWNED, FindAgent

_WAITING = 2
_ANSWER_SECONDS = 20.0
_MARK = "minikctl-relay"

# A line is "CONTAINER PID PORT" (connect, after which the shell is of no further use) or "kill GROUP".
# The engine does not end a command whose client has gone, and nc waits for its peer: hence "kill".
_SCRIPT = (
    OWNED
    + """
try() { said=$(nsenter --net=/proc/self/fd/9 nc "$1" "$port" 2>&1 1>&3); }
refused() { case $said in *"can't connect"*) return 0 ;; esac; return 1; }
exec 3>&1
while read -r box pid port; do
    if [ "$box" = kill ]; then
        kill -9 "-$pid" 2>/dev/null
        echo "$$"
        continue
    fi
    exec 9< "/proc/$pid/ns/net" || exit 2
    owned "$box" "$pid" || { echo "process $pid no longer belongs to container $box" >&2; exit 2; }
    echo "$$"
    try 127.0.0.1
    first=$said
    if refused; then
        try ::1
        if refused; then
            echo "$first" >&2
            exit 1
        fi
    fi
    exit 0
done
"""
)
# Ends what a control plane that was killed has left behind: shells of this agent with another token.
_SWEEP = """
for place in /proc/[0-9]*; do
    line=$(tr '\\0' ' ' < "$place/cmdline" 2>/dev/null) || continue
    case $line in
        *"$1.$2 ") ;;
        *"$1."*) case $line in sh*) kill -9 "-${place#/proc/}" 2>/dev/null ;; esac ;;
    esac
done
"""


class Relay(Protocol):
    """Opens connections to ports in containers' network namespaces."""

    def held(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Be ready for connections during the block."""
        ...

    async def connect(self, sandbox: str, pid: int, port: int) -> PortConnection:
        """Return a connection to a port on the loopback interface of the container's namespace.

        Whether anything listens shows when it is read.  ``DriverError`` when the namespace cannot be entered.
        """
        ...


class PortConnection(Protocol):
    """A TCP connection inside a pod."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; ``DriverError`` in the tool's words if nothing listened."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes; ``DriverError`` when the other side no longer takes any."""
        ...

    async def close_write(self) -> None:
        """Let the other side see the end of what is sent."""
        ...

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        ...


class _Shell:
    """A shell of the relay: ready for one line at a time."""

    def __init__(self, session: engines.ExecSession) -> None:
        self.session = session
        self.output: AsyncIterator[tuple[int, bytes]] = session.output()
        self.group = 0
        self.rest = b""
        self.words = b""

    async def ask(self, line: str) -> None:
        """Have a line carried out up to its acknowledgement; ``DriverError`` in the shell's words."""
        await self.session.write(f"{line}\n".encode())
        heard, words = b"", b""
        async with asyncio.timeout(_ANSWER_SECONDS):
            while b"\n" not in heard:
                piece = await anext(self.output, None)
                if piece is None:
                    text = words.decode(errors="replace").strip()
                    raise errors.DriverError(text or "the network agent ended while it was at work", text)
                heard, words = (heard + piece[1], words) if piece[0] == 1 else (heard, words + piece[1])
        number, _, self.rest = heard.partition(b"\n")
        self.words = (
            words  # the engine carries the channels one by one: a complaint may come ahead of the answer
        )
        self.group = int(number)


class Relayed:
    """A connection that a shell has become."""

    def __init__(self, shell: _Shell, kill: Callable[[int], Awaitable[None]]) -> None:
        self._shell = shell
        self._kill = kill
        self._words = shell.words
        self._ended = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; ``DriverError`` in the tool's words if nothing listened."""
        if self._shell.rest:
            data, self._shell.rest = self._shell.rest, b""
            return data
        async for channel, data in self._shell.output:
            if channel == 1:
                return data
            self._words += data
        self._ended = True
        if self._words:
            text = self._words.decode(errors="replace").strip()
            raise errors.DriverError(text.removeprefix("nc: "), text)
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; ``DriverError`` when the other side no longer takes any."""
        await self._shell.session.write(data)

    async def close_write(self) -> None:
        """Let the other side see the end of what is sent."""
        await self._shell.session.close_stdin()

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        await self._shell.session.close()
        if not self._ended:
            self._ended = True
            with contextlib.suppress(errors.DriverError):
                await self._kill(self._shell.group)


class AgentRelay:
    """Relays through the agent that ``find_agent`` names; follows it when it is replaced."""

    def __init__(self, engine: engines.Engine, find_agent: FindAgent) -> None:
        self._engine = engine
        self._find_agent = find_agent
        self._token = secrets.token_hex(8)
        self._swept: set[str] = set()
        self._idle: list[_Shell] = []
        self._holders = 0
        self._taken = asyncio.Event()
        self._filling = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Be ready for connections during the block; what it raises comes out in a group."""
        self._holders += 1
        try:
            async with asyncio.TaskGroup() as group:
                filling = group.create_task(self._fill(), name="relay")
                try:
                    yield
                finally:
                    filling.cancel()
        finally:
            self._holders -= 1
            if not self._holders:
                await self._drop()

    async def connect(self, sandbox: str, pid: int, port: int) -> Relayed:
        """Return a connection to a port on the loopback interface of the container's namespace."""
        shell = await self._asked(f"{sandbox} {pid} {port}")
        return Relayed(shell, self._kill)

    async def _kill(self, group: int) -> None:
        shell = await self._asked(f"kill {group}")
        await self._keep(shell)

    async def _asked(self, line: str) -> _Shell:
        """Return a shell that has acknowledged the line; one that has waited may be gone with its agent."""
        while self._idle:
            shell = self._idle.pop()
            self._taken.set()
            try:
                await shell.ask(line)
            except (errors.DriverError, TimeoutError):
                await shell.session.close()
            except BaseException:
                await shell.session.close()
                raise
            else:
                return shell
        shell = await self._open()
        try:
            await shell.ask(line)
        except TimeoutError as error:
            await shell.session.close()
            raise errors.DriverError("the network agent did not answer in time") from error
        except BaseException:
            await shell.session.close()
            raise
        return shell

    async def _open(self) -> _Shell:
        agent = await self._find_agent()
        if agent is None:
            raise errors.DriverError("the network agent does not run")
        mark = f"{_MARK}.{agent[:12]}"
        if agent not in self._swept:
            self._swept.add(agent)
            sweep = ["sh", "-c", _SWEEP, "sweep", mark, self._token]
            try:
                await self._engine.run(agent, sweep, _ANSWER_SECONDS)
            except TimeoutError as error:
                raise errors.DriverError("the network agent did not answer in time") from error
        argv = ["sh", "-c", _SCRIPT, f"{mark}.{self._token}"]
        return _Shell(await self._engine.exec(agent, argv, engines.ExecOptions(stdin=True)))

    async def _keep(self, shell: _Shell) -> None:
        if self._holders and len(self._idle) < _WAITING:
            self._idle.append(shell)
        else:
            await shell.session.close()

    async def _fill(self) -> None:
        """Have shells waiting for the next connections, for as long as this is not cancelled."""
        while True:
            self._taken.clear()
            async with self._filling:
                # An agent that does not run is told to the one who wants to connect.
                with contextlib.suppress(errors.DriverError):
                    while len(self._idle) < _WAITING:
                        self._idle.append(await self._open())
            await self._taken.wait()

    async def _drop(self) -> None:
        while self._idle:
            await self._idle.pop().session.close()
