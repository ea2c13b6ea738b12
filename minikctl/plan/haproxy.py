"""HAProxy configuration that changes while it runs: slots for servers, and what needs a reload.

Each backend has slots for more servers than it needs: endpoints come and go by commands to the running
process, and only what else changes needs a (hitless) reload.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model.objects import Key
from minikctl.plan.proxy_view import Target

MIN_SLOTS = 4
CLIENTS = "100k"
"""So many clients are remembered for each port with session affinity."""
CONFIG = "haproxy.cfg"
PLACEHOLDER = Target("127.0.0.1", 9)
SOCKETS = "/haproxy/run"
"""Where the process has its sockets, in the directory that it shares with the control plane."""
RANGES_IN_A_LINE = 50
"""HAProxy takes 64 words in a line."""

_LINE = re.compile(r"\.cfg:(\d+)\]")
_SOCKET = re.compile(r"^(\s*(?:stats socket |bind unix@))/\S*/", re.MULTILINE)

COMMON = (
    "default-path config",
    "fd-hard-limit 20000",
    "stats timeout 1m",
    # A port that another process listens on is an error, not something to share.
    "noreuseport",
)

LASTING = (
    # TCP itself knows no idle time: keep-alive packets find the peers that are gone.
    "timeout client 24h",
    "timeout server 24h",
    "option clitcpka",
    "option srvtcpka",
    "retries 3",
    "option redispatch 1",
)
"""How TCP connections of any length are carried: as long as both peers are there."""

HEALTHY = "http-request return status 200 content-type text/plain string ok if { path /healthz /livez }"
"""The process' own answer to probes: the kernel accepts connections for one that is paused, too."""

Slots = Mapping[str, tuple[Target | None, ...]]
"""For each backend which target is in which of its slots."""


@dataclass(frozen=True)
class Rendered:
    """All files of a configuration, and the slots that they describe.

    ``structure`` differs from another's if a reload is needed to get from one to the other; ``certificates``
    are the files whose content may be replaced in the running process.  ``owners`` tells for names that may
    occur in a refusal which objects they come from.
    """

    files: Mapping[str, str]
    slots: Slots
    structure: str
    certificates: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)


def digest(*parts: object) -> str:
    """Return a text that differs whenever one of the parts does."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def emptied(slots: Slots) -> Slots:
    """Return as many slots, all free: what of them is structure."""
    return {name: (None,) * len(row) for name, row in slots.items()}


def threads(cpus: int) -> int:
    """Return how many threads serve on a machine of that many processors: half of them, at least one.

    HAProxy's own choice is all; here apps and clients are on the same machine, and each thread that has to be
    woken for a small request takes time from them (``benchmarks/network.py``).
    """
    return max(cpus // 2, 1)


def process(sockets: str, threads: int, *settings: str) -> str:
    """Return the global section of a process that is configured through the sockets in that directory."""
    socket = f"stats socket {sockets}/admin.sock mode 666 level admin expose-fd listeners"
    return section("global", COMMON, f"nbthread {threads}", settings, socket)


def adopted(configuration: str, sockets: str) -> str:
    """Return a configuration that another version kept, with its sockets where this version has them."""
    return _SOCKET.sub(lambda found: f"{found[1]}{sockets}/", configuration)


def assign(slots: Sequence[Target | None], targets: Sequence[Target]) -> tuple[Target | None, ...]:
    """Return the slots with exactly these targets: those that stay keep theirs, and some are free."""
    wanted = set(targets)
    found = [one if one in wanted else None for one in slots]
    found += [None] * (room(len(wanted)) - len(found) if len(wanted) > len(found) or not found else 0)
    new = [target for target in sorted(wanted) if target not in found]
    for position, held in enumerate(found):
        if held is None and new:
            found[position] = new.pop(0)
    return tuple(found)


def room(count: int) -> int:
    """Return the number of slots for so many servers: a power of two that leaves some free."""
    size = MIN_SLOTS
    while size <= count:
        size *= 2
    return size


def backend(name: str, slots: Sequence[Target | None], *settings: str, server: str = "") -> str:
    """Return one backend; a free slot is a server that is out of service, ``server`` what all of them get."""
    more = f" {server}" if server else ""
    lines = [
        f"server {slot_name(number)} {target.ip}:{target.port}{more}"
        if target
        else f"server {slot_name(number)} {PLACEHOLDER.ip}:{PLACEHOLDER.port}{more} disabled"
        for number, target in enumerate(slots)
    ]
    return section(f"backend {name}", settings, lines)


MEMORY = "clients"
LOCAL_PEER = "localpeer proxy"
"""The name under which the processes before and after a reload know each other."""


def remembered(seconds: int) -> tuple[str, ...]:
    """Return the settings by which clients keep their endpoint for so long after their last connection.

    They need the section ``memory``.
    """
    return (f"stick-table type ip size {CLIENTS} expire {seconds}s peers {MEMORY}", "stick on src")


def memory(address: str, port: int) -> str:
    """Return the section through which a reload hands on what is known of clients, at this place.

    The process has to have ``LOCAL_PEER`` among its settings.
    """
    return section(f"peers {MEMORY}", f"peer proxy {address}:{port}")


def sources(name: str, ranges: Sequence[str]) -> list[str]:
    """Return the lines of a section by which ``name`` is true of clients in these ranges of addresses."""
    starts = range(0, len(ranges), RANGES_IN_A_LINE)
    return [f"acl {name} src {' '.join(ranges[at : at + RANGES_IN_A_LINE])}" for at in starts]


def slot_name(number: int) -> str:
    """Return the name of a slot's server."""
    return f"s{number + 1}"


def section(title: str, *parts: str | Iterable[str]) -> str:
    """Return a section with its lines indented."""
    lines = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    return "".join([f"{title}\n", *(f"  {line}\n" for line in lines)])


def commands(old: Slots, new: Slots) -> tuple[str, ...]:
    """Return the commands that bring servers from one assignment of equal size to another."""
    found = []
    for name, row in new.items():
        for number, (before, after) in enumerate(zip(old[name], row, strict=True)):
            server = f"set server {name}/{slot_name(number)}"
            if before == after:
                continue
            if after is None:
                found.append(f"{server} state maint")
                continue
            if before is not None:
                found.append(f"{server} state maint")
            found.append(f"{server} addr {after.ip} port {after.port}")
            found.append(f"{server} state ready")
    return tuple(found)


def culprits(output: str, rendered: Rendered) -> frozenset[Key]:
    """Return the objects that the proxy's refusal is about, as far as its words tell."""
    found: set[Key] = set()
    words = output + " ".join(_sections(output, rendered.files.get(CONFIG, "")))
    for name, owners in rendered.owners.items():
        if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-]|:\w)", words):
            found |= set(owners)
    return frozenset(found)


def _sections(output: str, configuration: str) -> Iterator[str]:
    """Yield the titles of the sections in which the lines are that a refusal names."""
    lines = configuration.splitlines()
    for number in _LINE.findall(output):
        above = [line for line in lines[: int(number)] if line and not line.startswith(" ")]
        yield f" {above[-1]} " if above else ""
