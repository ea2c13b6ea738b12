"""How long single requests take by several ways that are tried in turn, request by request.

Run inside a client's network namespace: ``python -m benchmarks.latency ADDRESS:PORT ...`` keeps one connection for
each way, and prints JSON: for each round the 50th and the 99th percentile of each way, in microseconds.  What
disturbs the machine for a while (a neighbour, a timer) meets all ways alike, so that percentiles can be compared
that differ by half between two runs of a load generator.
"""

from __future__ import annotations

import gc
import json
import random
import socket
import statistics
import sys
import time

ROUNDS = 12
REQUESTS = 10_000
"""Of each way in a round."""
WARM = 500
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
LARGEST = 65_536


def main(ways: list[str]) -> int:
    """Measure and print; return the exit code."""
    connections = [_connected(way) for way in ways]
    gc.disable()
    for _ in range(WARM):
        for connection in connections:
            _asked(connection)
    print(json.dumps([_round(connections) for _ in range(ROUNDS)]))
    return 0


def _connected(way: str) -> socket.socket:
    host, _, port = way.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(None)
    return connection


def _round(connections: list[socket.socket]) -> list[tuple[float, float]]:
    """Return the median and the 99th percentile of each way; who is next is drawn anew for each turn."""
    times: list[list[int]] = [[] for _ in connections]
    order = list(range(len(connections)))
    for _ in range(REQUESTS):
        random.shuffle(order)
        for number in order:
            times[number].append(_asked(connections[number]))
    return [_percentiles(each) for each in times]


def _asked(connection: socket.socket) -> int:
    """Send one request and return how many nanoseconds its answer took: it is small and comes whole."""
    begun = time.perf_counter_ns()
    connection.send(REQUEST)
    answer = connection.recv(LARGEST)
    took = time.perf_counter_ns() - begun
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"an answer that is none: {answer[:100]!r}")
    return took


def _percentiles(times: list[int]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=100)
    return cuts[49] / 1_000, cuts[98] / 1_000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
