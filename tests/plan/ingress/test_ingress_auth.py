"""Who is asked whether a request may pass, and what the answers lead to."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import haproxy, ingress, ingress_haproxy
from minikctl.plan.ingress_routes import Routing
from minikctl.plan.ingress_values import PREFIX
from tests.plan.ingress.cases import make, path, rule, view
from tests.plan.proxy.cases import service


def routes(*others: Any, **given: str) -> Routing:
    notes = {PREFIX + key.replace("_", "-"): text for key, text in given.items()}
    one = make("i", rule("h.test", path("/", "a")), rule("*.w.test", path("/", "a")), annotations=notes)
    asked = service("b", "10.96.0.10", ports=[{"port": 4180}])
    outside = {
        **service("out", ports=[{"port": 80}]),
        "spec": {"type": "ExternalName", "ports": [{"port": 80}]},
    }
    return ingress.routing(view(one, *others, services=[service("a"), asked, service("c", "None"), outside]))


def configured(found: Routing) -> str:
    slots = {name: haproxy.assign((), each.targets) for name, each in found.backends.items()}
    return ingress_haproxy.configuration(found, slots, ingress_haproxy.Place(http_port=8000))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://$host/oauth2/auth", "get https 127.0.0.1:443 '$host' '/oauth2/auth' ,"),
        ("http://$http_host:8080", "get http 127.0.0.1:8000 '$host:8080' '/' ,"),
        ("http://H.test/auth?x=1", "get http 127.0.0.1:8000 'h.test' '/auth?x=1' ,"),
        ("http://login.w.test/", "get http 127.0.0.1:8000 'login.w.test' '/' ,"),
        ("http://b.default:4180/", "get http 10.96.0.10:4180 'b.default:4180' '/' ,"),
        (
            "http://b.default.svc.cluster.local:4180/",
            "10.96.0.10:4180 'b.default.svc.cluster.local:4180' '/' ,",
        ),
    ],
)
def test_who_is_asked(url: str, words: str) -> None:
    found = routes(auth_url=url)
    assert not found.problems
    text = configured(found)
    assert "  lua-load-per-thread external-auth.lua\n  httpclient.ssl.verify none\n" in text
    assert "  http-request lua.external-auth " in text
    assert f"{words}\n" in text


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"auth_url": "ftp://b.default"}, "is no URL that can be asked"),
        ({"auth_url": "http://b.default/$request_uri"}, "is no URL that can be asked"),
        (
            {"auth_url": "http://b.default:4180", "auth_method": "TRACE"},
            "auth-method: it is one of GET, HEAD, POST",
        ),
        (
            {"auth_url": "http://$host", "auth_signin": "http://$hostname/"},
            "variables of nginx that mean nothing",
        ),
        ({"auth_url": "http://$host", "auth_signin": "nowhere"}, "is no URL"),
        (
            {"auth_url": "http://elsewhere.example"},
            "neither a Service of this cluster nor a host of an Ingress",
        ),
        ({"auth_url": "http://b.other:4180"}, "neither a Service of this cluster nor a host of an Ingress"),
        ({"auth_url": "http://b.default"}, 'Service "b" of namespace default has no address, or no port 80'),
        ({"auth_url": "http://c.default"}, 'Service "c" of namespace default has no address, or no port 80'),
        (
            {"auth_url": "http://out.default"},
            'Service "out" of namespace default has no address, or no port 80',
        ),
    ],
)
def test_who_cannot_be_asked_lets_nobody_pass(given: dict[str, str], why: str) -> None:
    found = routes(**given)
    (problem,) = found.problems
    assert problem.reason == "Shut"
    assert why in problem.message
    assert "status 503" in configured(found)


def test_a_host_of_any_ingress_is_none_that_is_asked_by_name() -> None:
    found = routes(make("any", rule("", path("/", "a"))), auth_url="http://elsewhere.example/")
    assert [one.reason for one in found.problems] == ["Shut"]


@pytest.mark.parametrize(
    ("given", "location"),
    [
        (
            {"auth_signin": "https://$host/start"},
            "https://%[var(txn.host)]/start?rd=%[ssl_fc,iif(https,http)]://%[req.hdr(host)]%[pathq,url_enc]",
        ),
        (
            {"auth_signin": "/start?x=%20", "auth_signin_redirect_param": "to"},
            "/start?x=%%20&to=%[ssl_fc,iif(https,http)]://%[req.hdr(host)]%[pathq,url_enc]",
        ),
        ({"auth_signin": "/start?rd=$request_uri"}, "/start?rd=%[pathq]"),
        (
            {"auth_signin": "https://auth.test?rm=$request_method&rd=${http_x_back}"},
            "https://auth.test?rm=%[method]&rd=%[req.hdr(x-back)]",
        ),
    ],
)
def test_who_is_not_known_is_sent_to_sign_in(given: dict[str, str], location: str) -> None:
    text = configured(routes(auth_url="http://$host/auth", **given))
    assert f"redirect location '{location}' code 302 if {{ var(txn.auth_status) -m int 401 }}\n" in text


def test_headers_of_the_answer_are_passed_on() -> None:
    text = configured(
        routes(auth_url="http://$host/auth", auth_response_headers="X-User, X-Mail", auth_method="POST")
    )
    assert "external-auth post http 127.0.0.1:8000 '$host' '/auth' X-User,X-Mail\n" in text
    wrong = routes(auth_url="http://$host/auth", auth_response_headers="X User")
    assert [one.reason for one in wrong.problems] == ["InvalidAnnotation"]


def test_where_to_go_afterwards_may_be_said() -> None:
    text = configured(routes(auth_url="http://$host/auth", auth_request_redirect="https://$host$uri"))
    line = "http-request set-var-fmt(txn.auth_redirect) 'https://%[var(txn.host)]%[path]'\n"
    assert text.index(line) < text.index("http-request lua.external-auth ")


def test_browsers_ask_before_without_credentials() -> None:
    text = configured(routes(auth_url="http://$host/auth", enable_cors="true"))
    assert text.index("return status 204") < text.index("lua.external-auth")
