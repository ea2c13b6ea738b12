"""The real process, with the simulated runtime."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.client import kubeconfig, launcher
from minikctl.client.endpoint import Endpoint
from minikctl.client.home import ClusterHome
from minikctl.client.http import ConnectionRefused, HttpClient
from minikctl.client.settings import ClusterSettings


@pytest.fixture
def home() -> Iterator[ClusterHome]:
    # Not pytest's own directory: its path is too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="minikctl-test-") as root:
        found = ClusterHome("lab", root)
        found.save(ClusterSettings("lab", runtime="sim", egress=False))
        yield found
        launcher.stop(found)
        shutil.rmtree(found.memory, ignore_errors=True)


Connect = Callable[[], HttpClient]


@pytest.fixture
def connect(home: ClusterHome) -> Iterator[Connect]:
    with contextlib.ExitStack() as opened:

        def make() -> HttpClient:
            endpoint = kubeconfig.resolve(kubeconfig.load(home.kubeconfig))
            return opened.enter_context(HttpClient(endpoint, timeout_seconds=20))

        yield make


def create_config(http: HttpClient, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    http.request("POST", "/api/v1/namespaces/default/configmaps", body)


def config_names(http: HttpClient) -> list[str]:
    found = http.request("GET", "/api/v1/namespaces/default/configmaps").json()["items"]
    return sorted(
        item["metadata"]["name"] for item in found if item["metadata"]["name"] != "kube-root-ca.crt"
    )


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


def test_modules_of_the_directory_in_which_it_is_started_are_not_its_own(
    home: ClusterHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlite3.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert launcher.ensure_running(home)


def test_start_stop_and_start_again(home: ClusterHome, connect: Connect) -> None:
    told: list[str] = []
    address = launcher.ensure_running(home, told.append)
    assert told == ["Starting the control plane of cluster lab"]
    status = launcher.status(home)
    assert status is not None
    assert status["address"] == address == connect().endpoint.server
    assert launcher.ensure_running(home) == address
    assert (launcher.status(home) or {})["pid"] == status["pid"], "it was not started twice"
    with_http = connect()
    create_config(with_http, "kept")
    token = with_http.endpoint.token
    before = with_http.request("GET", "/api/v1/secrets").json()["metadata"]["resourceVersion"]

    begun = time.monotonic()
    watch = with_http.stream("GET", "/api/v1/secrets", query={"watch": True, "resourceVersion": before})
    assert launcher.stop(home)
    with watch:
        assert list(watch.lines()) == [], "the watch was ended, not left hanging"
    assert time.monotonic() - begun < 3
    assert not launcher.stop(home)
    assert (launcher.status(home), home.daemon()) == (None, None)
    with pytest.raises(ConnectionRefused, match="was refused - did you specify the right host or port"):
        connect().request("GET", "/version")

    assert launcher.ensure_running(home) == address, "clients keep their address"
    again = connect()
    assert again.endpoint.token == token
    assert config_names(again) == ["kept"]


def test_the_unix_socket_needs_the_token_too(home: ClusterHome, connect: Connect) -> None:
    address = launcher.ensure_running(home)
    assert stat.S_IMODE(os.stat(home.socket).st_mode) == 0o600
    token = connect().endpoint.token
    with HttpClient(Endpoint(address, token=token, socket=home.socket)) as http:
        create_config(http, "by-socket")
    assert config_names(connect()) == ["by-socket"]
    refused = pytest.raises(errors.StatusError, match="system:anonymous")
    with HttpClient(Endpoint(address, socket=home.socket)) as nobody, refused:
        create_config(nobody, "x")
    launcher.stop(home)
    assert not os.path.exists(home.socket)


def test_a_second_control_plane_is_refused(home: ClusterHome) -> None:
    launcher.ensure_running(home)
    done = subprocess.run(
        [sys.executable, "-m", "minikctl.daemon", "--cluster", "lab"],
        env={**os.environ, "MINIKCTL_HOME": home.root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f'cluster "lab" already has a control plane on {home.path}: process {launcher.holder(home)}\n'
    )


def test_several_commands_at_once_start_one(home: ClusterHome) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        addresses = set(pool.map(lambda _: launcher.ensure_running(home), range(3)))
    assert len(addresses) == 1


def test_kill_loses_nothing_acknowledged(home: ClusterHome, connect: Connect) -> None:
    acknowledged = []
    for turn in range(2):
        launcher.ensure_running(home)
        http = connect()
        for number in range(20):
            create_config(http, f"c-{turn}-{number}")
            acknowledged.append(f"c-{turn}-{number}")
        os.kill(launcher.holder(home), signal.SIGKILL)
        until(lambda: not launcher.is_running(home))
        assert launcher.status(home) is None
    launcher.ensure_running(home)
    assert config_names(connect()) == sorted(acknowledged)


def test_a_damaged_store_is_named(home: ClusterHome) -> None:
    home.write("store.db", b"this is no database, " * 100)
    with pytest.raises(errors.UsageError) as refused:
        launcher.ensure_running(home)
    assert str(refused.value).startswith("the control plane did not start:\n")
    assert "store.db: file is not a database: the file is damaged" in str(refused.value)


def test_a_taken_port_is_left_to_its_owner(home: ClusterHome, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        home.save(replace(home.settings(), api_port=port))
        address = launcher.ensure_running(home)
        assert not address.endswith(f":{port}")
        assert home.settings().api_port == int(address.rpartition(":")[2])
        assert connect().request("GET", "/version").json()["gitVersion"].endswith("+minikctl")


def test_the_users_namespace_survives(home: ClusterHome, connect: Connect) -> None:
    launcher.ensure_running(home)
    launcher.stop(home)
    config = kubeconfig.load(home.kubeconfig)
    config["contexts"][0]["context"]["namespace"] = "apps"
    kubeconfig.write(home.kubeconfig, config)
    launcher.ensure_running(home)
    assert connect().endpoint.namespace == "apps"


def test_without_an_engine_the_api_answers_and_the_node_says_why(
    home: ClusterHome, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    home.save(replace(home.settings(), runtime="docker"))
    launcher.ensure_running(home)
    http = connect()

    def told() -> dict[str, Any] | None:
        """Return the condition once the engine has been asked: until then it can only say that it was not."""
        for node in http.request("GET", "/api/v1/nodes").json()["items"]:
            for condition in node.get("status", {}).get("conditions", ()):
                if condition["type"] == "Ready" and "has not answered yet" not in condition["message"]:
                    return dict(condition)
        return None

    condition = until(told)
    assert condition["status"] != "True"
    assert "/nonexistent/docker.sock" in condition["message"]
    create_config(http, "works")


def test_pods_run_in_the_simulation(home: ClusterHome, connect: Connect) -> None:
    launcher.ensure_running(home)
    http = connect()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    until(lambda: http.request("GET", "/api/v1/nodes").json()["items"])
    http.request("POST", "/api/v1/namespaces/default/pods", pod)
    path = "/api/v1/namespaces/default/pods/web"
    until(lambda: http.request("GET", path).json().get("status", {}).get("phase") == "Running")
    http.request("DELETE", path, {"gracePeriodSeconds": 0})

    def gone() -> bool:
        try:
            http.request("GET", path)
        except errors.StatusError as error:
            return error.code == 404
        return False

    until(gone)


def test_without_its_state_a_control_plane_ends(home: ClusterHome, connect: Connect) -> None:
    launcher.ensure_running(home, lambda _: None)
    create_config(connect(), "one")
    pid = launcher.holder(home)
    shutil.rmtree(home.path)
    until(lambda: has_ended(pid), seconds=20)


def has_ended(pid: int) -> bool:
    """Tell whether a process of ours runs no more."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as source:
        return source.read().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[ClusterHome]:
    """A home on a disk of a few megabytes."""
    with tempfile.TemporaryDirectory(prefix="minikctl-test-") as root:
        words = ["mount", "-t", "tmpfs", "-o", "size=6m", "minikctl-test", root]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        found = ClusterHome("lab", root)
        try:
            found.save(ClusterSettings("lab", runtime="sim", egress=False))
            yield found
            launcher.stop(found)
        finally:
            shutil.rmtree(found.memory, ignore_errors=True)
            subprocess.run(["umount", "-l", root], check=True)


