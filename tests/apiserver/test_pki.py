from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification

from minikctl.apiserver import pki
from minikctl.apiserver.auth import ADMIN, Credentials, TokenAuthenticator
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings

SETTINGS = ClusterSettings("lab")


@pytest.fixture
def home(tmp_path: Path) -> ClusterHome:
    return ClusterHome("lab", str(tmp_path))


def serial(path: str) -> int:
    return x509.load_pem_x509_certificates(Path(path).read_bytes())[0].serial_number


def test_everything_stays_until_it_is_near_its_end(home: ClusterHome) -> None:
    now = datetime.now(UTC)
    first = pki.ensure(home, SETTINGS, now)
    number = serial(first.cert_file)
    assert pki.ensure(home, SETTINGS, now + timedelta(days=300)) == first
    assert serial(first.cert_file) == number
    renewed = pki.ensure(home, SETTINGS, now + timedelta(days=340))
    assert (renewed.ca_pem, renewed.token) == (first.ca_pem, first.token)
    assert serial(first.cert_file) != number


def test_other_addresses_make_another_certificate(home: ClusterHome) -> None:
    first = serial(pki.ensure(home, SETTINGS).cert_file)
    assert serial(pki.ensure(home, ClusterSettings("lab", service_cidr="10.97.0.0/16")).cert_file) != first


@pytest.mark.parametrize("part", ["apiserver.crt", "apiserver.key"])
def test_a_damaged_pair_is_replaced(home: ClusterHome, part: str) -> None:
    first = serial(pki.ensure(home, SETTINGS).cert_file)
    Path(home.file("pki", part)).write_bytes(b"nonsense")
    assert serial(pki.ensure(home, SETTINGS).cert_file) != first


@pytest.mark.parametrize("file", ["ca.crt", "ca.key", "sa.key", "admin.token"])
def test_what_was_cut_short_is_made_anew_and_an_empty_token_is_nobodys(
    home: ClusterHome, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = pki.ensure(home, SETTINGS)
    Path(home.file("pki", file)).write_bytes(b"")
    second = pki.ensure(home, SETTINGS)
    assert second.token
    assert (second.ca_pem == first.ca_pem) is not file.startswith("ca.")
    assert (f"{file} is damaged" in caplog.text) is (file != "admin.token")
    assert pki.ensure(home, SETTINGS) == second


def test_the_authority_is_replaced_in_time(home: ClusterHome) -> None:
    now = datetime.now(UTC)
    first = pki.ensure(home, SETTINGS, now)
    second = pki.ensure(home, SETTINGS, now + timedelta(days=pki.CA_DAYS - 10))
    assert second.ca_pem != first.ca_pem
    assert second.token == first.token


def test_keys_are_private(home: ClusterHome) -> None:
    pki.ensure(home, SETTINGS)
    for path in Path(home.file("pki")).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
    "10.96.0.1",
)


@pytest.mark.parametrize("name", NAMES)
def test_strict_tls_accepts_every_name(home: ClusterHome, name: str) -> None:
    found = pki.ensure(home, SETTINGS)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(found.cert_file, found.key_file)
    client = ssl.create_default_context(cadata=found.ca_pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    left, right = socket.socketpair()
    with left, right:
        thread = threading.Thread(target=lambda: server.wrap_socket(left, server_side=True).close())
        thread.start()
        client.wrap_socket(right, server_hostname=name).close()
        thread.join()


def test_a_verifier_by_the_web_rules_accepts_the_chain(home: ClusterHome) -> None:
    found = pki.ensure(home, SETTINGS)
    leaf = x509.load_pem_x509_certificates(Path(found.cert_file).read_bytes())[0]
    roots = verification.Store([x509.load_pem_x509_certificate(found.ca_pem)])
    verifier = verification.PolicyBuilder().store(roots).build_server_verifier(x509.DNSName("localhost"))
    assert len(verifier.verify(leaf, [])) == 2


def test_without_a_token_nobody_is_the_administrator() -> None:
    assert TokenAuthenticator("")(Credentials({})) is None


def test_the_token_proves_the_administrator(home: ClusterHome) -> None:
    token = pki.ensure(home, SETTINGS).token
    check = TokenAuthenticator(token)

    def proven(**headers: str) -> object:
        return check(Credentials(headers))

    assert proven(authorization=f"Bearer {token}") == ADMIN
    assert proven(authorization=f"bearer {token}") == ADMIN
    for wrong in ("", "Bearer ", f"Basic {token}", f"Bearer {token}x", "Bearer \u00e9", token):
        assert proven(authorization=wrong) is None
    assert proven() is None
