"""Which TCP ports of this machine somebody listens on."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from minikctl import errors

ANY = "0.0.0.0"
LISTEN = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_PROTOCOLS = Path("/proc/net/protocols")


class Listening(Protocol):
    """Tells who is where."""

    def __call__(self) -> frozenset[tuple[str, int]]:
        """Return (address, port) of each listener that IPv4 clients can meet; ``0.0.0.0`` is any address."""
        ...


def of_this_machine() -> frozenset[tuple[str, int]]:
    """Fits ``Listening``: from the kernel's tables, empty where there are none.

    ``DriverError`` when they cannot be read, as when this process may open no more files.
    """
    try:
        return frozenset(one for table in _TABLES if table.exists() for one in listeners(table.read_text()))
    except OSError as error:
        raise errors.DriverError(f"cannot see who listens on this machine: {error}", str(error)) from error


def is_held(port: int) -> bool:
    """Tell whether a process of this machine has the port, by TCP or by UDP, at whatever address."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as trying:
            try:
                trying.bind((ANY, port))
            except OSError:
                return True
    return False


def has_sctp(table: Path = _PROTOCOLS) -> bool:
    """Tell whether the kernel has SCTP sockets now; a module that is not loaded is left alone."""
    return table.exists() and any(line.startswith("SCTP ") for line in table.read_text().splitlines())


def nobody() -> frozenset[tuple[str, int]]:
    """Fits ``Listening``: for a world in memory."""
    return frozenset()


def listeners(table: str) -> Iterator[tuple[str, int]]:
    """Yield the listeners of a table in the form of ``/proc/net/tcp``."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTEN:
            address, _, port = fields[1].partition(":")
            if (found := _ipv4(address)) is not None:
                yield found, int(port, 16)


def holder(port: int, address: str = "") -> str:
    """Return who listens on a port of this machine, ``nginx (process 12)``; "" if that cannot be seen.

    With an ``address`` it is who is met there: at that address or at any.
    """
    tables = [table.read_text() for table in _TABLES if table.exists()]
    sockets = {f"socket:[{inode}]" for table in tables for inode in inodes(table, port, address)}
    for folder in Path("/proc").glob("[0-9]*") if sockets else ():
        try:
            if any(os.readlink(each) in sockets for each in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
        except OSError:
            continue  # it has ended, or is somebody else's
    return ""


def inodes(table: str, port: int, address: str = "") -> Iterator[str]:
    """Yield the sockets, by inode, that listen on the port, of a table in the form of ``/proc/net/tcp``.

    With an ``address`` they are those that listen there, or at any.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) <= 9 or fields[3] != LISTEN:
            continue
        place, _, number = fields[1].partition(":")
        if int(number, 16) == port and (not address or _ipv4(place) in (address, ANY)):
            yield fields[9]


def _ipv4(text: str) -> str | None:
    """Return the IPv4 address, also one within IPv6; the IPv6 wildcard usually takes IPv4 clients too."""
    words = [text[start : start + 8] for start in range(0, len(text), 8)]
    if len(words) == 4:
        if words == ["0" * 8] * 4:
            return ANY
        if words[:3] != ["0" * 8, "0" * 8, "FFFF0000"]:
            return None
    return socket.inet_ntoa(struct.pack("=I", int(words[-1], 16)))
