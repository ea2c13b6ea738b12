"""One simulated container: its state, its process and what it wrote."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from minikctl.drivers import engine, fake_process, fake_session


class Clock(Protocol):
    """Tells and waits for time."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


@dataclass(frozen=True)
class LogEntry:
    """A piece of output and when it was written."""

    time: datetime
    stream: int
    data: bytes


@dataclass
class Box:
    """A container as the simulated engine keeps it."""

    id: str
    spec: engine.ContainerSpec
    image: engine.Image
    created_at: datetime
    status: engine.ContainerStatus = "created"
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ip: str = ""
    ports: tuple[engine.PortBinding, ...] = ()
    limits: engine.Limits | None = None
    log: list[LogEntry] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    stdin: fake_process.Input = field(default_factory=lambda: fake_process.Input(closed=True))
    attached: list[fake_session.FakeSession] = field(default_factory=list)
    execs: list[fake_session.FakeSession] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        """Return whether the container's process runs."""
        return self.status == "running"

    @property
    def argv(self) -> tuple[str, ...]:
        """Return the command line, made of the image's and the container's own words as Docker does."""
        spec, image = self.spec, self.image
        if spec.entrypoint is not None:
            return (*spec.entrypoint, *(spec.command or ()))
        return (*image.entrypoint, *(image.command if spec.command is None else spec.command))

    def world(
        self, write: Callable[[int, bytes], None], sleep: Callable[[float], Awaitable[None]]
    ) -> fake_process.World:
        """Return what a process in this container sees."""
        return fake_process.World(self.files, self.spec.hostname or self.id[:12], write, sleep, self.stdin)

    def write(self, stream: int, data: bytes, now: datetime) -> None:
        """Keep output of the container's process, and show it to those who are attached."""
        self.log.append(LogEntry(now, stream, data))
        for session in self.attached:
            session.feed(stream, data)
        self.wake()

    def wake(self) -> None:
        """Let those who wait for a change look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def hang_up(self) -> None:
        """End everybody's connections to processes of this container, which has ended."""
        for session in self.attached:
            session.end(self.exit_code)
        for session in self.execs:
            session.kill()
        self.attached.clear()
        self.execs.clear()
        self.wake()

    async def changed(self) -> None:
        """Return when there was more output or another state."""
        await self._changed.wait()

    def is_called(self, text: str) -> bool:
        """Tell whether that is the container's name, or a beginning of its id that is long enough."""
        return text == self.spec.name or (len(text) >= 12 and self.id.startswith(text))

    def env(self) -> dict[str, str]:
        """Return the environment of the container's processes."""
        return {"HOSTNAME": self.spec.hostname or self.id[:12], **dict(self.spec.env)}

    def view(self) -> engine.Container:
        """Return the container as the engine reports it."""
        return engine.Container(
            id=self.id,
            name=self.spec.name,
            labels=dict(self.spec.labels),
            image=self.spec.image,
            image_id=self.image.id,
            status=self.status,
            pid=self.pid,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            error=self.error,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            ip=self.ip,
            ports=self.ports,
        )


def rendered(entries: Sequence[LogEntry], options: engine.LogOptions) -> bytes:
    """Return log entries as the options want them."""
    lines: list[tuple[datetime, bytes]] = []
    for entry in entries:
        if options.since is None or entry.time >= options.since:
            lines += [(entry.time, line) for line in entry.data.splitlines(keepends=True)]
    if options.tail is not None:
        lines = lines[len(lines) - min(options.tail, len(lines)) :]
    if not options.timestamps:
        return b"".join(line for _, line in lines)
    return b"".join(f"{time:%Y-%m-%dT%H:%M:%S.%f}000Z ".encode() + line for time, line in lines)


def tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def untar(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a tar, each with its content."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if content := archive.extractfile(member):
                yield member.name.removeprefix("./"), content.read()