def test_a_full_disk_is_told_and_nothing_is_lost(small_home: ClusterHome) -> None:
    environment = {**os.environ, "MINIKCTL_HOME": os.path.dirname(os.path.dirname(small_home.path))}
    program = os.path.join(os.path.dirname(sys.executable), "minikctl")

    def minikctl(*words: str) -> subprocess.CompletedProcess[str]:
        command = [program, "--cluster", "lab", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert minikctl("create", "configmap", "before").returncode == 0
    ballast = os.path.join(environment["MINIKCTL_HOME"], "ballast")
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    refused = until(
        lambda: failed(minikctl("create", "configmap", "big", f"--from-literal=a={'x' * 90_000}"))
    )
    assert "full: free some space" in refused.stderr
    assert minikctl("get", "configmap", "before").returncode == 0
    os.unlink(ballast)
    assert minikctl("create", "configmap", "after").returncode == 0
    assert minikctl("get", "configmap", "before", "after").returncode == 0


def failed(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str] | None:
    return done if done.returncode else None


@pytest.mark.parametrize(("content", "said"), [(None, "gone"), (b"", "empty")])
def test_a_lost_store_is_told_instead_of_a_new_one_begun(
    home: ClusterHome, connect: Connect, content: bytes | None, said: str
) -> None:
    launcher.ensure_running(home)
    create_config(connect(), "kept")
    launcher.stop(home)
    kept = Path(home.store).read_bytes()
    os.remove(home.store)
    if content is not None:
        home.write("store.db", content)
    with pytest.raises(errors.UsageError, match=f"store.db is {said}: with a new one all that runs would be"):
        launcher.ensure_running(home)
    home.write("store.db", kept)
    launcher.ensure_running(home)
    assert config_names(connect()) == ["kept"]


def test_a_cluster_that_was_killed_before_it_had_anything_begins_anew(home: ClusterHome) -> None:
    home.write("store.db", b"")
    assert launcher.ensure_running(home)


def test_one_that_is_about_to_end_is_followed_by_another(home: ClusterHome) -> None:
    with open(home.lock, "wb") as ending:
        fcntl.flock(ending, fcntl.LOCK_EX)
        released = threading.Timer(0.5, fcntl.flock, (ending, fcntl.LOCK_UN))
        released.start()
        assert launcher.ensure_running(home)
        released.join()


def test_the_lock_is_looked_at_without_writing(home: ClusterHome) -> None:
    shutil.copy("/bin/sleep", home.lock)
    with subprocess.Popen([home.lock, "60"]) as busy:  # nobody may open for writing what runs
        try:
            with open(home.lock, "rb") as held:
                assert not launcher.is_running(home)
                fcntl.flock(held, fcntl.LOCK_EX)
                assert launcher.is_running(home)
        finally:
            busy.kill()


def test_a_silent_control_plane_on_a_full_disk_is_explained(
    home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launcher._tail(home, 0) == "(it wrote nothing to its log)"
    monkeypatch.setattr(launcher, "FULL_BYTES", 1 << 62)
    assert launcher._tail(home, 0) == f"(it could write nothing to its log: the disk of {home.path} is full)"
    shutil.rmtree(home.path)
    assert "its log cannot be looked at" in launcher._tail(home, 0)
