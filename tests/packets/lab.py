"""A small network of real network namespaces on one bridge, without containers: real packets in milliseconds.

Each namespace runs one process that serves and probes.  Everything lives in namespaces of its own and ends
with them; nothing of the machine's network is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Probe = tuple[str, int, str]
"""(address or name, port, "tcp" or "udp")."""

PROCESS = """
import json, select, socket, struct, sys, threading, time

def bound_tcp(port):
    return socket.create_server(("", port), backlog=128)

def serve_tcp(server):
    while True:
        server.accept()[0].close()

def bound_udp(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", port))
    return server

def serve_udp(server):
    while True:
        data, peer = server.recvfrom(64)
        try:
            server.sendto(data, peer)
        except OSError:
            pass

def resolved(name, seconds):
    if name[0].isdigit():
        return name
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(seconds)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + bytes(1)
    try:
        asking.sendto(struct.pack(">6H", 7, 256, 1, 0, 0, 0) + labels + struct.pack(">2H", 1, 1), (sys.argv[2], 53))
        answer = asking.recv(512)
    except OSError:
        return ""
    return socket.inet_ntoa(answer[-4:]) if answer[7] else ""

def probe(wanted, seconds):
    open_, opened, known = {}, [False] * len(wanted), {}
    for number, (address, port, protocol) in enumerate(wanted):
        if address not in known:
            known[address] = resolved(address, seconds)
        address = known[address]
        if not address:
            continue
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        one.setblocking(False)
        open_[one] = number
        one.connect_ex((address, port))
        if protocol == "udp":
            try:
                one.send(b"?")
            except OSError:
                pass
    poll, by_number = select.poll(), {one.fileno(): one for one in open_}
    for one, number in open_.items():
        poll.register(one, select.POLLOUT if wanted[number][2] == "tcp" else select.POLLIN)
    end = time.monotonic() + seconds
    while by_number and time.monotonic() < end:
        for fd, _ in poll.poll(max(1, 1000 * (end - time.monotonic()))):
            one = by_number.pop(fd)
            poll.unregister(fd)
            opened[open_[one]] = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for one in open_:
        one.close()
    return opened

for port in json.loads(sys.argv[1]):
    for serve, bound in ((serve_tcp, bound_tcp), (serve_udp, bound_udp)):
        threading.Thread(target=serve, args=(bound(port),), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    wanted, seconds = json.loads(line)
    print(json.dumps(probe(wanted, seconds)), flush=True)
"""


def possible() -> bool:
    """Tell whether this machine lets us make network namespaces and use nft in them."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "nft", "ip", "conntrack"))):
        return False
    words = ["unshare", "--net", "sh", "-c", "nft list ruleset && ip link add br0 type bridge"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Lab:
    """Namespaces by name; the first address of the subnet is the bridge's, the node's."""

    def __init__(
        self, stack: contextlib.ExitStack, addresses: Mapping[str, str], ports: Sequence[int]
    ) -> None:
        self._stack = stack
        self.addresses = dict(addresses)
        self._hub = self._namespace()
        self.pids = {name: self._namespace() for name in addresses}
        self._wire()
        self._processes = {name: self._start(pid, ports) for name, pid in self.pids.items()}
        for process in self._processes.values():
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def _namespace(self) -> int:
        words = ["unshare", "--net", "sh", "-c", "echo; exec sleep 600"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        self._stack.callback(_end, process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    def _wire(self) -> None:
        hub = ["ip link add br0 type bridge", "ip link set br0 up", "ip link set lo up"]
        hub += [f"ip address add {one} dev br0" for one in ("10.1.0.1/24", "192.0.2.1/24")]
        hub += ["echo 1 >/proc/sys/net/ipv4/ip_forward"]
        for number, (name, address) in enumerate(self.addresses.items()):
            pid = self.pids[name]
            hub += [
                f"ip link add v{number} type veth peer name eth0 netns {pid}",
                f"ip link set v{number} master br0 up",
                f"nsenter -t {pid} -n sh -c 'ip link set lo up; ip address add {address}/24 dev eth0;"
                f" ip link set eth0 up; ip route add default via {address.rpartition('.')[0]}.1'",
            ]
        self.run(self._hub, "sh", "-e", "-c", "\n".join(hub))

    def _start(self, pid: int, ports: Sequence[int]) -> subprocess.Popen[str]:
        words = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", PROCESS, json.dumps(list(ports))]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.callback(_end, process)
        return process

    def run(self, where: str | int, *words: str, stdin: str = "") -> str:
        """Return what a command in a namespace prints; it must succeed."""
        pid = where if isinstance(where, int) else self.pids[where]
        argv = ["nsenter", "-t", str(pid), "-n", *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def nft(self, where: str, text: str) -> None:
        """Apply a transaction in a namespace."""
        self.run(where, "nft", "-f", "-", stdin=text)

    def probe(self, wanted: Mapping[str, Sequence[Probe]], seconds: float = 0.25) -> dict[str, list[bool]]:
        """Try all connections at once, {from: probes}; return which were opened, or answered, within that time."""
        for name, probes in wanted.items():
            line: Any = [list(probes), seconds]
            process = self._processes[name]
            assert process.stdin is not None
            process.stdin.write(json.dumps(line) + "\n")
            process.stdin.flush()
        return {name: json.loads(self._processes[name].stdout.readline()) for name in wanted}  # type: ignore[union-attr]


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.communicate()


@contextlib.contextmanager
def lab(addresses: Mapping[str, str], ports: Sequence[int] = (80, 81)) -> Iterator[Lab]:
    """Yield a lab that ends with the block."""
    with contextlib.ExitStack() as stack:
        yield Lab(stack, addresses, ports)
