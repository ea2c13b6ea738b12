"""Certificates for Ingress: those of Secrets, checked, and one of our own for all other names."""

from __future__ import annotations

import base64
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.ingress_routes import Certificate, Credentials
from minikctl.runtime.clock import Clock

VALID_DAYS = 3650
NAME = "minikctl Ingress default certificate"


def from_secret(secret: Object) -> Certificate:
    """Return the Secret's certificate, or why it cannot be used."""
    key = objects.key(secret)
    data = secret.get("data") or {}
    try:
        chain = base64.b64decode(data["tls.crt"], validate=True)
        private = base64.b64decode(data["tls.key"], validate=True)
    except KeyError as error:
        return Certificate(key, "", f'Secret "{key[1]}" has no {error.args[0]}')
    except ValueError:
        return Certificate(key, "", f'Secret "{key[1]}" is not base64')
    problem = _mismatch(chain, private)
    if problem:
        return Certificate(key, "", f'Secret "{key[1]}": {problem}')
    return Certificate(key, (chain.rstrip() + b"\n" + private.rstrip() + b"\n").decode())


def credentials(secret: Object) -> Credentials:
    """Return whom a Secret says to believe, and the certificate with its key if it has one."""
    name, data = objects.name(secret), secret.get("data") or {}
    try:
        texts = {key: base64.b64decode(data.get(key) or "", validate=True) for key in ("ca.crt", "ca.crl")}
    except ValueError:
        return Credentials(problem=f'Secret "{name}" is not base64')
    try:
        authorities = x509.load_pem_x509_certificates(texts["ca.crt"]) if texts["ca.crt"] else []
        if texts["ca.crl"]:
            x509.load_pem_x509_crl(texts["ca.crl"])
    except ValueError:
        return Credentials(problem=f'Secret "{name}": ca.crt or ca.crl is not PEM')
    own = from_secret(secret) if data.get("tls.crt") or data.get("tls.key") else None
    if own is not None and own.problem:
        return Credentials(problem=own.problem)
    pem = serialization.Encoding.PEM
    return Credentials(
        "".join(one.public_bytes(pem).decode() for one in authorities),
        texts["ca.crl"].decode(errors="replace"),
        own.pem if own else "",
    )


def _mismatch(chain: bytes, private: bytes) -> str:
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError):
        return "tls.crt is not a PEM certificate"
    try:
        key = serialization.load_pem_private_key(private, password=None)
    except (ValueError, TypeError):
        return "tls.key is not a PEM private key without password"
    if _raw(key.public_key()) != _raw(leaf.public_key()):
        return "tls.key does not belong to tls.crt"
    return ""


def _raw(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def self_signed(clock: Clock) -> str:
    """Return a new certificate with its key that no client trusts: what is shown for names without one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()
