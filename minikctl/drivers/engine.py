"""The container engine as minikctl needs it: plain data in and out, one Protocol, no Docker types.

``drivers.docker`` is the real one, ``drivers.fake_engine`` the simulated one; one contract suite runs
on both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from minikctl.drivers.pull_meter import Watch as Watch
from minikctl.model.containers import Container as Container
from minikctl.model.containers import ContainerSpec as ContainerSpec
from minikctl.model.containers import ContainerStatus as ContainerStatus
from minikctl.model.containers import Limits as Limits
from minikctl.model.containers import Mount as Mount
from minikctl.model.containers import PortBinding as PortBinding

LEAVING = 4
"""So many containers leave a network at a time: Docker may lose count of more (``drivers/recount.py``)."""


@dataclass(frozen=True)
class EngineEvent:
    """Something happened to a labelled container: ``action`` is create, start, die, oom, destroy …"""

    action: str
    container_id: str
    labels: Mapping[str, str]
    time: datetime


@dataclass(frozen=True)
class EngineInfo:
    """What the engine and its machine are; ``cpus`` cores, ``memory_bytes`` RAM."""

    version: str
    api_version: str
    os: str
    kernel: str
    architecture: str
    cpus: int
    memory_bytes: int
    name: str = ""
    rootless: bool = False
    cgroups: bool = True
    """Containers have control groups, so that they can be measured and held to limits."""


@dataclass(frozen=True)
class Image:
    """A local image: ``id`` is sha256:…, ``user``/``entrypoint``/``command`` are its configuration."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int
    labels: Mapping[str, str]
    user: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """An engine network; ``subnet`` is a CIDR, ``gateway`` an address."""

    id: str
    name: str
    subnet: str
    gateway: str
    labels: Mapping[str, str]

    @property
    def bridge(self) -> str:
        """Return how Docker calls its interface."""
        return f"br-{self.id[:12]}"


@dataclass(frozen=True)
class LogOptions:
    """Which log lines: ``tail`` None for all; ``since`` a moment; ``timestamps`` prefixes RFC 3339 times."""

    follow: bool = False
    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False


@dataclass(frozen=True)
class ExecOptions:
    """How a command runs in a container; with ``tty`` all output is stdout."""

    stdin: bool = False
    tty: bool = False
    user: str = ""
    env: tuple[tuple[str, str], ...] = ()


class ExecSession(Protocol):
    """A running command or an attached container: write stdin, iterate output, then ask the exit code."""

    async def write(self, data: bytes) -> None:
        """Send bytes to stdin; raises ``DriverError`` when the process is gone."""
        ...

    async def close_stdin(self) -> None:
        """Half-close: the process sees end of file, output goes on."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters."""
        ...

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (1, stdout bytes) and (2, stderr bytes) until the process closes them."""
        ...

    async def exit_code(self) -> int:
        """Return the exit code once the output has ended."""
        ...

    async def close(self) -> None:
        """Drop the connection and free its resources; safe to call twice."""
        ...


class Engine(Protocol):
    """Containers, images and networks. Every failure is a ``errors.DriverError`` or a subclass of it.

    ``EngineUnavailable`` when no engine answers, ``NoSuchContainer`` when the id is gone, ``ImageMissing``
    when the image is absent or unpullable, ``PortTaken`` when a host port is in use, ``NoSctp`` when
    one of SCTP cannot be listened on there.
    """

    async def info(self) -> EngineInfo:
        """Return the engine's version and the machine's size."""
        ...

    async def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        """Return all containers, stopped ones too, that carry all these labels."""
        ...

    async def inspect(self, container_id: str) -> Container | None:
        """Return the container, or None when there is none."""
        ...

    async def written(self, container_id: str) -> int:
        """Return the bytes that the container has written to its own file system; takes a while."""
        ...

    async def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id; a container of that name is an error."""
        ...

    async def resize(self, container_id: str, limits: Limits) -> None:
        """Have a running container's limits changed without a restart; 0 in them leaves what there is."""
        ...

    async def start(self, container_id: str) -> None:
        """Start it; harmless when it runs."""
        ...

    async def stop(self, container_id: str, grace_seconds: int) -> None:
        """Send the stop signal, after the grace period SIGKILL; returns once it has ended."""
        ...

    async def kill(self, container_id: str, signal: str = "KILL") -> None:
        """Send a signal; harmless when it does not run."""
        ...

    async def remove(self, container_id: str) -> None:
        """Remove it with its anonymous volumes, by force; harmless when it is gone."""
        ...

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        """Yield events of containers with these labels from now on; ends with ``EngineUnavailable``."""
        ...

    def departures(self, network: str) -> AsyncIterator[str]:
        """Yield the ids of containers that leave the network from now on, by their end or by somebody's hand.

        Ends with ``EngineUnavailable``.
        """
        ...

    async def image(self, reference: str) -> Image | None:
        """Return the local image of that name, digest or id, or None."""
        ...

    async def image_names(self) -> Sequence[str]:
        """Return the names, with tags, of all local images."""
        ...

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None = None, watch: Watch | None = None
    ) -> None:
        """Fetch an image; ``ImageMissing`` says in the engine's words why it could not be had.

        ``watch`` is told how far it is, as often as the engine says so.
        """
        ...

    async def load_filesystem(self, archive: str, reference: str, changes: Sequence[str] = ()) -> str:
        """Import the tar file at path ``archive`` as an image with Dockerfile ``changes``; return its id."""
        ...

    async def build_image(self, context: bytes, reference: str, labels: Mapping[str, str]) -> str:
        """Build an image from a tar with a Dockerfile; ``DriverError`` has the builder's words."""
        ...

    async def tag_image(self, reference: str, name: str) -> None:
        """Give an image another name, taking it from whichever had it."""
        ...

    async def remove_image(self, reference: str) -> None:
        """Remove an image; harmless when it is gone."""
        ...

    async def create_network(
        self, name: str, subnet: str, labels: Mapping[str, str], *, internal: bool = False, pool: str = ""
    ) -> Network:
        """Create a bridge network; ``DriverError`` when the subnet overlaps with another.

        ``pool`` is the part of the subnet from which the engine takes addresses by itself, "" for all.
        """
        ...

    async def networks(self, labels: Mapping[str, str] | None = None) -> Sequence[Network]:
        """Return the engine's networks, those with all these labels."""
        ...

    async def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is gone."""
        ...

    def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield log bytes, stdout and stderr as they came, until the end (or for ever with follow)."""
        ...

    async def exec(self, container_id: str, argv: Sequence[str], options: ExecOptions) -> ExecSession:
        """Start a command in a running container."""
        ...

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> ExecSession:
        """Connect to the container's own process."""
        ...

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        """Run a command to its end; (exit code, output cut at 10 KiB); ``TimeoutError`` past the time."""
        ...

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        """Unpack a tar into a directory of the container."""
        ...

    def export(self, container_id: str) -> AsyncIterator[bytes]:
        """Yield a tar of the container's whole file system, whether it runs or not."""
        ...

    async def get_archive(self, container_id: str, path: str) -> bytes:
        """Return a tar of that path of the container; ``DriverError`` when there is no such path."""
        ...

    async def close(self) -> None:
        """Free connections and threads."""
        ...
