"""The local authority: certificates for Ingress hosts that this machine can be told to trust.

There is one for all clusters of a state directory, so that it has to be trusted once.  Its key never leaves
that directory; nothing here changes what the machine trusts, only ``minikctl certs trust --install`` does.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from minikctl.model.objects import Key
from minikctl.plan.ingress_routes import Certificate
from minikctl.runtime import certificates

FOLDER = "authority"
NAME = "minikctl local authority"
AUTHORITY_DAYS = 3650
LEAF_DAYS = 397
"""The longest that browsers accept."""
RENEW_BEFORE = timedelta(days=30)


class LocalAuthority:
    """Issues certificates; made in ``root`` when first needed, by whoever comes first."""

    def __init__(self, root: str) -> None:
        self._folder = Path(root) / FOLDER
        self._leaves: dict[str, tuple[str, datetime]] = {}

    @property
    def certificate_file(self) -> Path:
        """Return the path of the authority's certificate."""
        return self._folder / "ca.crt"

    def ensure(self, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """Return the authority's certificate and key, made if there are none."""
        whole = self._folder / "ca.pem"
        if not whole.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._folder / f".ca.{os.getpid()}"
            draft.touch(mode=0o600)
            draft.write_bytes(_authority(now))
            try:
                os.link(draft, whole)  # fails if another process was faster: its authority counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        text = whole.read_bytes()
        found = x509.load_pem_x509_certificate(text)
        key = serialization.load_pem_private_key(text, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{whole} is not the authority that was made there")
        if not self.certificate_file.exists():
            self.certificate_file.write_bytes(certificates.pem(found))
        return found, key

    def recall(self, files: Mapping[str, str]) -> None:
        """Use certificates again that were issued before and are held in these files."""
        for text in files.values():
            found = _own(text)
            if found is not None:
                host, until = found
                self._leaves.setdefault(host, (text, until))

    def certificates(self, hosts: Iterable[str], now: datetime) -> dict[Key, Certificate]:
        """Return a certificate for each host, under the key ("", host); old ones are issued anew."""
        return {("", host): Certificate(("", host), self._leaf(host, now)) for host in sorted(set(hosts))}

    def _leaf(self, host: str, now: datetime) -> str:
        held = self._leaves.get(host)
        authority, key = self.ensure(now)
        if held is None or held[1] - now < RENEW_BEFORE or not _is_by(held[0], authority):
            held = self._leaves[host] = _issue(host, authority, key, now), now + timedelta(days=LEAF_DAYS)
        return held[0]


def _authority(now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    made = (
        certificates.builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(certificates.usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificates.pem(made) + certificates.key_pem(key)


def _issue(
    host: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, now: datetime
) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name has 64 characters at most; clients read the alternative name only.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    made = (
        certificates.builder(name, authority.subject, key.public_key(), now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(certificates.usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pieces = [
        certificates.pem(made),
        certificates.pem(authority),
    ]
    return b"".join([*pieces, certificates.key_pem(key)]).decode()


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _own(text: str) -> tuple[str, datetime] | None:
    """Return host and end of a certificate that an authority like ours has issued, None if it is another."""
    if "BEGIN CERTIFICATE" not in text:
        return None
    found = x509.load_pem_x509_certificate(text.encode())
    issuer = found.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not issuer or issuer[0].value != NAME:
        return None
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    listed = names.get_values_for_type(x509.DNSName) or [
        str(one) for one in names.get_values_for_type(x509.IPAddress)
    ]
    return listed[0], found.not_valid_after_utc


def _is_by(text: str, authority: x509.Certificate) -> bool:
    try:
        x509.load_pem_x509_certificate(text.encode()).verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
