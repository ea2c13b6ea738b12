"""Endpoints that speak TLS: whom the proxy believes, and how it says who it is (``proxy-ssl-*``)."""

from __future__ import annotations

import re

from minikctl.model.objects import Key
from minikctl.plan import ingress_clients, ingress_values
from minikctl.plan.ingress_options import ServerTls
from minikctl.plan.ingress_routes import Credentials
from minikctl.plan.ingress_values import PREFIX, Bad, Reader

PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
NOBODY = "upstream_balancer"
"""What nginx compares with where no ``proxy-ssl-name`` is given; it is in no certificate."""


def read(found: Reader) -> tuple[ServerTls | None, str]:
    """Return how endpoints are believed, and why none can be."""
    verify = found.read("proxy-ssl-verify", ingress_values.one_of("on", "off"), "") == "on"
    protocols = found.read("proxy-ssl-protocols", _protocols, ("", ""))
    ciphers = found.read("proxy-ssl-ciphers", _ciphers, "")
    depth = found.given("proxy-ssl-verify-depth")
    if not found.has("proxy-ssl-secret"):
        if verify or depth or protocols[0] or ciphers:
            found.wrong(
                "proxy-ssl-secret", "without it nothing that begins with proxy-ssl is done but the name"
            )
        return None, ""
    if depth not in ("", "1"):
        found.wrong("proxy-ssl-verify-depth", "the length of an endpoint's chain is not limited")
    secret = found.read("proxy-ssl-secret", ingress_values.reference, ("", ""))
    if not secret[1]:
        return None, f"{PREFIX}proxy-ssl-secret names no Secret"
    name = found.given("proxy-ssl-name")
    is_told = found.given("proxy-ssl-server-name") == "on"
    if verify and "$" in name and not is_told:
        return (
            None,
            f"{PREFIX}proxy-ssl-name has variables, which are compared with proxy-ssl-server-name only",
        )
    if verify and not name:
        found.wrong("proxy-ssl-verify", f"without proxy-ssl-name a certificate has to be for {NOBODY}")
    told = "" if "$" in name else name if re.fullmatch(r"[\w.*-]+", name) else NOBODY
    return ServerTls(secret, verify, told, protocols, ciphers), ""


def _protocols(text: str) -> tuple[str, str]:
    named = sorted(set(text.split()))
    if not set(named) <= set(PROTOCOLS):
        raise Bad(f"it is some of {', '.join(PROTOCOLS)}")
    between = PROTOCOLS[PROTOCOLS.index(named[0]) : PROTOCOLS.index(named[-1]) + 1]
    if len(between) != len(named):
        raise Bad("those between the oldest and the newest cannot be left out")
    return named[0], named[-1]


def _ciphers(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9+:_!-]+", text):
        raise Bad("it is a list of ciphers")
    return text


def problem(wanted: ServerTls, key: Key, found: Credentials | None) -> str:
    """Return why endpoints cannot be believed as asked for, "" if they can."""
    if found is None:
        return f'{PREFIX}proxy-ssl-secret: Secret "{key[1]}" does not exist'
    if not found.problem and wanted.verify and not found.authorities:
        return f'{PREFIX}proxy-ssl-secret: Secret "{key[1]}" has no ca.crt'
    return found.problem and f"{PREFIX}proxy-ssl-secret: {found.problem}"


def files(wanted: ServerTls, key: Key, found: Credentials) -> dict[str, str]:
    """Return the files that the proxy needs for these endpoints."""
    texts = {"key": found.pem, "ca": found.authorities if wanted.verify else "", "crl": ""}
    texts["crl"] = found.revoked if texts["ca"] else ""
    return {ingress_clients.file(kind, key): text for kind, text in texts.items() if text}


def words(wanted: ServerTls, given: dict[str, str]) -> str:
    """Return what a server's line says of this, beside ``ssl``; ``given`` are its files by kind."""
    found = ["verify required" if wanted.verify else "verify none"]
    found += [f"ca-file {given['ca']}"] if "ca" in given else []
    found += [f"crl-file {given['crl']}"] if "crl" in given else []
    found += [f"crt {given['key']}"] if "key" in given else []
    found += [f"verifyhost {wanted.name}"] if wanted.verify and wanted.name else []
    oldest, newest = (one.replace("TLSv1", "TLSv1.0") if one == "TLSv1" else one for one in wanted.protocols)
    found += [f"ssl-min-ver {oldest} ssl-max-ver {newest}"] if oldest else []
    found += [f"ciphers {wanted.ciphers}"] if wanted.ciphers else []
    return " ".join(found)
