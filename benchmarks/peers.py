"""The same application of ten pods by ``podman kube play`` and ``docker-compose up``: command to all serving.

Both are Debian packages; one that is not installed gets a row that says so.  All three start from images that
are there, and serve when each of the ten addresses answers an HTTP request.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from benchmarks import harness
from benchmarks.harness import Cluster, Row, docker

PODS = 10
ROUNDS = 5
MOST_SECONDS = 120
PROCESSES = 4096
IMAGE = "minikctl-demo:latest"
PORT = 8080
POD = """
apiVersion: v1
kind: Pod
metadata: {name: peer-%d, labels: {app: peer}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "%s", imagePullPolicy: IfNotPresent}
"""


class Peer(Protocol):
    """One way to run the pods."""

    name: str

    def start(self) -> Sequence[str]:
        """Start all pods and return their addresses."""
        ...

    def stop(self) -> None:
        """Take all pods away."""
        ...


def measure(cluster: Cluster) -> list[Row]:
    """Return a row for each peer and each network of ours, rounds alternating."""
    with (
        tempfile.TemporaryDirectory(prefix="minikctl-peers-") as directory,
        harness.cluster("--network", "cni") as plugged,
    ):
        peers: list[Podman | Compose] = [Podman(Path(directory)), Compose(Path(directory), cluster.name)]
        here = [peer for peer in peers if shutil.which(peer.program)]
        ours = [Ours(cluster, "docker"), Ours(plugged, "cni")]
        times: dict[str, list[float]] = {each.name: [] for each in (*ours, *here)}
        try:
            for peer in here:
                peer.prepare()
            for _ in range(ROUNDS):
                for each in (*here, *ours):
                    times[each.name].append(_timed(each))
        finally:
            for peer in here:
                peer.close()
    return [_row(peer, times, one.name) for one in ours for peer in peers]


def _row(peer: Podman | Compose, times: dict[str, list[float]], ours: str) -> Row:
    name, goal = f"{PODS} pods serving, {ours}, beside {peer.name}", "< 1"
    if peer.name not in times:
        return Row(name, "skipped", f"{peer.program} is not installed", None, goal)
    mine, theirs = statistics.median(times[ours]), statistics.median(times[peer.name])
    return Row(name, f"{mine:.2f} s", f"{theirs:.2f} s", mine / theirs, goal)


def _timed(peer: Peer) -> float:
    """Return the seconds from the command until all addresses have answered; take all away again."""
    begun = time.perf_counter()
    try:
        for address in peer.start():
            _await_answer(address, begun + MOST_SECONDS)
        return time.perf_counter() - begun
    finally:
        peer.stop()


def _await_answer(address: str, until: float) -> None:
    while True:
        connection = http.client.HTTPConnection(address, PORT, timeout=1)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError as error:
            if time.perf_counter() > until:
                raise RuntimeError(f"{address} does not serve") from error
            time.sleep(0.005)
        finally:
            connection.close()


def _run(*words: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def _pods() -> str:
    return "---".join(POD % (number, IMAGE) for number in range(PODS))


class Ours:
    """minikctl: apply, wait until Ready, ask for the addresses."""

    def __init__(self, cluster: Cluster, network: str) -> None:
        self.name = f"--network {network}"
        self._cluster = cluster

    def start(self) -> Sequence[str]:
        """Start all pods and return their addresses."""
        self._cluster.run("apply", "-f", "-", stdin=_pods())
        self._cluster.wait_ready("app=peer", MOST_SECONDS)
        found = self._cluster.get("pods", "-l", "app=peer")["items"]
        return [str(pod["status"]["podIP"]) for pod in found]

    def stop(self) -> None:
        """Take all pods away."""
        self._cluster.run("delete", "pod", "-l", "app=peer")


class Podman:
    """Podman with a storage of its own, so that nothing is left of it."""

    name, program = "podman kube play", "podman"

    def __init__(self, directory: Path) -> None:
        self._file = directory / "pods.yaml"
        self._base = (
            *("podman", "--root", str(directory / "storage")),
            *("--runroot", str(directory / "run"), "--tmpdir", str(directory / "tmp")),
        )
        self._archive = str(directory / "image.tar")
        self._config = directory / "containers.conf"
        self._environment = {**os.environ, "CONTAINERS_CONF": str(self._config)}

    def prepare(self) -> None:
        """Have the image in its storage; where more is not allowed, containers get the limits of this process."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        ulimits = f'"nofile={files}:{files}", "nproc={PROCESSES}:{PROCESSES}"'
        self._config.write_text(f"[containers]\ndefault_ulimits = [{ulimits}]\n")
        self._file.write_text(_pods())
        docker("save", "-o", self._archive, IMAGE)
        self._podman("load", "-i", self._archive)

    def start(self) -> Sequence[str]:
        """Start all pods and return their addresses."""
        self._podman("kube", "play", str(self._file))
        pods = json.loads(self._podman("pod", "inspect", *(f"peer-{n}" for n in range(PODS))))
        infra = [str(pod["InfraContainerID"]) for pod in pods]
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self._podman("inspect", "-f", form, *infra).split()

    def stop(self) -> None:
        """Take all pods away."""
        self._podman("pod", "rm", "--all", "--force", "--time", "0")

    def close(self) -> None:
        """Take the storage away, which may have mounts in it."""
        self._podman("system", "reset", "--force")

    def _podman(self, *words: str) -> str:
        return _run(*self._base, *words, environment=self._environment)


class Compose:
    """docker-compose with ten services of one container each."""

    name, program = "docker-compose up", "docker-compose"

    def __init__(self, directory: Path, project: str) -> None:
        services = {f"peer-{n}": {"image": IMAGE, "expose": [str(PORT)]} for n in range(PODS)}
        self._project = f"{project}-peers"
        file = directory / "docker-compose.json"
        file.write_text(json.dumps({"version": "3", "services": services}))
        self._base = ("docker-compose", "-p", self._project, "-f", str(file))

    def prepare(self) -> None:
        """The image is where it has to be: in the engine."""

    def start(self) -> Sequence[str]:
        """Start all containers and return their addresses."""
        _run(*self._base, "up", "-d")
        found = docker("ps", "-q", "--filter", f"label=com.docker.compose.project={self._project}").split()
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "-f", form, *found).split()

    def stop(self) -> None:
        """Take all containers and their network away."""
        _run(*self._base, "down", "--timeout", "0")

    def close(self) -> None:
        """Leave nothing: stop has done it."""
