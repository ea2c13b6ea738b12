"""What a cluster is made with: kept once, and refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl import errors
from minikctl.cli import founding
from minikctl.client.home import ClusterHome


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
