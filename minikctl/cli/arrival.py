"""The program that runs in the agent to see whether a datagram gets from one pod's network into another's.

It is started there by ``python3 -c`` and uses Python's own modules only, those of ``drivers.netns_program``.
Its words are SOURCE TARGET ADDRESS PORT PROTOCOL: ids of containers, TARGET "" where nobody can look into that
network; UDP or SCTP.  It prints what was seen as JSON: ``arrived`` (null: nobody looked) and ``answer``, which is
"data", "refused" or ""; ``held`` when the sender's own network let nothing out; ``failed`` in the kernel's words.

A raw socket sees packets once the rules of the target's network have let them in, whether something listens or not.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
SCTP = 132
NO_STACK = 92
"""What the kernel says (ENOPROTOOPT) when nothing at the other end takes packets of the protocol."""
SECONDS, AGAIN_SECONDS, ANSWER_SECONDS = 2.0, 0.4, 0.3
"""How long to look, how often to send, and how long to wait for an answer to what has arrived."""
INIT, INIT_ACK = 1, 2
TAG = 1
Seen = dict[str, object]


def enter(container: str) -> None:
    """Have this thread be in the container's network; ``OSError`` when it has no process."""
    found = process_of(container)
    if not found:
        raise OSError(f"container {container[:12]} has no running process")
    space = os.open(f"/proc/{found}/ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(space)


def process_of(container: str, proc: str = "/proc") -> str:
    """Return a process of the container, "" without one, as ``probing.PLACE_OF`` finds it."""
    names = [name for name in os.listdir(proc) if name.isdigit()]
    for name in names:
        if container in _read(f"{proc}/{name}/cgroup"):
            return name
    for name in names:
        is_shim = _read(f"{proc}/{name}/comm").startswith("containerd-shim")
        if is_shim and container in _read(f"{proc}/{name}/cmdline"):
            tasks = os.listdir(f"{proc}/{name}/task")
            children = " ".join(_read(f"{proc}/{name}/task/{task}/children") for task in tasks).split()
            return children[0] if children else ""
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except OSError:
        return ""


def checksum(data: bytes) -> int:
    """Return the CRC-32C that SCTP has (RFC 9260, appendix A)."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def association(source: int, target: int) -> bytes:
    """Return the packet that begins an association; ports of hosts whose kernel has no SCTP can be asked so."""
    chunk = struct.pack(">BBHIIHHI", INIT, 0, 20, TAG, 65536, 1, 1, 1)
    head = struct.pack(">HHI", source, target, 0)
    return head + struct.pack("<I", checksum(head + bytes(4) + chunk)) + chunk


def payload(packet: bytes) -> bytes:
    """Return what an IPv4 packet holds."""
    return packet[4 * (packet[0] & 15) :]


class Udp:
    """A sender of empty datagrams."""

    def __init__(self, address: str, port: int) -> None:
        self._target = port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self._own = self.socket.getsockname()[1]

    def send(self) -> None:
        """Send one."""
        self.socket.send(b"")

    def answer(self) -> str:
        """Return what came back."""
        try:
            self.socket.recv(65536)
        except ConnectionRefusedError:
            return "refused"
        return "data"

    def is_it(self, data: bytes) -> bool:
        """Tell whether a packet is one of ours."""
        return data[:4] == struct.pack(">HH", self._own, self._target)


class Sctp:
    """A sender of associations' beginnings, as the kernel may have no SCTP of its own."""

    def __init__(self, address: str, port: int) -> None:
        self._ports = (49152 + os.getpid() % 16384, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
        self.socket.connect((address, 0))  # so that the kernel tells of refusals by ICMP

    def send(self) -> None:
        """Send one."""
        try:
            self.socket.send(association(*self._ports))
        except OSError as error:
            if error.errno == NO_STACK:
                raise ConnectionRefusedError from error
            raise

    def answer(self) -> str:
        """Return what came back: the second step, or the refusal; "" where that is not for us."""
        try:
            data = payload(self.socket.recv(65536))
        except OSError as error:
            if isinstance(error, ConnectionRefusedError) or error.errno == NO_STACK:
                return "refused"
            raise
        if data[:4] != struct.pack(">HH", *self._ports[::-1]):
            return ""
        return "data" if data[12:13] == bytes([INIT_ACK]) else "refused"

    def is_it(self, data: bytes) -> bool:
        """Tell whether a packet is one of ours."""
        return data[:4] == struct.pack(">HH", *self._ports)


def watch(sender: Udp | Sctp, seeing: socket.socket | None) -> Seen:
    """Send until the packet has arrived or was answered, or for as long as it may take."""
    arrived, answer = None if seeing is None else False, ""
    asking = select.poll()
    for each in (sender.socket, seeing):
        if each is not None:
            asking.register(each, select.POLLIN)
    now = time.monotonic()
    end, again = now + SECONDS, now
    while now < end and not answer:
        if not arrived and now >= again:
            again = now + AGAIN_SECONDS
            try:
                sender.send()
            except PermissionError:
                return {"arrived": False, "answer": "", "held": True}
            except ConnectionRefusedError:
                answer = "refused"
        for descriptor, _ in asking.poll(1000 * max(0.0, min(end, again if not arrived else end) - now)):
            if descriptor == sender.socket.fileno():
                answer = sender.answer()
            elif seeing is not None and not arrived and sender.is_it(payload(seeing.recv(65536))):
                arrived, end = True, time.monotonic() + ANSWER_SECONDS
        now = time.monotonic()
    return {"arrived": True if answer else arrived, "answer": answer}


def main(source: str, target: str, address: str, port: str, protocol: str) -> Seen:
    """Return what was seen."""
    try:
        seeing = None
        if target:
            enter(target)
            kind = SCTP if protocol == "SCTP" else socket.IPPROTO_UDP
            seeing = socket.socket(socket.AF_INET, socket.SOCK_RAW, kind)
        enter(source)
        return watch((Sctp if protocol == "SCTP" else Udp)(address, int(port)), seeing)
    except OSError as error:
        return {"failed": error.strerror or str(error)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:6])))
