"""Checks over the network, against small servers on loopback, and through the engine."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from minikctl import errors
from minikctl.drivers.engine import ContainerSpec
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.actions.node import Check, ExecCheck, GrpcCheck, HttpCheck, NoCheck, Sleep, TcpCheck
from minikctl.node import grpc_health
from minikctl.node.checks import PassingProber, RealProber, Result
from minikctl.runtime.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(task for task in tasks if task is not None))
    await asyncio.sleep(0)


def answering(*answers: str) -> tuple[Handler, list[str]]:
    """Return a handler that gives the answers in turn, and the requests that it got."""
    asked: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answers[min(len(asked), len(answers)) - 1].encode())

    return handle, asked


async def asked(check: Check, timeout: float = 1) -> Result:
    clock = SystemClock()
    return await RealProber(FakeEngine(clock), clock).check(check, "none", timeout)


async def test_http_asks_as_kubelet_does() -> None:
    handler, requests = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    async with serving(handler) as port:
        assert await asked(HttpCheck("127.0.0.1", port, "/a?b=c", headers=(("X-A", "1"),))) == Result(True)
    assert requests == [
        f"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: kube-probe/1.36\r\nAccept: */*\r\n"
        "Connection: close\r\nX-A: 1\r\n\r\n"
    ]


async def test_http_headers_may_be_replaced_and_left_out() -> None:
    handler, requests = answering("HTTP/1.1 204 No Content\r\n\r\n")
    headers = (("host", "a.example"), ("Accept", ""))
    async with serving(handler) as port:
        assert (await asked(HttpCheck("127.0.0.1", port, "x", headers=headers))).passed
    assert "host: a.example\r\n" in requests[0]
    assert "ccept" not in requests[0]
    assert requests[0].startswith("GET /x ")


@pytest.mark.parametrize(
    ("status", "passed"), [(200, True), (399, True), (400, False), (503, False), (199, False)]
)
async def test_http_judges_by_status(status: int, passed: bool) -> None:
    handler, _ = answering(f"HTTP/1.1 {status} X\r\n\r\n")
    async with serving(handler) as port:
        found = await asked(HttpCheck("127.0.0.1", port))
    assert found.passed is passed
    assert found.output == ("" if passed else f"HTTP probe failed with statuscode: {status}")


async def test_redirects_are_followed_on_the_same_host() -> None:
    handler, requests = answering(
        "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n", "HTTP/1.1 500 Oops\r\ncontent-length: 9\r\n\r\nx"
    )
    async with serving(handler) as port:
        assert not (await asked(HttpCheck("127.0.0.1", port))).passed
    assert requests[1].startswith("GET /there ")


async def test_a_redirect_to_another_host_passes_with_a_warning() -> None:
    there = "Location: http://elsewhere.invalid/\r\nContent-Length: 4\r\n"
    handler, _ = answering(f"HTTP/1.1 302 Found\r\n{there}\r\nover")
    async with serving(handler) as port:
        found = await asked(HttpCheck("127.0.0.1", port))
    assert found.passed
    assert found.warning == "Probe terminated redirects, Response body: over"


async def test_redirects_end_somewhere() -> None:
    handler, _ = answering("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n")
    async with serving(handler) as port:
        found = await asked(HttpCheck("127.0.0.1", port))
    assert found.output == f'Get "http://127.0.0.1:{port}/": stopped after 10 redirects'


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "EOF"),
        ("SSH-2.0", "malformed HTTP response"),
        ("SMTP x\r\n\r\n", 'malformed HTTP response "SMTP x"'),
        ("HTTP/1.1 200 OK\r\nx: " + "y" * 70000 + "\r\n\r\n", "the header of the answer is too long"),
    ],
)
async def test_what_is_not_http_fails(answer: str, words: str) -> None:
    handler, _ = answering(answer)
    async with serving(handler) as port:
        found = await asked(HttpCheck("127.0.0.1", port))
    assert found.output == f'Get "http://127.0.0.1:{port}/": {words}'


async def test_https_takes_any_certificate(tmp_path: Path) -> None:
    tls = await asyncio.to_thread(self_signed, tmp_path)
    handler, _ = answering("HTTP/1.1 200 OK\r\n\r\n")
    async with serving(handler, tls) as port:
        assert (await asked(HttpCheck("127.0.0.1", port, scheme="HTTPS"), 5)).passed


def self_signed(directory: Path) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    raw = serialization.PrivateFormat.PKCS8
    path = directory / "both.pem"
    path.write_bytes(
        key.private_bytes(pem, raw, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("make", [HttpCheck, TcpCheck, GrpcCheck])
async def test_nobody_listening_is_refused(make: type[HttpCheck | TcpCheck | GrpcCheck]) -> None:
    port = free_port()
    found = await asked(make("127.0.0.1", port))
    assert found.refused
    assert found.output.endswith(f"dial tcp 127.0.0.1:{port}: connect: connection refused")


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_silence_is_a_failure_after_the_timeout() -> None:
    async with serving(silent) as port:
        http = await asked(HttpCheck("127.0.0.1", port), 0.05)
        grpc = await asked(GrpcCheck("127.0.0.1", port), 0.05)
    assert http.output.endswith("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
    assert grpc.output == (
        f'timeout: failed to connect service "127.0.0.1:{port}" within 0.05s: context deadline exceeded'
    )


async def test_tcp_passes_when_somebody_answers() -> None:
    async with serving(silent) as port:
        assert await asked(TcpCheck("127.0.0.1", port)) == Result(True)


async def test_a_bad_port_fails() -> None:
    found = await asked(TcpCheck("127.0.0.1", 70000))
    assert not found.passed


# --- gRPC --------------------------------------------------------------------------------------------------


def health_server(message: bytes, trailers: list[tuple[str, str]]) -> Handler:
    """Return a handler that answers one call with a message and trailers."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    stream = event.stream_id
                    connection.send_headers(
                        stream, [(":status", "200"), ("content-type", "application/grpc")]
                    )
                    if message:
                        connection.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message)
                    connection.send_headers(stream, trailers, end_stream=True)
            writer.write(connection.data_to_send())

    return handle


