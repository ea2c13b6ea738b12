"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket

FIRST, EACH, WORKERS = 16000, 500, 16
"""Below the ports that the kernel gives to clients, and those of Services: each process of tests has some."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % WORKERS
_offset = random.randrange(EACH)
_numbers = itertools.count()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has, for TCP and UDP; another one each time."""
    for _ in range(EACH):
        port = FIRST + _worker * EACH + (_offset + next(_numbers)) % EACH
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                opened.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port))
            return port
    raise AssertionError("all ports are taken")
