"""SCTP packets from and into pods' networks, sent and seen as they are: a kernel without SCTP sends none itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

SECONDS = 0.4
"""How long packets are waited for once all of them are sent."""
_SEND = """
import json, socket, struct, sys

def checksum(data):  # CRC-32C, RFC 9260 appendix A
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF

def association(port):
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
    head = struct.pack(">HHI", 40000 + port, port, 0)
    return head + struct.pack("<I", checksum(head + bytes(4) + chunk)) + chunk

sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
for port in json.loads(sys.argv[2]):
    try:
        sender.sendto(association(port), (sys.argv[1], 0))
    except PermissionError:
        pass  # a policy of the sender's own
"""
_SEE = """
import json, select, socket, struct, sys, time
seeing = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
print("seeing", flush=True)
end, seen, heard = float("inf"), set(), [seeing, sys.stdin]
while ready := select.select(heard, [], [], None if len(heard) > 1 else max(0, end - time.monotonic()))[0]:
    if sys.stdin in ready:  # all is sent
        end, heard = time.monotonic() + float(sys.argv[1]), [seeing]
    if seeing in ready:
        packet = seeing.recv(2048)
        seen.add(struct.unpack_from(">H", packet, 4 * (packet[0] & 15) + 2)[0])
print(json.dumps(sorted(seen)))
"""


def arriving(source: int, target: int, address: str, ports: Sequence[int]) -> list[int]:
    """Begin an association with each port of the address; return the ports whose packet the target's process sees.

    ``source`` and ``target`` are processes whose networks are meant.
    """
    inside = [["nsenter", "-t", str(pid), "-n", sys.executable, "-c"] for pid in (source, target)]
    seeing = subprocess.Popen(
        [*inside[1], _SEE, str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert seeing.stdout is not None
        assert seeing.stdout.readline() == "seeing\n"
        subprocess.run([*inside[0], _SEND, address, json.dumps(list(ports))], check=True, timeout=30)
        said, _ = seeing.communicate(timeout=30)
    finally:
        seeing.kill()
        seeing.wait()
    found: list[int] = json.loads(said)
    return found
