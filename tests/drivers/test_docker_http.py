"""The engine's failures as our own, and an engine that is not there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import docker, docker_http, engine


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (404, "No such container: abc", errors.NoSuchContainer),
        (404, "No such image: x:1", errors.ImageMissing),
        (500, "driver failed: Bind for 127.0.0.1:80 failed: port is already allocated", errors.PortTaken),
        (500, "listen tcp4 127.0.0.1:80: bind: address already in use", errors.PortTaken),
        (500, "driver failed: Error starting userland proxy: protocol not supported", errors.NoSctp),
        (500, "driver failed: Timed out proxy starting the userland proxy", errors.PortTaken),
        (500, "cannot expose privileged port 80, you can …", errors.PrivilegedPort),
        (404, "network x not found", errors.DriverError),
        (500, "OCI runtime create failed: exec: not found", errors.DriverError),
    ],
)
def test_failures_have_the_class_that_fits(status: int, words: str, kind: type[Exception]) -> None:
    failure = docker_http.failure(status, words)
    assert type(failure) is kind
    assert str(failure) == failure.output == words


def test_a_rootless_engine_says_from_which_port_on_it_may_publish() -> None:
    words = "cannot expose privileged port 80, you can add 'net…=80' to /etc/sysctl.conf (currently 443), or"
    failure = docker_http.failure(500, words)
    assert isinstance(failure, errors.PrivilegedPort)
    assert failure.lowest == 443


def test_a_failure_without_words_tells_its_status() -> None:
    assert "418" in str(docker_http.failure(418, ""))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"message": "no "}\n', "no"), (b"plain text\n", "plain text"), (b"[]", "[]"), (b"", "")],
)
def test_the_engines_words_are_found_in_any_body(content: bytes, words: str) -> None:
    assert docker_http.engine_words(content) == words


@pytest.fixture
async def absent(tmp_path: Path) -> AsyncIterator[docker.DockerEngine]:
    """An engine at whose address nobody listens."""
    made = docker.DockerEngine("test", f"unix://{tmp_path}/none.sock")
    yield made
    await made.close()


async def test_every_call_says_that_no_engine_answers(absent: docker.DockerEngine) -> None:
    spec = engine.ContainerSpec(name="a", image="i", labels={})
    for call in (
        absent.info(),
        absent.list({}),
        absent.inspect("a"),
        absent.create(spec),
        absent.stop("a", 1),
        absent.image("i"),
        absent.pull("i:1"),
        absent.exec("a", ["true"], engine.ExecOptions()),
        anext(absent.events({})),
    ):
        with pytest.raises(errors.EngineUnavailable, match=r"none\.sock"):
            await call


async def test_an_engine_that_breaks_off_is_unavailable(tmp_path: Path) -> None:
    path = f"{tmp_path}/half.sock"

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(hang_up, path)
    made = docker.DockerEngine("test", f"unix://{path}")
    try:
        with pytest.raises(errors.EngineUnavailable):
            await made.info()
    finally:
        await made.close()
        server.close()
        await server.wait_closed()


async def test_docker_host_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    made = docker.DockerEngine("test")
    with pytest.raises(errors.EngineUnavailable, match=str(port)):
        await made.info()
    await made.close()


async def test_a_removal_that_takes_for_ever_is_a_failure_of_the_driver(
    absent: docker.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "removal of container abc is already in progress"

    async def busy(method: str, path: str, **_: object) -> object:
        if method == "DELETE":
            raise errors.DriverError(words, words)
        return {"Id": "abc"}

    monkeypatch.setattr(absent, "_call", busy)
    monkeypatch.setattr("minikctl.drivers.docker._GONE_SECONDS", 0.05)
    with pytest.raises(errors.DriverError, match="the engine still removes container abc"):
        await absent.remove("abc")
