"""Endpoints that speak TLS: what is asked for, what is told, and what their lines say."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import haproxy, ingress, ingress_annotations, ingress_backends, ingress_haproxy
from minikctl.plan.ingress_routes import Credentials
from minikctl.plan.ingress_values import PREFIX
from tests.plan.ingress.cases import make, path, rule, view

ALL = {("default", "s"): Credentials("authorities\n", "revoked\n", "own\n")}
OWN = {"http": 80, "https": 443}


def rendered(credentials: Any = None, **notes: str) -> tuple[str, dict[str, str], list[str]]:
    """Return the line of a server, the files, and the reasons of what is told."""
    given = {
        f"{PREFIX}proxy-ssl-{key.replace('_', '-')}": text for key, text in {"secret": "s", **notes}.items()
    }
    one = make("i", rule("h", path("/", "a")), annotations={**given, PREFIX + "backend-protocol": "HTTPS"})
    found = ingress.routing(view(one, credentials=ALL if credentials is None else credentials))
    (backend,) = found.backends.values()
    lines = ingress_backends.render(backend, haproxy.assign((), backend.targets), OWN).splitlines()
    text = ingress_haproxy.configuration(found, {}, ingress_haproxy.Place())
    assert ("ssl crt key-default_s.pem" in text) == ("key-default_s.pem" in backend.files)
    line = next(line for line in lines if line.startswith("  server s1"))
    return line, ingress_haproxy.trust(found), [each.reason for each in found.problems]


@pytest.mark.parametrize(
    ("notes", "words", "files"),
    [
        ({}, "ssl verify none crt key-default_s.pem", {"key"}),
        (
            {"verify": "on", "name": "x.y"},
            "verify required ca-file ca-default_s.pem crl-file",
            {"key", "ca", "crl"},
        ),
        ({"verify": "on", "name": "x.y"}, "crt key-default_s.pem verifyhost x.y alpn", {"key", "ca", "crl"}),
        (
            {"verify": "on", "name": "$host", "server_name": "on"},
            "crt key-default_s.pem alpn",
            {"key", "ca", "crl"},
        ),
        ({"protocols": "TLSv1 TLSv1.1"}, "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.1", {"key"}),
        ({"ciphers": "HIGH:!aNULL"}, "ciphers HIGH:!aNULL", {"key"}),
    ],
)
def test_servers_are_believed_as_asked_for(notes: dict[str, str], words: str, files: set[str]) -> None:
    line, given, problems = rendered(**notes)
    assert words in line
    assert {name.partition("-")[0] for name in given} == files
    assert problems == []


def test_without_a_name_no_certificate_fits() -> None:
    line, _, problems = rendered(verify="on")
    assert "verifyhost upstream_balancer" in line
    assert problems == ["InvalidAnnotation"]


def test_without_usable_authorities_the_ingress_is_shut() -> None:
    for credentials, reasons in [
        ({}, ["Shut"]),
        ({("default", "s"): Credentials(pem="own\n")}, ["Shut"]),
        ({("default", "s"): Credentials(problem="odd")}, ["Shut"]),
    ]:
        _, files, problems = rendered(credentials, verify="on", name="x")
        assert (files, problems) == ({}, reasons)


def test_what_is_not_done_is_told() -> None:
    def told(**notes: str) -> str:
        given = {f"{PREFIX}proxy-ssl-{key.replace('_', '-')}": text for key, text in notes.items()}
        return "".join(message for _, message in ingress_annotations.read(given).problems)

    assert "without it nothing that begins with proxy-ssl" in told(verify="on")
    assert "is not limited" in told(secret="s", verify_depth="2")
    assert "it is some of TLSv1" in told(secret="s", protocols="SSLv3")
    assert "cannot be left out" in told(secret="s", protocols="TLSv1.1 TLSv1.3")
    assert "a list of ciphers" in told(secret="s", ciphers="a b")
    assert told(secret="s", verify_depth="1", verify="off") == ""
