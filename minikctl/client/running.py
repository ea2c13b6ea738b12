"""Which control planes run on this machine, as far as this user may see their processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from minikctl.client.home import ClusterHome

MODULE = b"minikctl.daemon"
PROCESSES = "/proc"


def clusters(processes: str = PROCESSES) -> list[tuple[str, str]]:
    """Return directory and name of the clusters whose control planes run."""
    found = {(_root(variables), name) for variables, name in _planes(processes)}
    return sorted(each for each in found if each[0])


def rivals(home: ClusterHome, processes: str = PROCESSES) -> list[str]:
    """Return the states of running clusters of the same name that make containers in the same engine."""
    engine = os.fsencode(os.environ.get("DOCKER_HOST", ""))
    found = []
    for variables, name in _planes(processes):
        other = ClusterHome(home.name, _root(variables))
        same = name == home.name and variables.get(b"DOCKER_HOST", b"") == engine
        if same and os.path.realpath(other.path) != os.path.realpath(home.path) and other.exists():
            found += [other.path] if other.settings().runtime == "docker" else []
    return sorted(found)


def _root(variables: Mapping[bytes, bytes]) -> str:
    return os.fsdecode(variables.get(b"MINIKCTL_HOME", b""))


def _planes(processes: str) -> Iterator[tuple[Mapping[bytes, bytes], str]]:
    """Yield the environment and the cluster's name of each control plane."""
    for number in os.listdir(processes) if os.path.isdir(processes) else ():
        if not number.isdigit():
            continue
        try:
            words = _parts(processes, number, "cmdline")
            if MODULE not in words or b"--cluster" not in words:
                continue
            variables = [word.partition(b"=") for word in _parts(processes, number, "environ")]
        except OSError:
            continue  # it has ended, or is somebody else's
        yield {key: value for key, _, value in variables}, os.fsdecode(words[words.index(b"--cluster") + 1])


def _parts(processes: str, number: str, name: str) -> list[bytes]:
    with open(os.path.join(processes, number, name), "rb") as source:
        return source.read().rstrip(b"\0").split(b"\0")
