"""Pages for errors: what is asked for, which backends there are, and what they say to the proxy."""

from __future__ import annotations

from typing import Any

from minikctl.plan import haproxy, ingress, ingress_annotations, ingress_backends, ingress_haproxy
from minikctl.plan.ingress_pages import INNER, SCRIPT_FILE
from minikctl.plan.ingress_routes import Routing
from minikctl.plan.ingress_values import PREFIX
from tests.plan.ingress.cases import make, path, rule, view
from tests.plan.proxy.cases import service

NAME = "default_a_80:i"


def routed(services: Any = None, **notes: str) -> Routing:
    given = {PREFIX + key.replace("_", "-"): text for key, text in {"default_backend": "b", **notes}.items()}
    return ingress.routing(view(make("i", rule("h", path("/", "a")), annotations=given), services=services))


def said(found: Routing, name: str = NAME) -> list[str]:
    one = found.backends[name]
    slots = haproxy.assign((), one.targets)
    return [line.strip() for line in ingress_backends.render(one, slots, {}).splitlines()]


def test_an_endpoints_own_errors_need_no_hop() -> None:
    found = routed(custom_http_errors="404, 500,404", whitelist_source_range="10.0.0.0/8")
    assert set(found.backends) == {NAME, f"{NAME}:reserve"}
    address = found.backends[NAME].pages
    assert f"http-response lua.error-page 0 {address} default i a 80 if {{ status 404 500 }}" in said(found)
    assert not any("error-page 403" in line for line in said(found))
    assert not any("error-page" in line for line in said(found, f"{NAME}:reserve"))
    assert SCRIPT_FILE in ingress_haproxy.scripts(found)
    assert "frontend hop" not in ingress_haproxy.configuration(found, {}, ingress_haproxy.Place())


def test_the_proxys_own_errors_come_through_a_socket() -> None:
    found = routed(
        custom_http_errors="401,403,503", whitelist_source_range="10.0.0.0/8", upstream_hash_by="$host",
        proxy_read_timeout="7", affinity="cookie",
    )  # fmt: skip
    outer, inner = said(found), said(found, NAME + INNER)
    pages = found.backends[NAME].pages
    at = outer.index("http-request deny deny_status 403 if !allowed")
    assert outer[at - 1] == f"http-request lua.error-page 403 {pages} default i a 80 if !allowed"
    assert outer[-1] == f"server hop unix@{haproxy.SOCKETS}/hop.sock"
    assert "timeout server 3607s" in outer
    assert not any(line.startswith(("balance", "cookie")) for line in outer)
    ours = f"http-request set-header X-Minikctl-Backend {NAME}{INNER}"
    assert outer.index("http-request del-header X-Minikctl- -m beg") < outer.index(ours)
    for line in (
        "balance hash var(txn.hashed)",
        "timeout server 7s",
        "http-request del-header X-Minikctl- -m beg",
    ):
        assert line in inner
    text = ingress_haproxy.configuration(found, dict.fromkeys(found.backends, ()), ingress_haproxy.Place())
    assert "frontend hop" in text
    assert f"{{ nbsrv({NAME}{INNER}) eq 0 }}" in text


def test_what_has_nobody_to_ask_is_told() -> None:
    def told(**notes: str) -> str:
        given = {PREFIX + key.replace("_", "-"): text for key, text in notes.items()}
        return "".join(message for _, message in ingress_annotations.read(given).problems)

    assert "without default-backend" in told(custom_http_errors="404")
    assert "from 300 to 599" in told(custom_http_errors="200", default_backend="b")
    found = routed([service("a"), service("b", clusterIP="None")], custom_http_errors="404")
    assert "has no address to be asked at" in found.problems[0].message
    assert not any("error-page" in line for line in said(found))


def test_headers_come_from_a_configmap_of_the_namespace() -> None:
    def read(maps: Any, named: str = "m") -> Any:
        one = make("i", rule("h", path("/", "a")), annotations={PREFIX + "custom-headers": named})
        return ingress.routing(view(one, maps=maps))

    found = read({("default", "m"): {"data": {"X-A": "it's 5%", "X-B": "b"}}})
    assert "http-after-response set-header X-A 'it'\\''s 5%%'" in said(found)
    for maps, named, words in [
        ({}, "m", 'ConfigMap "m" does not exist'),
        ({("other", "m"): {}}, "other/m", 'ConfigMap "other/m" does not exist'),
        ({("default", "m"): {"data": {"a b": "c"}}}, "m", "a b of ConfigMap"),
        ({("default", "m"): {"data": {"a": "c\nd"}}}, "m", "is no header"),
        ({}, "A", "names no ConfigMap"),
    ]:
        problems = [one.message for one in read(maps, named).problems if one.reason == "Shut"]
        assert words in problems[0]
    assert read({("default", "m"): {}}).problems == ()
