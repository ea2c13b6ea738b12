"""Network namespaces programmed through the agent container.

The agent needs ``CAPABILITIES`` and the machine's pid namespace, nothing else.  Changes of rules go to a
program that stays there (``drivers.resident``).  Other commands are run by a few shells that are kept open,
because starting one costs a tenth of a second: each is a piece of script that a shell reads, followed by a
line that tells how it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers.netns import NetnsChange
from minikctl.drivers.resident import Resident

log = logging.getLogger(__name__)

CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE")
FindAgent = Callable[[], Awaitable[str | None]]
"""Returns the id of the agent's running container, None while there is none."""

_SHELLS = 3
COMMAND_SECONDS = 10.0

# The namespace is opened first and its owner looked at then: a pid that still is the container's now was its
# own when the namespace was opened, too, so a reused number never leads into a stranger's namespace.
OWNED = """
owned() {
    told "$1" "/proc/$2/cgroup" || told "/containers/$1/hostname /etc/hostname " "/proc/$2/mountinfo"
}
told() {
    { while read -r line; do case $line in *"$1"*) return 0 ;; esac; done < "$2"; } 2>/dev/null
    return 1
}
"""
"""The shell function that tells whether process $2 belongs to container $1, as ``netns_program.belongs``."""

_PRELUDE = f"""{OWNED}
enter() {{
    owned "$1" "$2" || {{ echo "process $2 no longer belongs to container $1"; return 1; }}
    shift 2
    nsenter --net=/proc/self/fd/9 "$@"
}}
"""


@dataclass(frozen=True)
class Job:
    """A command run in one namespace with this input."""

    sandbox: str
    pid: int
    argv: tuple[str, ...]
    stdin: str = ""
    seconds: float = COMMAND_SECONDS
    """How long it may take."""


@dataclass(frozen=True)
class Outcome:
    """How a job went."""

    status: int
    output: str


class Answers:
    """Cuts what a shell writes into the outcomes of its jobs; ``mark`` is a word that nothing else has."""

    def __init__(self, mark: str) -> None:
        self._mark = f"\n{mark} ".encode()
        self._rest = b""

    def feed(self, data: bytes) -> list[Outcome]:
        """Return the outcomes that are complete with this data."""
        found: list[Outcome] = []
        self._rest += data
        while (at := self._rest.find(self._mark)) >= 0:
            end = self._rest.find(b"\n", at + len(self._mark))
            if end < 0:
                break
            status = int(self._rest[at + len(self._mark) : end])
            found.append(Outcome(status, self._rest[:at].decode(errors="replace")))
            self._rest = self._rest[end + 1 :]
        return found


def script(job: Job, mark: str) -> str:
    """Return the script that runs a job and then tells how it went."""
    call = f"enter {shlex.quote(job.sandbox)} {job.pid} {shlex.join(job.argv)} 2>&1 9< /proc/{job.pid}/ns/net"
    text = job.stdin if job.stdin.endswith("\n") or not job.stdin else job.stdin + "\n"
    source = f"{call} <<'{mark}'\n{text}{mark}\n" if text else f"{call} </dev/null\n"
    return f"{source}printf '\\n{mark} %s\\n' $?\n"


