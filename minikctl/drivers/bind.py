"""Records into a name server: RFC 2136 updates and zone transfers, signed with the cluster's key."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any, Protocol

import dns._asyncbackend as backends  # dns.asyncbackend has them, too, but not for type checkers
import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone

from minikctl import errors
from minikctl.drivers import dialing
from minikctl.plan.dns_records import RecordKey, Records
from minikctl.plan.dns_zones import KEY_ALGORITHM, KEY_NAME, TTL

TIMEOUT_SECONDS = 5.0
PORT = 53
MESSAGE_CHARACTERS = 40_000
"""As much of records is sent in a message, which has room for 64 kB."""
_OURS = frozenset({"A", "CNAME", "PTR", "SRV", "TXT"})


class Restarted(errors.DriverError):
    """The server does not hold what it is thought to hold: it was filled by somebody else or is empty."""


class NameServers(Protocol):
    """Reads and changes records of the name server at an address; failures are ``errors.DriverError``."""

    async def records(self, address: str, zone: str) -> Records:
        """Return the zone's records without its SOA and NS."""
        ...

    async def update(
        self, address: str, zone: str, changes: Records, expected: tuple[RecordKey, str] | None = None
    ) -> None:
        """Replace each of these record sets, an empty one by nothing; at once if a message holds them.

        With ``expected`` (a record and its data) nothing is changed and ``Restarted`` raised if that record
        is not there.
        """
        ...


class BindServers:
    """Fits ``NameServers``; ``secret`` is the base64 of the key.

    Records get the TTL that the zone's SOA gives for what does not exist, once the zone has been read.
    """

    def __init__(self, secret: str, *, port: int = PORT, dialer: dialing.Dialer = dialing.DIRECT) -> None:
        self._backend = _Backend(dialer)
        self._keyring = dns.tsigkeyring.from_text({KEY_NAME: secret})
        self._port = port
        self._ttl: dict[tuple[str, str], int] = {}

    async def records(self, address: str, zone: str) -> Records:
        """Return the zone's records without its SOA and NS."""
        content = dns.zone.Zone(dns.name.from_text(zone), relativize=False)
        query, _ = dns.xfr.make_query(
            content, serial=None, keyring=self._keyring, keyname=_key(), keyalgorithm=KEY_ALGORITHM
        )
        try:
            await dns.asyncquery.inbound_xfr(
                address,
                content,
                query,
                port=self._port,
                lifetime=TIMEOUT_SECONDS,
                backend=self._backend,
            )
        except (TimeoutError, dns.exception.DNSException, OSError, EOFError) as error:
            raise _failed(address, error) from error
        soa = content.get_soa()
        self._ttl[address, zone] = soa.minimum
        found: dict[RecordKey, frozenset[str]] = {}
        for name, rdataset in content.iterate_rdatasets():
            type = dns.rdatatype.to_text(rdataset.rdtype)
            if type in _OURS:
                found[name.to_text().lower(), type] = frozenset(rdata.to_text() for rdata in rdataset)
        return found

    async def update(
        self, address: str, zone: str, changes: Records, expected: tuple[RecordKey, str] | None = None
    ) -> None:
        """Replace each of these record sets, an empty one by nothing; at once if a message holds them."""
        for message in self._messages(address, zone, changes, expected):
            try:
                answer = await dns.asyncquery.tcp(
                    message, address, timeout=TIMEOUT_SECONDS, port=self._port, backend=self._backend
                )
            except (TimeoutError, dns.exception.DNSException, OSError, EOFError) as error:
                raise _failed(address, error) from error
            code = answer.rcode()
            if code in (dns.rcode.NXRRSET, dns.rcode.NXDOMAIN):
                raise Restarted(f"name server {address} was started anew")
            if code != dns.rcode.NOERROR:
                said = dns.rcode.to_text(code)
                raise errors.DriverError(f"name server {address} refused an update: {said}")

    def _messages(
        self, address: str, zone: str, changes: Records, expected: tuple[RecordKey, str] | None
    ) -> Iterator[dns.update.UpdateMessage]:
        message, size = self._message(zone, expected), 0
        ttl = self._ttl.get((address, zone), TTL)
        for (name, type), sets in changes.items():
            owner = dns.name.from_text(name)
            message.delete(owner, type)
            for data in sorted(sets):
                if size > MESSAGE_CHARACTERS:
                    yield message
                    message, size = self._message(zone, expected), 0
                message.add(owner, ttl, type, data)
                size += len(data) + 16
        yield message

    def _message(self, zone: str, expected: tuple[RecordKey, str] | None) -> dns.update.UpdateMessage:
        message = dns.update.UpdateMessage(
            zone, keyring=self._keyring, keyname=_key(), keyalgorithm=KEY_ALGORITHM
        )
        if expected is not None:
            (name, type), data = expected
            message.present(dns.name.from_text(name), type, data)
        return message


class _Backend(backends.Backend):
    """What dnspython connects by."""

    def __init__(self, dialer: dialing.Dialer) -> None:
        self._dialer = dialer

    def name(self) -> str:
        return "minikctl"

    async def make_socket(self, af: int, *given: Any, **_: Any) -> backends.Socket:
        """Return a TCP connection, from wherever and in the clear."""
        _socktype, _proto, _source, (host, port), timeout = given
        async with asyncio.timeout(timeout):
            return _Stream(af, *await self._dialer.open(host, port))


class _Stream(backends.StreamSocket):
    """A connection as dnspython uses it."""

    def __init__(self, af: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(af, socket.SOCK_STREAM)
        self._reader = reader
        self._writer = writer

    async def sendall(self, what: bytes, timeout: float | None) -> None:
        self._writer.write(what)
        async with asyncio.timeout(timeout):
            await self._writer.drain()

    async def recv(self, size: int, timeout: float | None) -> bytes:
        async with asyncio.timeout(timeout):
            return await self._reader.read(size)

    async def close(self) -> None:
        self._writer.close()


def _key() -> dns.name.Name:
    return dns.name.from_text(KEY_NAME)


def _failed(address: str, error: BaseException) -> errors.DriverError:
    words = str(error) or type(error).__name__
    return errors.DriverError(f"name server {address}: {words}", words)
