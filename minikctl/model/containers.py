"""Containers as plain data: what one is created from and what the engine reports of it.

Planners make ``ContainerSpec``s and read ``Container``s; only drivers know an engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

SCTP = "sctp"
LOW_PORTS = (
    "this rootless engine may not publish ports below {lowest}; "
    "`sudo sysctl net.ipv4.ip_unprivileged_port_start=80`, and a start of the cluster, let it"
)
NO_SCTP = "the kernel of the engine's machine has no SCTP sockets"
"""Why an engine cannot publish ports of that protocol, in words for users."""


@dataclass(frozen=True)
class Mount:
    """A bind mount (``source`` is a host path), a named volume, or a tmpfs (``size_bytes`` 0: unlimited)."""

    source: str
    target: str
    read_only: bool = False
    type: Literal["bind", "volume", "tmpfs"] = "bind"
    size_bytes: int = 0
    propagation: str = ""


@dataclass(frozen=True)
class PortBinding:
    """A published port; ``host_port`` 0 lets the engine choose."""

    container_port: int
    protocol: str = "tcp"
    host_ip: str = "127.0.0.1"
    host_port: int = 0


@dataclass(frozen=True)
class ContainerSpec:
    """Everything that a container is created from.

    ``entrypoint`` and ``command`` None keep the image's own.  ``network`` is a network's name, "none",
    "host" or "container:<id>".  ``pid_mode``/``ipc_mode`` likewise.  Sizes are bytes, ``cpu_quota_us`` is
    per ``cpu_period_us``; 0 means unlimited or the engine's default.  Of containers with a higher
    ``oom_score_adj``, up to 1000, more are killed when the machine runs out of memory.
    """

    name: str
    image: str
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    network: str = "none"
    ip: str = ""
    ports: tuple[PortBinding, ...] = ()
    dns: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    pid_mode: str = ""
    ipc_mode: str = ""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    read_only_root: bool = False
    security_opt: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    memory_bytes: int = 0
    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 100_000
    oom_score_adj: int = 0
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    init: bool = False
    stop_signal: str = ""
    stop_seconds: int | None = None
    """How long it has to end when the engine itself is stopped; None: the default of the engine."""
    ingress_rate: int = 0
    egress_rate: int = 0
    """Limits of its network in bits a second, for networks that know such; 0: none."""

    @property
    def publishes_sctp(self) -> bool:
        """Whether ports of SCTP are to be published."""
        return any(port.protocol == SCTP for port in self.ports)


class PullProgress(NamedTuple):
    """How far the pull of an image is: layers, how many of them are there, bytes loaded and known to come."""

    layers: int = 0
    done: int = 0
    loaded: int = 0
    total: int = 0


@dataclass(frozen=True)
class Limits:
    """What a container may use; ``cpu_quota_us`` is per ``cpu_period_us``, 0 means unlimited."""

    cpu_shares: int
    cpu_quota_us: int
    memory_bytes: int
    cpu_period_us: int = 100_000


ContainerStatus = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


@dataclass(frozen=True)
class Container:
    """A container as the engine reports it; times are aware UTC, ``pid`` 0 and ``ip`` "" when not running."""

    id: str
    name: str
    labels: Mapping[str, str]
    image: str
    image_id: str
    status: ContainerStatus
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ip: str = ""
    ports: tuple[PortBinding, ...] = ()
