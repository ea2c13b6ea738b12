from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.client import home as homes
from minikctl.client import launcher
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    monkeypatch.delenv("MINIKCTL_CLUSTER", raising=False)
    return tmp_path


def test_place_of_the_state(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ClusterHome().path == str(root / "clusters" / "default")
    monkeypatch.setenv("MINIKCTL_CLUSTER", "lab")
    assert ClusterHome().name == "lab"
    assert ClusterHome("x", "/srv").store == "/srv/clusters/x/store.db"
    monkeypatch.delenv("MINIKCTL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert homes.root_directory() == "/data/minikctl"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert homes.root_directory() == "/home/me/.local/share/minikctl"


@pytest.mark.parametrize("name", ["Upper", "-a", "a-", "a.b", "../up", "x" * 33, "a b"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(errors.UsageError, match="invalid cluster name"):
        ClusterHome(name)


def test_settings_are_kept_and_tolerate_newer_fields() -> None:
    home = ClusterHome("lab")
    assert not home.exists()
    kept = home.save(ClusterSettings("lab", runtime="sim", egress=False))
    assert home.exists()
    home.write_json("cluster.json", {**(home.read_json("cluster.json") or {}), "newer": 1})
    assert home.settings() == kept
    assert (kept.runtime, kept.egress) == ("sim", False)


def test_each_cluster_gets_addresses_of_its_own() -> None:
    first, second, third = ClusterHome("a"), ClusterHome("b"), ClusterHome("c")
    stale = second.settings()
    first.save(first.settings())
    assert second.save(stale).slot != stale.slot, "the slot that was free before is taken by now"
    third.save(third.settings())
    slots = [home.settings().slot for home in (first, second, third)]
    assert len({*slots}) == 3
    assert (second.settings().ingress_ip, second.settings().load_balancer_range) == (
        f"127.0.{slots[1]}.1",
        f"127.0.{slots[1]}.0/24",
    )
    os.unlink(second.file("cluster.json"))
    assert ClusterHome("d").settings().slot == slots[1]
    first.save(replace(first.settings(), api_port=1))
    assert first.settings().slot == slots[0]


def test_an_address_at_which_something_answers_is_not_taken() -> None:
    wanted = ClusterHome("a").settings()
    with socket.create_server((wanted.ingress_ip, 80)):
        assert ClusterHome("a").settings().slot != wanted.slot
    assert ClusterHome("a").settings().slot == wanted.slot


@pytest.mark.parametrize(
    ("everywhere", "here", "moves"),
    [({80}, set(), False), ({80}, {443}, True), ({80, 443}, set(), False), (set(), {443}, False)],
)
def test_who_answers_everywhere_takes_no_address(
    everywhere: set[int], here: set[int], moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a web server of this machine does: a port that it leaves tells of clusters then, if there is one."""
    wanted = ClusterHome("a").settings()

    def answers(address: str, port: int) -> bool:
        return port in everywhere or (address == wanted.ingress_ip and port in here)

    monkeypatch.setattr(homes, "_answers", answers)
    assert (ClusterHome("a").settings().slot != wanted.slot) is moves


def test_listing_knows_only_made_clusters() -> None:
    for name in ("a", "c"):
        ClusterHome(name).save(ClusterHome(name).settings())
    os.makedirs(ClusterHome("b").path)
    assert homes.list_clusters() == ["a", "c"]


def test_addresses_follow_the_service_range() -> None:
    settings = ClusterSettings("x", service_cidr="10.97.4.0/22")
    assert (settings.kubernetes_ip, settings.dns_ip) == ("10.97.4.1", "10.97.4.10")
    assert settings.network == "minikctl-x"


def test_there_is_an_end_to_slots() -> None:
    for number in range(254):
        home = ClusterHome(f"c{number}")
        home.write_json("cluster.json", {"name": home.name, "slot": number + 1})
    with pytest.raises(errors.UsageError, match="254 clusters"):
        ClusterHome("one-more").settings()


def test_files_are_private_and_whole() -> None:
    home = ClusterHome("lab")
    home.write("pki/ca.key", b"secret")
    path = Path(home.file("pki", "ca.key"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    home.write("pki/ca.key", b"other")
    assert path.read_bytes() == b"other"
    assert [entry.name for entry in path.parent.iterdir()] == ["ca.key"]
    home.remove("pki/ca.key")
    home.remove("pki/ca.key")
    assert not path.exists()


def test_unreadable_settings_are_an_error_that_names_the_file() -> None:
    home = ClusterHome("lab")
    home.write("cluster.json", b"{")
    with pytest.raises(errors.UsageError, match=r"cannot read .*cluster\.json"):
        home.settings()
    assert home.daemon() is None


@contextlib.contextmanager
def as_another_user() -> Iterator[None]:
    """Lay down what makes root read everything, for a moment."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_cluster_of_another_user_is_told_from_one_that_is_not_made(tmp_path: Path) -> None:
    home = ClusterHome("theirs", str(tmp_path))
    home.write_json("cluster.json", {"name": "theirs"})
    home.write("daemon.lock", b"")
    os.chmod(home.path, 0)
    try:
        for ask in (home.exists, home.settings, home.daemon, lambda: launcher.is_running(home)):
            with (
                as_another_user(),
                pytest.raises(errors.UsageError, match=r'"theirs" in .* belongs to .*MINIKCTL_HOME'),
            ):
                ask()
    finally:
        os.chmod(home.path, 0o700)
    assert home.exists()
