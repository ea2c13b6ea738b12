"""Specs to the Engine's JSON and back, and its frames."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from minikctl.drivers import docker_wire, engine


def test_a_plain_spec_leaves_the_images_words_alone() -> None:
    config = docker_wire.container_config(engine.ContainerSpec(name="a", image="i", labels={"l": "1"}))
    assert not {"Entrypoint", "Cmd", "User", "WorkingDir", "Hostname", "NetworkingConfig"} & set(config)
    assert (config["Image"], config["Labels"]) == ("i", {"l": "1"})
    host = config["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert not {"Memory", "CpuQuota", "PidMode"} & set(host)
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}


def test_everything_that_a_spec_says_is_asked_for() -> None:
    spec = engine.ContainerSpec(
        name="a",
        image="i",
        labels={},
        entrypoint=(),
        command=("x", "y"),
        env=(("A", "1=2"), ("A", "3")),
        working_dir="/w",
        user="7:8",
        hostname="h",
        mounts=(
            engine.Mount("/src", "/dst", read_only=True, propagation="rslave"),
            engine.Mount("name", "/vol", type="volume"),
            engine.Mount("", "/tmp", type="tmpfs", size_bytes=5),
        ),
        network="net",
        ip="10.0.0.9",
        ports=(engine.PortBinding(80, "TCP", "127.0.0.1", 8080), engine.PortBinding(80, "tcp", "127.0.0.2")),
        dns=("10.0.0.1",),
        extra_hosts=(("name", "10.0.0.2"),),
        pid_mode="host",
        memory_bytes=10,
        cpu_shares=2,
        cpu_quota_us=50,
        oom_score_adj=7,
        stop_signal="SIGUSR1",
        stop_seconds=0,
    )
    config = docker_wire.container_config(spec)
    assert (config["Entrypoint"], config["Cmd"], config["Env"]) == ([], ["x", "y"], ["A=1=2", "A=3"])
    assert config["NetworkingConfig"] == {
        "EndpointsConfig": {"net": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}
    }
    assert config["ExposedPorts"] == {"80/tcp": {}}
    host = config["HostConfig"]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "127.0.0.2", "HostPort": ""}]
    }
    assert host["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/src",
            "Target": "/dst",
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rslave"},
        },
        {"Type": "volume", "Source": "name", "Target": "/vol", "ReadOnly": False},
        {"Type": "tmpfs", "Target": "/tmp", "ReadOnly": False, "TmpfsOptions": {"SizeBytes": 5}},
    ]
    assert (host["Memory"], host["MemorySwap"], host["CpuShares"]) == (10, 10, 2)
    assert (host["CpuQuota"], host["CpuPeriod"], host["OomScoreAdj"]) == (50, 100_000, 7)
    assert (host["PidMode"], host["ExtraHosts"], host["Dns"]) == ("host", ["name:10.0.0.2"], ["10.0.0.1"])
    assert (config["Hostname"], config["StopSignal"], config["User"]) == ("h", "SIGUSR1", "7:8")
    assert config["StopTimeout"] == 0, "not the engine's ten seconds"


def inspected(**state: object) -> engine.Container:
    """Return a container from an inspect answer with this state."""
    return docker_wire.container_from_inspect(
        {
            "Id": "c1",
            "Name": "/name",
            "Image": "sha256:1",
            "Created": "2026-11-24T01:02:03.123456789Z",
            "Config": {"Image": "i:1", "Labels": None},
            "State": state,
            "NetworkSettings": {
                "Networks": {"none": {"IPAddress": ""}, "net": {"IPAddress": "10.0.0.9"}},
                "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/udp": None},
            },
        }
    )


def test_a_running_container_has_a_pid_an_address_and_ports() -> None:
    found = inspected(
        Status="running",
        Running=True,
        Pid=42,
        StartedAt="2026-11-24T01:02:04Z",
        FinishedAt="0001-01-01T00:00:00Z",
    )
    assert (found.name, found.labels, found.pid, found.ip) == ("name", {}, 42, "10.0.0.9")
    assert found.ports == (engine.PortBinding(80, "tcp", "127.0.0.1", 8080),)
    assert found.created_at == datetime(2026, 11, 24, 1, 2, 3, 123456, UTC)
    assert found.started_at == datetime(2026, 11, 24, 1, 2, 4, tzinfo=UTC)
    assert found.finished_at is None


def test_an_ended_container_has_neither() -> None:
    found = inspected(Status="exited", Running=False, Pid=42, ExitCode=137, OOMKilled=True, Error="why")
    assert (found.pid, found.ip) == (0, "")
    assert (found.exit_code, found.oom_killed, found.error) == (137, True, "why")


def test_event_labels_are_without_what_the_engine_adds() -> None:
    attributes = {"image": "i", "name": "n", "exitCode": "1", "minikctl.dev/role": "app"}
    body = {"Action": "die", "Actor": {"ID": "c1", "Attributes": attributes}, "timeNano": 1_500_000_000}
    event = docker_wire.event(body)
    assert (event.action, event.container_id, event.labels) == ("die", "c1", {"minikctl.dev/role": "app"})
    assert event.time == datetime.fromtimestamp(1.5, UTC)


def test_image_words_may_be_a_text_or_a_list() -> None:
    image = docker_wire.image_from_inspect({"Id": "1", "Config": {"Entrypoint": "/run", "Cmd": ["a"]}})
    assert (image.entrypoint, image.command, image.tags) == (("/run",), ("a",), ())


def frame(stream: int, data: bytes) -> bytes:
    """Return a frame of an attached stream."""
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    some.lists(some.tuples(some.sampled_from([1, 2]), some.binary(max_size=40)), max_size=8),
    some.lists(some.integers(1, 30), min_size=1, max_size=20),
)
def test_frames_are_separated_however_they_arrive(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    whole = b"".join(frame(*one) for one in frames)
    decoder = docker_wire.FrameDecoder()
    pieces: list[tuple[int, bytes]] = []
    position = turn = 0
    while position < len(whole):
        size = cuts[turn % len(cuts)]
        pieces += decoder.feed(whole[position : position + size])
        position, turn = position + size, turn + 1
    for stream in (1, 2):
        wanted = b"".join(data for number, data in frames if number == stream)
        assert b"".join(data for number, data in pieces if number == stream) == wanted


def test_lines_of_json_are_cut_where_they_end() -> None:
    decoder = docker_wire.LineDecoder()
    assert decoder.feed(b'{"a": 1}\n{"b"') == [{"a": 1}]
    assert decoder.feed(b': 2}\n\n{"c": 3}') == [{"b": 2}]
    assert decoder.feed(b"\n") == [{"c": 3}]


@pytest.mark.parametrize("text", ["", None, "0001-01-01T00:00:00Z"])
def test_never_is_no_moment(text: str | None) -> None:
    assert docker_wire.moment(text) is None


def test_statistics_tell_cpu_time_and_memory_that_stays() -> None:
    body = {
        "read": "2026-01-01T12:00:00.5Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
        "memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 1}},
    }
    found = docker_wire.usage(body)
    assert found is not None
    assert (found.cpu_seconds, found.memory_bytes, found.at.microsecond) == (1.5, 700, 500000)
    body["memory_stats"] = {"usage": 1000, "stats": {"inactive_file": 100}}  # cgroup v2
    newer = docker_wire.usage(body)
    assert newer is not None
    assert newer.memory_bytes == 900
    assert docker_wire.usage({"read": "0001-01-01T00:00:00Z", "cpu_stats": {}, "memory_stats": {}}) is None


def test_a_container_does_not_end_before_it_starts() -> None:
    started, finished = "2026-01-01T00:00:02.5Z", "2026-01-01T00:00:02.25Z"
    body = {"Id": "x", "State": {"Running": False, "StartedAt": started, "FinishedAt": finished}}
    ended = docker_wire.container_from_inspect(body)
    assert ended.started_at is not None
    assert ended.started_at == ended.finished_at
    running = {"Id": "x", "State": {"Running": True, "StartedAt": started, "FinishedAt": finished}}
    was = docker_wire.container_from_inspect(running)
    assert was.finished_at is not None
    assert was.finished_at < ended.started_at