@pytest.mark.parametrize(
    ("message", "trailers", "output"),
    [
        (b"\x08\x01", [("grpc-status", "0")], ""),
        (b"\x08\x02", [("grpc-status", "0")], 'service unhealthy (responded with "NOT_SERVING")'),
        (b"\x08\x09", [("grpc-status", "0")], 'service unhealthy (responded with "9")'),
        (b"\x10\x01", [("grpc-status", "0")], 'service unhealthy (responded with "UNKNOWN")'),
        (
            b"",
            [("grpc-status", "12"), ("grpc-message", "no Health")],
            "error: this server does not implement the grpc health protocol: no Health",
        ),
        (b"", [("grpc-status", "5")], "error: health rpc failed: unknown service"),
        (b"", [("grpc-status", "0")], "error: health rpc failed: code 0"),
    ],
)
async def test_grpc_judges_by_the_service(
    message: bytes, trailers: list[tuple[str, str]], output: str
) -> None:
    async with serving(health_server(message, trailers)) as port:
        found = await asked(GrpcCheck("127.0.0.1", port, "s" * 200))
    assert found == Result(not output, output)


async def test_what_is_not_grpc_fails() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(10)

    async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(65536)

    async with serving(refuse) as port:
        assert not (await asked(GrpcCheck("127.0.0.1", port))).passed
    async with serving(close) as port:
        found = await asked(GrpcCheck("127.0.0.1", port))
        assert found.output == "error: the server closed the connection"


async def test_grpc_may_be_refused_by_the_server() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        connection.receive_data(await reader.read(65536))
        connection.close_connection()
        writer.write(connection.data_to_send())
        await reader.read(65536)

    async with serving(refuse) as port:
        assert (await asked(GrpcCheck("127.0.0.1", port))).output == "error: the server refused the call"


def test_messages_of_the_health_protocol() -> None:
    assert grpc_health.request("") == b""
    assert grpc_health.request("ab") == b"\x0a\x02ab"
    assert grpc_health.request("a" * 200)[:3] == b"\x0a\xc8\x01"
    assert grpc_health.serving_status(b"") == 0


# --- through the engine ------------------------------------------------------------------------------------


async def test_commands_are_judged_by_their_exit_code() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    container = await engine.create(ContainerSpec("app", "demo:1", {}))
    await engine.start(container)
    prober = RealProber(engine, clock)
    assert (await prober.check(ExecCheck(("true",)), container, 1)).passed
    found = await prober.check(ExecCheck(("sh", "-c", "echo no; exit 3")), container, 1)
    assert found == Result(False, "no\n")
    assert (await prober.check(ExecCheck(("no-such-program",)), container, 1)).errored
    missing = await prober.check(ExecCheck(("true",)), "nobody", 1)
    assert missing.errored
    slow = asyncio.create_task(prober.check(ExecCheck(("sleep", "9")), container, 2))
    await clock.advance(3)
    assert (await slow).output == 'command timed out: "sleep 9" timed out after 2s'
    engine.available = False
    with pytest.raises(errors.EngineUnavailable):
        await prober.check(ExecCheck(("true",)), container, 1)
    await engine.close()


async def test_hooks() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    for prober in (RealProber(engine, clock), PassingProber(clock)):
        sleeping = asyncio.create_task(prober.hook(Sleep(5), "x"))
        await clock.advance(4)
        assert not sleeping.done()
        await clock.advance(2)
        assert (await sleeping).passed
    assert (await PassingProber(clock).hook(ExecCheck(("x",)), "x")).passed
    real = RealProber(engine, clock)
    assert (await real.hook(NoCheck("why"), "x")).errored
    assert await real.check(NoCheck("why"), "x", 1) == Result(False, "why", errored=True)
    assert not (await real.hook(ExecCheck(("x",)), "x")).passed
    async with serving(silent) as port:
        assert (await real.hook(TcpCheck("127.0.0.1", port), "x")).passed
