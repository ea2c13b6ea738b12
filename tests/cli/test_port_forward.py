"""``port-forward`` on a simulated cluster, whose pods listen on nothing: what it prints, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess

import pytest

from minikctl.cli import feeder
from tests.cli.conftest import BIN, World


@pytest.mark.parametrize(
    ("data", "passed", "held", "left"),
    [
        (b"abc", b"abc", b"", False),
        (b"abc\x10", b"abc", b"\x10", False),
        (b"abc\x10\x11def", b"abc", b"", True),
        (b"\x10x", b"\x10x", b"", False),
        (b"", b"", b"", False),
    ],
)
def test_keys_that_leave_are_found_however_they_come(
    data: bytes, passed: bytes, held: bytes, left: bool
) -> None:
    assert feeder.unless_left(data, b"\x10\x11") == (passed, held, left)


def test_a_forwarding_tells_what_it_does_and_ends_well_when_interrupted(world: World) -> None:
    process = subprocess.Popen(
        [BIN / "minikctl", "--cluster", "cli", "port-forward", "service/web", ":http"],
        env={**os.environ, "MINIKCTL_HOME": str(world.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said = process.stdout.readline()
        found = re.fullmatch(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080\n", said)
        assert found is not None, said
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=10) as connection:
            assert connection.recv(10) == b""
        told = process.stderr.readline()
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert f"Handling connection for {found[1]}\n" in out
    assert re.search(r"error forwarding port 8080 to pod web-\S+, uid \S+: .*simulated cluster", told)
    assert (process.returncode, err) == (0, "")


def test_a_port_that_is_taken_is_told(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["port-forward", "service/web", f"{port}:80", "--address=127.0.0.1"]
        ours, theirs = world.run(*words), world.kubectl(*words)
        proxied = [each("proxy", f"--port={port}") for each in (world.run, world.kubectl)]
    told, hint = _split(ours.err)
    assert (ours.code, ours.out, told) == (theirs.code, theirs.out, theirs.err)
    assert re.fullmatch(rf"hint: \S+ \(process {os.getpid()}\) listens on port {port}; .*\n", hint)
    told, hint = _split(proxied[0].err)
    assert (proxied[0].code, told) == (proxied[1].code, proxied[1].err)
    assert f"(process {os.getpid()}) listens on port {port}" in hint


def _split(text: str) -> tuple[str, str]:
    """Return a text without its hints, and these."""
    lines = text.splitlines(keepends=True)
    hints = [line for line in lines if line.startswith("hint: ")]
    return "".join(line for line in lines if line not in hints), "".join(hints)
