"""Client certificates: whom they prove, what a request for one asks for, and signing it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from minikctl.apiserver.auth import AUTHENTICATED, Credentials, User
from minikctl.model import signing

_SKEW = timedelta(minutes=5)
LONGEST = timedelta(days=365)
_EXTENDED = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}


class NotARequest(Exception):
    """The bytes are no certificate signing request, or its signature is wrong."""


def authenticate(credentials: Credentials) -> User | None:
    """Return the user that the connection's certificate proves: CN is the name, each O is a group."""
    if credentials.certificate is None:
        return None
    subject = x509.load_der_x509_certificate(credentials.certificate).subject
    name = _texts(subject, NameOID.COMMON_NAME)
    if not name:
        return None
    print_ = hashlib.sha256(credentials.certificate).hexdigest()
    extra = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={print_}",)}
    groups = _texts(subject, NameOID.ORGANIZATION_NAME)
    return User(name[0], (*groups, AUTHENTICATED), extra=extra)


def asked(pem: bytes) -> signing.Asked:
    """Return what a PEM request asks for."""
    request = _load(pem)
    names = _names(request)
    found = [*(names or ())]
    dns = tuple(each.value for each in found if isinstance(each, x509.DNSName))
    addresses = tuple(str(each.value) for each in found if isinstance(each, x509.IPAddress))
    common = _texts(request.subject, NameOID.COMMON_NAME)
    groups = _texts(request.subject, NameOID.ORGANIZATION_NAME)
    others = len(found) > len(dns) + len(addresses)
    return signing.Asked(common[0] if common else "", groups, dns, addresses, others)


class Signer:
    """Signs requests with the cluster's authority."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._authority = certificate

    def asked(self, pem: bytes) -> signing.Asked:
        """Return what a PEM request asks for."""
        return asked(pem)

    def sign(self, pem: bytes, usages: Sequence[str], seconds: int, now: datetime) -> bytes:
        """Return the certificate for a PEM request as PEM; it lasts so long, or as long as it may."""
        request = _load(pem)
        lasting = min(timedelta(seconds=seconds), LONGEST) if seconds else LONGEST
        until = min(now + lasting, self._authority.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self._authority.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([_EXTENDED[each] for each in usages if each in _EXTENDED]),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if any(each in usages for each in ("digital signature", "key encipherment")):
            builder = builder.add_extension(_key_usage(usages), critical=True)
        names = _names(request)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _load(pem: bytes) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem)
        if request.is_signature_valid:
            return request
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        pass
    raise NotARequest


def _names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _texts(subject: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(each.value) for each in subject.get_attributes_for_oid(oid))


def _key_usage(usages: Sequence[str]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="digital signature" in usages,
        key_encipherment="key encipherment" in usages,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
