"""``proxy`` beside kubectl's: files, what is let through, and what is not."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import BIN, KUBECTL, World

FLAGS = [
    "--port=0",
    "--www-prefix=/w",
    "--api-prefix=/k",
    "--reject-methods=^DELETE$",
    "--reject-paths=secrets",
]
REQUESTS = (
    ("GET", "/w/"), ("GET", "/w/a"), ("GET", "/w/sub"), ("GET", "/w/sub/"), ("GET", "/w/page/"), ("GET", "/w/none"),
    ("GET", "/k/api/v1/namespaces/nope/secrets"), ("DELETE", "/k/api/v1/namespaces/default/pods/nope"),
    ("GET", "/k/readyz"), ("GET", "/api"),
)  # fmt: skip


@pytest.fixture
def ports(world: World, tmp_path: Path) -> Iterator[list[int]]:
    """Yield the ports of kubectl's and of our proxy to one server, with the same files."""
    for name, content in (("a", "text"), ("sub/b & c", "x"), ("page/index.html", "<p>")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    environment = {**os.environ, "HOME": str(world.home)}
    own = [str(BIN / "minikctl"), f"--kubeconfig={world.kubeconfig}"]
    running = [
        subprocess.Popen(
            [*program, "proxy", *FLAGS, f"--www={tmp_path}"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for program in ([KUBECTL, f"--kubeconfig={world.kubeconfig}"], own)
    ]
    try:
        lines = [each.stdout.readline() for each in running if each.stdout]
        yield [int(line.rpartition(":")[2]) for line in lines]
    finally:
        for each in running:
            each.kill()
            each.communicate()


def asked(port: int, method: str, path: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("Location", ""), answer.read()
    connection.close()
    return found


def test_both_programs_answer_the_same(ports: list[int]) -> None:
    for method, path in REQUESTS:
        theirs, ours = (asked(port, method, path) for port in ports)
        assert ours == theirs, path
