"""Real clusters for the end-to-end tests: each under a name and a state directory of its own, removed whatever happens."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from tests import waiting

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
PROGRAM = str(BIN / "minikctl")
KUBECTL = str(BIN / "kubectl")
COMMAND_SECONDS = 120
START = tuple(os.environ.get("MINIKCTL_E2E_START", "").split())
"""More flags of the clusters: ``MINIKCTL_E2E_START="--network cni"`` runs the same tests on plugins' network,
"--proxy-mode userspace" those of Services with the nodes' proxies."""


class Cluster:
    """A cluster as a user meets it: through the command line."""

    def __init__(
        self,
        home: str,
        name: str,
        before: Sequence[str] = (),
        engine: str = os.environ.get("DOCKER_HOST", ""),
    ) -> None:
        """``before`` comes before each command, ``engine`` is where the Docker engine answers, "" as usual."""
        self.home = home
        self.name = name
        self._before = before
        self.environment = {**os.environ, "MINIKCTL_HOME": home, "MINIKCTL_CLUSTER": name, "NO_COLOR": "1"}
        self.environment.pop("KUBECONFIG", None)
        if engine:
            self.environment["DOCKER_HOST"] = engine

    def run(self, *words: str, stdin: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command; unless ``code`` is None its exit code must be that."""
        done = subprocess.run(
            [*self._before, PROGRAM, *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if code is not None:
            said = f"minikctl {' '.join(words)} -> {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log_tail()}"
            assert done.returncode == code, said
        return done

    def out(self, *words: str, stdin: str = "") -> str:
        """Return what a command that succeeds prints."""
        return self.run(*words, stdin=stdin).stdout

    def json(self, *words: str) -> Any:
        """Return objects as JSON."""
        return json.loads(self.out("get", *words, "-o", "json"))

    def kubectl(self, *words: str, stdin: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run stock kubectl with the cluster's kubeconfig."""
        config = os.path.join(self.home, "kubectl.config")
        if not os.path.exists(config):
            pathlib.Path(config).write_text(self.out("cluster", "kubeconfig"))
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", config, f"--cache-dir={self.home}/kube-cache", *words],
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.environment, "HOME": self.home},
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"kubectl {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done

    def status(self) -> dict[str, Any]:
        """Return ``cluster status``."""
        return dict(json.loads(self.run("cluster", "status", "-o", "json", code=None).stdout))

    def ready(self, selector: str, namespace: str = "default", seconds: int = 60) -> None:
        """Return once all pods with the labels are Ready, of which there is one already: see ``rolled_out``."""
        words = [
            "wait",
            "--for=condition=Ready",
            "pod",
            "-l",
            selector,
            "-n",
            namespace,
            f"--timeout={seconds}s",
        ]
        self.run(*words)

    def rolled_out(self, name: str, namespace: str = "default", seconds: int = 90) -> None:
        """Return once all pods of a workload (``deploy/web``) are Ready; those that are still to be made count, too."""
        self.run("rollout", "status", name, "-n", namespace, f"--timeout={seconds}s")

    def log_tail(self) -> str:
        """Return the end of the control plane's log."""
        path = os.path.join(self.home, "clusters", self.name, "daemon.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-30:])

    def containers(self, *filters: str) -> dict[str, str]:
        """Return {id: start time} of the running containers of the cluster."""
        words = [f"label=minikctl.dev/cluster={self.name}", *filters]
        found = docker(
            "ps", "-q", "--no-trunc", *(part for word in words for part in ("--filter", word))
        ).split()
        argv = ["docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", *found]
        # One may be removed meanwhile: it is left out.
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout if found else ""
        return dict(line.split(" ", 1) for line in said.splitlines() if line)


def docker(*words: str) -> str:
    """Return what a docker command prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


STATIC_NODE_PORTS = range(30002, 30086)
"""The low band of node ports, of which no cluster gives any to a Service that asks for none; 30001 is the demo's."""
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_own_node_ports = itertools.cycle(
    STATIC_NODE_PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _WORKERS :: _WORKERS]
)


def spare_node_port() -> int:
    """Return a node port on which nothing of this machine listens, and that nobody takes before it is asked for."""
    for port in itertools.islice(_own_node_ports, len(STATIC_NODE_PORTS)):
        with contextlib.suppress(OSError), socket.create_server(("0.0.0.0", port)):
            return port
    raise AssertionError("all node ports are taken")


def curl(url: str, *words: str, seconds: float = 15) -> str:
    """Return the body at a URL; it is asked for until it answers with 200 or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        done = subprocess.run(
            ["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", *words, url],
            capture_output=True,
            text=True,
            check=False,
        )
        body, _, status = done.stdout.rpartition("\n")
        if status == "200":
            return body
        assert time.monotonic() < deadline, f"{url}: {status} {body} {done.stderr}"
        time.sleep(0.2)


eventually = waiting.eventually


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked ``side_by_side(NAME)`` with each value of that fixture, all at the same time."""
    marker = pyfuncitem.get_closest_marker("side_by_side")
    if marker is None:
        return None
    (name,) = marker.args
    wanted = {each: pyfuncitem.funcargs[each] for each in pyfuncitem._fixtureinfo.argnames}
    worlds = cast("dict[str, Any]", wanted.pop(name))

    def run(which: str) -> None:
        try:
            pyfuncitem.obj(**wanted, **{name: worlds[which]})
        except BaseException as error:
            error.add_note(f"with the {name} {which}")
            raise

    with ThreadPoolExecutor(len(worlds)) as pool:
        for running in [pool.submit(run, which) for which in worlds]:
            running.result()
    return True


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a running cluster that cannot reach beyond this machine."""
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, f"t{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", *START)
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)