class Shell:
    """A shell that stays open in the agent; one user at a time."""

    def __init__(self, session: engines.ExecSession) -> None:
        self._session = session
        self._mark = f"mk{secrets.token_hex(12)}"
        self._answers = Answers(self._mark)
        self._output: AsyncIterator[tuple[int, bytes]] = session.output()

    @classmethod
    async def open(cls, engine: engines.Engine, agent: str) -> Shell:
        """Return a shell in the agent that is ready for jobs."""
        shell = cls(await engine.exec(agent, ["sh"], engines.ExecOptions(stdin=True)))
        try:
            await shell._session.write(_PRELUDE.encode())
        except BaseException:
            await shell.close()
            raise
        return shell

    async def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes of the jobs, in their order; fewer than jobs when the shell ended meanwhile."""
        outcomes: list[Outcome] = []
        writing = asyncio.ensure_future(self._send(jobs))
        try:
            async with asyncio.timeout(sum(job.seconds for job in jobs)):
                while len(outcomes) < len(jobs):
                    piece = await anext(self._output, None)
                    if piece is None:
                        break
                    outcomes += self._answers.feed(piece[1])
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return outcomes

    async def _send(self, jobs: Sequence[Job]) -> None:
        # A shell that ended shows in its output, which is awaited meanwhile.
        with contextlib.suppress(errors.DriverError):
            await self._session.write("".join(script(job, self._mark) for job in jobs).encode())

    async def close(self) -> None:
        """End the shell."""
        await self._session.close()


class AgentNetns:
    """Applies changes through the agent that ``find_agent`` names; follows it when it is replaced."""

    def __init__(self, engine: engines.Engine, find_agent: FindAgent) -> None:
        self._engine = engine
        self._find_agent = find_agent
        self._resident: Resident | None = None
        self._starting = asyncio.Lock()
        self._idle: list[Shell] = []
        self._places = asyncio.Semaphore(_SHELLS)

    async def apply(self, changes: Sequence[NetnsChange]) -> Mapping[str, str]:
        """Apply all; return what failed as {sandbox: words of the tool}; ``DriverError`` without agent."""
        wanted = [change for change in changes if change.commands or change.ruleset]
        if not wanted:
            return {}
        resident = await self._present()
        try:
            return await resident.apply(wanted)
        except errors.DriverError as error:
            # An agent that was replaced shows only now; changes may be made twice.
            log.debug("the network agent is asked again: %s", error)
            await self._drop(resident)
        return await (await self._present()).apply(wanted)

    async def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        """Yield (container id, table) of each change by others, until it cannot be heard any more.

        Heard is what happens in namespaces where rules were applied.  ``DriverError`` without agent.
        """
        async for found in (await self._present()).disturbed():
            yield found

    async def _present(self) -> Resident:
        async with self._starting:
            if self._resident is not None and self._resident.over:
                await self._drop(self._resident)
            if self._resident is None:
                self._resident = await Resident.start(self._engine, await self._agent())
            return self._resident

    async def _drop(self, resident: Resident) -> None:
        if self._resident is resident:
            self._resident = None
        await resident.close()

    async def read(self, sandbox: str, pid: int, argv: Sequence[str]) -> str:
        """Return the output of a command run in that namespace; ``DriverError`` when it fails."""
        (outcome,) = await self._run([Job(sandbox, pid, tuple(argv))])
        if outcome.status:
            raise errors.DriverError(f"{shlex.join(argv)}: {_words(outcome)}", outcome.output)
        return outcome.output

    async def run(self, job: Job) -> Outcome:
        """Return how one job went, whatever its exit code; ``DriverError`` without agent."""
        (outcome,) = await self._run([job])
        return outcome

    async def close(self) -> None:
        """End what runs in the agent."""
        if self._resident is not None:
            await self._drop(self._resident)
        await self._end_shells()

    async def _end_shells(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcomes of all jobs; what a shell that ended left undone is done by a new one, once."""
        async with self._places:
            outcomes = await self._with_shell(jobs)
            if len(outcomes) < len(jobs):
                # The shells of an agent that is gone are all gone.
                await self._end_shells()
                outcomes += await self._with_shell(jobs[len(outcomes) :])
        if len(outcomes) < len(jobs):
            raise errors.DriverError("the network agent ended while it was at work")
        return outcomes

    async def _with_shell(self, jobs: Sequence[Job]) -> list[Outcome]:
        shell = self._idle.pop() if self._idle else await self._open()
        whole = False
        try:
            outcomes = await shell.run(jobs)
            whole = len(outcomes) == len(jobs)
        except TimeoutError as error:
            raise errors.DriverError("the network agent did not answer in time") from error
        finally:
            if whole:
                self._idle.append(shell)
            else:
                await shell.close()
        return outcomes

    async def _open(self) -> Shell:
        agent = await self._agent()
        log.debug("opening a shell in the agent %s", agent[:12])
        return await Shell.open(self._engine, agent)

    async def _agent(self) -> str:
        agent = await self._find_agent()
        if agent is None:
            raise errors.DriverError("the network agent does not run")
        return agent


def _words(outcome: Outcome) -> str:
    return outcome.output.strip() or f"exit code {outcome.status}"
