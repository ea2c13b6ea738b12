"""What a cluster is made with: kept once, and refused before anything is made."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.cli import founding
from minikctl.client.home import ClusterHome
from tests.cli.conftest import call
from tests.waiting import eventually


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterHome:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    return ClusterHome("lab")


def test_the_mode_of_the_proxy_is_kept_and_cannot_be_changed(home: ClusterHome) -> None:
    founding.settle(home, {"proxy_mode": "userspace"})
    assert home.settings().proxy_mode == "userspace"
    founding.settle(home, {"proxy_mode": "userspace"})
    founding.settle(home, {})
    with pytest.raises(errors.UsageError, match="proxy_mode: fixed when cluster lab was made"):
        founding.settle(home, {"proxy_mode": "nftables"})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"proxy_mode": "iptables"}, "unknown proxy mode 'iptables': it is nftables or userspace"),
        ({"proxy_mode": "userspace", "runtime": "sim"}, "simulated pods make no connections"),
        ({"runtime": "podman"}, "unknown runtime 'podman'"),
        ({"nodes": 5001}, "--nodes is a number from 1 to 5000"),
        ({"pod_network": "cni", "runtime": "sim"}, "simulated pods have no network"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    home: ClusterHome, asked: dict[str, object], words: str
) -> None:
    with pytest.raises(errors.UsageError, match=words):
        founding.settle(home, asked)
    assert not home.exists()


def test_simulated_nodes_are_there_once_the_cluster_is_started(home: ClusterHome) -> None:
    try:
        started = call("--cluster", "lab", "cluster", "start", "--runtime", "sim", "--nodes", "3")
        assert started.code == 0, started.err
        nodes = call("--cluster", "lab", "get", "nodes", "--no-headers").out.splitlines()
        assert [line.split()[1] for line in nodes] == ["Ready"] * 3
        name = nodes[1].split()[0]
        assert call("--cluster", "lab", "cordon", name).code == 0
        told = functools.partial(call, "--cluster", "lab", "events", "--for", f"node/{name}", "--no-headers")
        # Events are written in the background.
        eventually(lambda: "RegisteredNode" in told().out)
        eventually(lambda: f"Node {name} status is now: NodeReady" in told().out)
    finally:
        deleted = call("--cluster", "lab", "cluster", "delete")
    assert (deleted.code, deleted.out) == (0, 'Cluster "lab" deleted.\n')
