from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from minikctl.apiserver import jws

KEY = jws.SigningKey(ec.generate_private_key(ec.SECP256R1()))
CLAIMS = {"sub": "me", "aud": ["a"]}


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_was_signed_is_verified() -> None:
    assert KEY.verify(KEY.sign(CLAIMS)) == CLAIMS


def test_others_verify_it_by_the_published_key() -> None:
    key = jwt.PyJWK(KEY.public_jwk())
    token = KEY.sign(CLAIMS)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": KEY.id}
    assert jwt.decode(token, key, algorithms=["ES256"], audience="a") == CLAIMS


def test_every_other_text_is_refused() -> None:
    head, body, signature = KEY.sign(CLAIMS).split(".")
    other = jws.SigningKey(ec.generate_private_key(ec.SECP256R1()))
    changed = encoded({**CLAIMS, "sub": "you"})
    for wrong in (
        "",
        "a.b.c",
        f"{head}.{body}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}",
        f"{head}.{body}.{signature}A",
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{changed}.{signature}",
        f"{encoded({'alg': 'none'})}.{body}.",
        f"{encoded({'alg': 'HS256', 'kid': KEY.id})}.{body}.{signature}",
        other.sign(CLAIMS),
        f"{head}.{body}.é",
    ):
        with pytest.raises(jws.InvalidToken):
            KEY.verify(wrong)
