"""Records into a name server: RFC 2136 updates and zone transfers, signed with the cluster's key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

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

    def __init__(self, secret: str, *, port: int = PORT) -> None:
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
                address, content, query, port=self._port, lifetime=TIMEOUT_SECONDS
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
                answer = await dns.asyncquery.tcp(message, address, timeout=TIMEOUT_SECONDS, port=self._port)
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


def _key() -> dns.name.Name:
    return dns.name.from_text(KEY_NAME)


def _failed(address: str, error: BaseException) -> errors.DriverError:
    words = str(error) or type(error).__name__
    return errors.DriverError(f"name server {address}: {words}", words)
