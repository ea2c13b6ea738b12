"""Certificates of clients and of endpoints, with a real HAProxy: who passes, who does not, and what is passed on."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import ssl
import subprocess
import urllib.parse
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from minikctl.network import certificates
from minikctl.plan import ingress, ingress_haproxy
from minikctl.plan.haproxy import Rendered
from minikctl.plan.ingress_routes import Credentials
from minikctl.plan.ingress_values import PREFIX
from minikctl.plan.proxy_view import Target
from minikctl.runtime.clock import SystemClock
from tests.fakes.ports import free_port
from tests.plan.ingress.cases import make, path, rule, view

pytestmark = [
    pytest.mark.timeout(40),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed"),
]
PEM = serialization.Encoding.PEM
DEFAULT = certificates.self_signed(SystemClock())


class Party:
    """A certificate with its key, signed by another party or by itself."""

    def __init__(self, name: str, by: Party | None = None, *, authority: bool = False) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        self.by, now = by, datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name if by else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        self.certificate = builder.sign(by.key if by else self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    @property
    def chain(self) -> str:
        """The certificate, and those up to the authority."""
        return self.pem + (self.by.chain if self.by and self.by.by else "")

    @property
    def whole(self) -> str:
        kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.chain + self.key.private_bytes(PEM, kind, none).decode()

    def revoking(self, *others: Party) -> str:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        for one in others:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM).decode()


ONE, TWO = Party("one", authority=True), Party("two", authority=True)
MIDDLE = Party("middle", ONE, authority=True)
LOWER = Party("lower", MIDDLE, authority=True)
ANN, TIM, DEEP, DEEPER = Party("ann", ONE), Party("tim", TWO), Party("deep", MIDDLE), Party("deeper", LOWER)
CREDENTIALS = {
    ("default", "one"): Credentials(ONE.pem),
    ("default", "two"): Credentials(TWO.pem),
    ("default", "without-ann"): Credentials(ONE.pem, ONE.revoking(ANN)),
    ("default", "proxy"): Credentials(ONE.pem, "", ANN.whole),
    ("default", "strict"): Credentials(ONE.pem, ONE.revoking(ANN), ANN.whole),
}


@dataclasses.dataclass
class Bench:
    """HAProxy before an application that answers with the head of the request that it gets."""

    directory: Path
    place: ingress_haproxy.Place
    target: Target

    def rendered(self, *ingresses: Any) -> Rendered:
        routes = ingress.routing(view(*ingresses, credentials=CREDENTIALS))
        backends = {
            name: dataclasses.replace(one, targets=(self.target,)) for name, one in routes.backends.items()
        }
        routes = dataclasses.replace(routes, backends=backends)
        return ingress_haproxy.render(routes, {}, DEFAULT, {}, self.place)

    async def start(self, *ingresses: Any) -> subprocess.Popen[bytes]:
        for name, text in self.rendered(*ingresses).files.items():
            (self.directory / name).write_text(text)
        process = subprocess.Popen(["haproxy", "-f", str(self.directory / "haproxy.cfg")])
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.place.https_port)
                except OSError:
                    assert process.poll() is None
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return process

    def context(self, who: Party | None = None) -> ssl.SSLContext:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
        if who:
            file = self.directory / "client.pem"
            file.write_text(who.whole)
            found.load_cert_chain(file)
        return found

    def ask(self, host: str, who: Party | None = None, **more: Any) -> tuple[int, str]:
        return self.asked(self.context(who), host, **more)[:2]

    def asked(
        self,
        context: ssl.SSLContext,
        host: str,
        *,
        shown: str | None = None,
        session: Any = None,
        head: str = "",
    ) -> tuple[int, str, Any]:
        """Return status, the rest of the answer, and the session; ``shown`` is the name in the handshake."""
        with (
            socket.create_connection(("127.0.0.1", self.place.https_port), timeout=5) as raw,
            context.wrap_socket(
                raw, server_hostname=host if shown is None else shown or None, session=session
            ) as tls,
        ):
            tls.sendall(f"GET /x HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n".encode())
            text = b""
            while part := tls.recv(65536):
                text += part
            return int(text.split()[1]), text.decode(), tls.session


Starter = Callable[..., Any]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Bench, Starter]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    ports = [free_port() for _ in range(4)]
    place = ingress_haproxy.Place(ports[0], ports[1], ports[2], ports[3], str(tmp_path))
    made = Bench(tmp_path, place, Target("127.0.0.1", server.sockets[0].getsockname()[1]))
    running: list[subprocess.Popen[bytes]] = []

    async def start(*ingresses: Any) -> None:
        running.append(await made.start(*ingresses))

    try:
        yield made, start
    finally:
        for process in running:
            process.kill()
            process.wait()
        server.close()


def guarded(name: str, host: str, secret: str, **notes: str) -> Any:
    found = {f"{PREFIX}auth-tls-{key.replace('_', '-')}": text for key, text in notes.items()}
    found[f"{PREFIX}auth-tls-secret"] = f"default/{secret}"
    return make(name, rule(host, path("/", "a")), annotations=found)


async def test_who_has_a_good_certificate_passes_and_the_application_is_told(bench: Any) -> None:
    made, start = bench
    told = guarded("t", "t.test", "one", pass_certificate_to_upstream="true", match_cn="CN=(ann|deep)")
    await start(guarded("a", "a.test", "one"), told, make("o", rule("a.test", path("/x", "b"))))
    forged = "Ssl-Client-Verify: SUCCESS\r\nssl_client_subject_dn: CN=root\r\n"
    status, said = await asyncio.to_thread(made.ask, "a.test", ANN, head=forged)
    assert (status, "ssl-client-subject-dn: CN=ann,O=Acme\r\n" in said) == (200, True)
    assert (said.count("ssl-client-verify: SUCCESS"), "root" in said) == (1, False)
    assert "ssl-client-issuer-dn: CN=one,O=Acme\r\n" in said
    for who, status, words in [
        (None, 400, "No required SSL certificate was sent"),
        (TIM, 400, "The SSL certificate error"),
        (DEEP, 200, "CN=deep"),
        (DEEPER, 400, "The SSL certificate error"),
    ]:
        found = await asyncio.to_thread(made.ask, "a.test", who)
        assert (found[0], words in found[1]) == (status, True), found
    status, said = await asyncio.to_thread(made.ask, "t.test", ANN)
    escaped = next(line for line in said.splitlines() if line.startswith("ssl-client-cert: "))
    assert urllib.parse.unquote(escaped.partition(": ")[2]) == ANN.pem
    found = await asyncio.to_thread(made.ask, "t.test", Party("eve", ONE))
    assert (found[0], "client certificate unauthorized" in found[1]) == (403, True)


async def test_a_connection_for_one_host_leads_to_no_other(bench: Any) -> None:
    made, start = bench
    await start(
        guarded("a", "a.test", "one"),
        guarded("b", "b.test", "two"),
        guarded("w", "*.w.test", "two"),
        make("open", rule("open.test", path("/", "a"))),
    )

    def look() -> None:
        assert made.ask("a.test", None, shown="open.test")[0] == 421
        assert made.ask("b.test", ANN, shown="a.test")[0] == 421
        assert made.ask("b.test", ANN, shown="")[0] == 400
        assert made.ask("x.w.test", TIM)[0] == 200
        assert made.ask("x.w.test", ANN)[0] == 400
        assert made.ask("open.test", None)[0] == 200
        context = made.context(ANN)
        status, _, session = made.asked(context, "a.test")
        assert status == 200
        assert made.asked(context, "a.test", session=session)[0] == 200
        # TLS 1.3 resumes it under another name, with the verdict of before.
        assert made.asked(context, "b.test", session=session)[0] == 421

    await asyncio.to_thread(look)


async def test_certificates_may_be_asked_for_in_other_ways(bench: Any) -> None:
    made, start = bench
    await start(
        guarded("o", "o.test", "one", verify_client="optional"),
        guarded("n", "n.test", "one", verify_client="optional_no_ca"),
        guarded("off", "off.test", "one", verify_client="off"),
        guarded("p", "p.test", "one", error_page="https://help.test/$host"),
        guarded("r", "r.test", "without-ann"),
        guarded("gone", "gone.test", "nothing"),
    )

    def look() -> None:
        for host, who, status, words in [
            ("o.test", None, 200, "ssl-client-verify: NONE"),
            ("o.test", ANN, 200, "ssl-client-verify: SUCCESS"),
            ("o.test", TIM, 400, "The SSL certificate error"),
            ("n.test", TIM, 200, "ssl-client-verify: FAILED:unable to verify the first certificate"),
            ("n.test", None, 200, "ssl-client-verify: NONE"),
            ("off.test", None, 200, "GET /x"),
            ("p.test", None, 302, "location: https://help.test/p.test"),
            ("r.test", ANN, 400, "The SSL certificate error"),
            ("r.test", Party("eve", ONE), 200, "CN=eve"),
            ("gone.test", ANN, 503, "see the events of the Ingress"),
        ]:
            found = made.ask(host, who)
            assert (found[0], words in found[1]) == (status, True), (host, found)

    await asyncio.to_thread(look)
    reader, writer = await asyncio.open_connection("127.0.0.1", made.place.http_port)
    writer.write(b"GET /x HTTP/1.1\r\nHost: p.test\r\nConnection: close\r\n\r\n")
    assert b"308 Permanent" in await reader.read(-1)
    writer.close()


@pytest.mark.parametrize(
    ("notes", "signed", "status"),
    [
        ({"verify": "on", "name": "app.test"}, ONE, 200),
        ({"verify": "on", "name": "app.test", "server-name": "on"}, ONE, 200),
        ({"verify": "on", "name": "$host", "server-name": "on"}, ONE, 200),
        ({"verify": "on", "name": "app.test", "secret": "default/strict"}, ONE, 200),
        ({"verify": "on", "name": "other.test"}, ONE, 503),
        ({"verify": "on"}, ONE, 503),
        ({"verify": "on", "name": "app.test"}, TWO, 503),
        ({"verify": "off"}, TWO, 200),
        ({"protocols": "TLSv1.2", "ciphers": "ECDHE+AESGCM"}, TWO, 200),
    ],
)
async def test_an_endpoint_is_believed_as_asked_for(
    bench: Any, tmp_path: Path, notes: dict[str, str], signed: Party, status: int
) -> None:
    made, start = bench
    shown: list[Any] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        shown.append(writer.get_extra_info("peercert"))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, text in (("server.pem", Party("app.test", signed).whole), ("clients.pem", ONE.pem)):
        (tmp_path / name).write_text(text)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    made.target = Target("127.0.0.1", server.sockets[0].getsockname()[1])
    given = {f"{PREFIX}proxy-ssl-{key}": text for key, text in {"secret": "default/proxy", **notes}.items()}
    given[f"{PREFIX}backend-protocol"] = "HTTPS"
    await start(make("a", rule("app.test", path("/", "a")), annotations=given))
    assert (await asyncio.to_thread(made.ask, "app.test"))[0] == status
    assert not shown or "ann" in str(shown[0]["subject"])
    server.close()
