"""Signed tokens: JWS compact serialisation (RFC 7515) with ES256 (RFC 7518) and no other algorithm.

A library would be loaded on the way to the first pod and take longer than all of its start.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

ALGORITHM = "ES256"
_BYTES = 32
"""The length of each of a signature's two numbers, and of a point's coordinates."""
_SIGNING = ec.ECDSA(hashes.SHA256())


class InvalidToken(Exception):
    """The text is no token that the key has signed."""


class SigningKey:
    """A key pair on P-256 that signs and verifies."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self._public = private.public_key()
        encoded = self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = _encode(hashlib.sha256(encoded).digest())
        """The key's id: the hash of its public half, as Kubernetes computes it."""
        self._head = _encode(orjson.dumps({"alg": ALGORITHM, "kid": self.id}))

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a signed token."""
        signed = f"{self._head}.{_encode(orjson.dumps(claims))}"
        r, s = utils.decode_dss_signature(self._private.sign(signed.encode(), _SIGNING))
        return f"{signed}.{_encode(r.to_bytes(_BYTES) + s.to_bytes(_BYTES))}"

    def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that this key has signed; ``InvalidToken`` for all else."""
        head, _, rest = token.partition(".")
        body, _, signature = rest.partition(".")
        if head != self._head:  # another algorithm or key: not ours
            raise InvalidToken
        raw = _decode(signature)
        if len(raw) != 2 * _BYTES:
            raise InvalidToken
        numbers = int.from_bytes(raw[:_BYTES]), int.from_bytes(raw[_BYTES:])
        try:
            self._public.verify(utils.encode_dss_signature(*numbers), f"{head}.{body}".encode(), _SIGNING)
        except InvalidSignature:
            raise InvalidToken from None
        return _claims(body)

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as an entry of a JSON Web Key Set (RFC 7517)."""
        numbers = self._public.public_numbers()
        point = {"x": _encode(numbers.x.to_bytes(_BYTES)), "y": _encode(numbers.y.to_bytes(_BYTES))}
        return {"use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": ALGORITHM, **point}


def _claims(body: str) -> dict[str, Any]:
    try:
        found = orjson.loads(_decode(body))
    except orjson.JSONDecodeError:
        raise InvalidToken from None
    if not isinstance(found, dict):
        raise InvalidToken
    return found


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidToken from None
