"""A simulated cluster whose only users are other people's programs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from tests import waiting
from tests.clients import programs

MINIKCTL = str(Path(sys.executable).parent / "minikctl")


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    code: int
    out: str
    err: str


class Cluster:
    """A running cluster in a state directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kubeconfig = home / "kubeconfig"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(self.kubeconfig),
            "MINIKCTL_HOME": str(home / "state"),
            "GOMAXPROCS": "1",  # two cores are shared with the cluster itself
        }

    def run(self, program: Path | str, *words: str, stdin: str = "", **more: str) -> Outcome:
        """Run a program to its end; ``more`` goes into its environment."""
        done = subprocess.run(
            [str(program), *words],
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.environment, **more},
            cwd=self.home,
            timeout=150,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, program: Path | str, *words: str, stdin: str = "", **more: str) -> str:
        """Run a program that must succeed; return its output."""
        done = self.run(program, *words, stdin=stdin, **more)
        assert done.code == 0, f"{words}: {done.out}{done.err}"
        return done.out

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """Run the newest kubectl, which must succeed; return its output."""
        return self.ok(programs.KUBECTLS["1.37"], *words, stdin=stdin)

    @contextlib.contextmanager
    def background(
        self, program: Path | str, *words: str, log: Path, **more: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Keep a program running during the block, its output in a file."""
        with open(log, "wb") as out:
            environment = {**self.environment, **more}
            process = subprocess.Popen([str(program), *words], env=environment, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def client(self) -> kubernetes.client.ApiClient:
        """Return the official Python client's way in."""
        return kubernetes.config.new_client_from_config(str(self.kubeconfig))


eventually = waiting.eventually


def named(items: list[Any]) -> Mapping[str, Any]:
    """Return objects of the Python client by their names."""
    return {each.metadata.name: each for each in items}


@contextlib.contextmanager
def running(home: Path, name: str) -> Iterator[Cluster]:
    """Yield a running simulated cluster of that name; it is deleted afterwards."""
    found = Cluster(home)
    words = ("--cluster", name, "cluster")
    try:
        found.ok(MINIKCTL, *words, "start", "--runtime", "sim", "--wait=false")
        found.kubeconfig.write_text(found.ok(MINIKCTL, *words, "kubeconfig"))
        yield found
    finally:
        found.run(MINIKCTL, *words, "delete")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield the cluster that most tests share, each in a namespace of its own."""
    with running(tmp_path_factory.mktemp("clients"), "clients") as found:
        yield found


@pytest.fixture
def client(cluster: Cluster) -> Iterator[kubernetes.client.ApiClient]:
    """Yield the official Python client's way into the shared cluster."""
    with cluster.client() as found:
        yield found


@pytest.fixture
def core(client: kubernetes.client.ApiClient) -> kubernetes.client.CoreV1Api:
    """Return the client of the core group."""
    return kubernetes.client.CoreV1Api(client)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a namespace of the test's own."""
    name = f"t-{abs(hash(request.node.nodeid)) % 10**8}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
