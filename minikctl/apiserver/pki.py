"""The cluster's certificates: an authority of its own, and the API server's certificate under it."""

from __future__ import annotations

import ipaddress
import logging
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from minikctl.apiserver.signer import Signer
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.runtime import certificates

log = logging.getLogger(__name__)

CA_DAYS = 3650
SERVER_DAYS = 365
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class Pki:
    """Paths of the API server's key pair, the authority's certificate as PEM, the admin's token, the key
    that signs tokens of ServiceAccounts, and the authority itself."""

    cert_file: str
    key_file: str
    ca_file: str
    ca_pem: bytes
    token: str
    accounts: ec.EllipticCurvePrivateKey = field(compare=False)
    authority: Signer = field(compare=False)


def ensure(home: ClusterHome, settings: ClusterSettings, now: datetime | None = None) -> Pki:
    """Return the cluster's certificates, made or renewed as needed; the authority and the token stay."""
    moment = now or datetime.now(UTC)
    ca_key, ca_cert = authority(home, moment)
    cert_path = Path(home.file("pki", "apiserver.crt"))
    if not _serves(home, ca_cert, settings, moment):
        key, cert = _issue(ca_key, ca_cert, settings, moment)
        home.write("pki/apiserver.key", certificates.key_pem(key))
        home.write("pki/apiserver.crt", certificates.pem(cert) + certificates.pem(ca_cert))
    token_path = Path(home.file("pki", "admin.token"))
    if not token_path.exists() or not token_path.read_bytes().strip():
        home.write("pki/admin.token", secrets.token_urlsafe(32).encode())
    files = str(cert_path), home.file("pki", "apiserver.key"), home.file("pki", "ca.crt")
    token, accounts = token_path.read_text(), _accounts_key(home)
    return Pki(*files, certificates.pem(ca_cert), token, accounts, Signer(ca_key, ca_cert))


def _accounts_key(home: ClusterHome) -> ec.EllipticCurvePrivateKey:
    path = Path(home.file("pki", "sa.key"))
    found = _key(path) if path.exists() else None
    if found is not None:
        return found
    made = ec.generate_private_key(ec.SECP256R1())
    home.write("pki/sa.key", certificates.key_pem(made))
    return made


def _key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """Return the key in a file; one that is damaged is put aside, so that another can be made."""
    try:
        found = serialization.load_pem_private_key(path.read_bytes(), None)
    except ValueError:
        _put_aside(path)
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def _certificate(path: Path) -> x509.Certificate | None:
    """Return the certificate in a file; one that is damaged is put aside, so that another can be made."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        _put_aside(path)
        return None


def _put_aside(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    log.warning("%s is damaged: kept as %s, and made anew; what the old one vouched for is void", path, aside)


def authority(
    home: ClusterHome, now: datetime, file: str = "ca"
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Return an authority with its key, made if it is not there or about to end."""
    key_path, cert_path = Path(home.file("pki", f"{file}.key")), Path(home.file("pki", f"{file}.crt"))
    if key_path.exists() and cert_path.exists():
        held, found = _key(key_path), _certificate(cert_path)
        if held and found and found.not_valid_after_utc - now > RENEW_BEFORE:
            return held, found
    key = ec.generate_private_key(ec.SECP256R1())
    common = f"minikctl-{home.name}" if file == "ca" else file
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    usage = certificates.usage(signs=True)
    cert = (
        certificates.builder(name, name, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    home.write(f"pki/{file}.key", certificates.key_pem(key))
    home.write(f"pki/{file}.crt", certificates.pem(cert))
    return key, cert


def _issue(
    ca_key: ec.EllipticCurvePrivateKey, ca_cert: x509.Certificate, settings: ClusterSettings, now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    cert = (
        certificates.builder(subject, ca_cert.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(certificates.usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(settings)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, cert


def _names(settings: ClusterSettings) -> list[x509.GeneralName]:
    short = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    hosts = [*short, f"kubernetes.default.svc.{settings.domain}"]
    addresses = ["127.0.0.1", "::1", settings.kubernetes_ip]
    return [x509.DNSName(host) for host in hosts] + [
        x509.IPAddress(ipaddress.ip_address(address)) for address in addresses
    ]


def _serves(home: ClusterHome, ca: x509.Certificate, settings: ClusterSettings, now: datetime) -> bool:
    """Tell whether the server's certificate is there, fresh, for these names and by this authority."""
    try:
        cert = x509.load_pem_x509_certificate(Path(home.file("pki", "apiserver.crt")).read_bytes())
        key = serialization.load_pem_private_key(Path(home.file("pki", "apiserver.key")).read_bytes(), None)
        cert.verify_directly_issued_by(ca)
    except (FileNotFoundError, ValueError, InvalidSignature):
        return False
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_fresh = cert.not_valid_after_utc - now > RENEW_BEFORE
    return is_fresh and list(names) == _names(settings) and key.public_key() == cert.public_key()
