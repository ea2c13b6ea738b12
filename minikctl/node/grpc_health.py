"""One call of grpc.health.v1.Health/Check.

HTTP/2 framing is h2's: it is small and has no IO of its own, where the gRPC library would be thirty times as
large for a message of two fields, which are encoded here.
"""

from __future__ import annotations

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from minikctl.drivers import dialing
from minikctl.model.actions.node import GrpcCheck

PATH = "/grpc.health.v1.Health/Check"
SERVING = 1
NAMES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
UNIMPLEMENTED = "12"
NOT_FOUND = "5"
_CHUNK = 65536


class HealthError(Exception):
    """The server did not say that the service is serving."""


async def check(target: GrpcCheck, dialer: dialing.Dialer = dialing.DIRECT) -> None:
    """Return if the service is serving, else raise ``HealthError`` or ``OSError``; may take for ever."""
    reader, writer = await dialer.open(target.host, target.port)
    try:
        answer = await _call(reader, writer, target)
    except h2.exceptions.ProtocolError as error:
        raise HealthError(f"error: the server does not speak HTTP/2: {error}") from error
    finally:
        writer.close()
    answer.judge()


class _Answer:
    """What came back: the message's bytes and gRPC's own status."""

    def __init__(self) -> None:
        self.data = b""
        self.headers: dict[str, str] = {}
        self.complete = False

    def judge(self) -> None:
        code, text = self.headers.get("grpc-status", ""), self.headers.get("grpc-message", "")
        if code == UNIMPLEMENTED:
            raise HealthError(f"error: this server does not implement the grpc health protocol: {text}")
        if code == NOT_FOUND:
            raise HealthError(f"error: health rpc failed: {text or 'unknown service'}")
        if code not in ("", "0") or len(self.data) < 5:
            raise HealthError(f"error: health rpc failed: code {code or 'missing'} {text}".rstrip())
        found = serving_status(self.data[5:])
        if found != SERVING:
            raise HealthError(f'service unhealthy (responded with "{NAMES.get(found, str(found))}")')


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: GrpcCheck) -> _Answer:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(
        stream,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", PATH),
            (":authority", f"{target.host}:{target.port}"),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe"),
            ("te", "trailers"),
        ],
    )
    message = request(target.service)
    connection.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
    writer.write(connection.data_to_send())
    answer = _Answer()
    while not answer.complete:
        data = await reader.read(_CHUNK)
        if not data:
            raise HealthError("error: the server closed the connection")
        for event in connection.receive_data(data):
            _take(connection, event, answer)
        writer.write(connection.data_to_send())
    return answer


def _take(connection: h2.connection.H2Connection, event: h2.events.Event, answer: _Answer) -> None:
    match event:
        case h2.events.ResponseReceived() | h2.events.TrailersReceived():
            answer.headers |= {_text(name): _text(value) for name, value in event.headers or ()}
        case h2.events.DataReceived():
            answer.data += event.data or b""
            connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        case h2.events.StreamEnded():
            answer.complete = True
        case h2.events.StreamReset() | h2.events.ConnectionTerminated():
            raise HealthError("error: the server refused the call")
        case _:
            return


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def request(service: str) -> bytes:
    """Return HealthCheckRequest{service} in protobuf's encoding."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def serving_status(message: bytes) -> int:
    """Return HealthCheckResponse.status: field 1, a varint; 0 when it is left out."""
    if len(message) < 2 or message[0] != 0x08:
        return 0
    return message[1] & 0x7F
