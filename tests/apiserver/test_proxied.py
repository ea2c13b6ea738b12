from __future__ import annotations

from typing import Any

import pytest

from minikctl import errors
from minikctl.apiserver import links, proxied
from minikctl.apiserver.proxied import Location, Named

POD = {
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}]}]},
    "status": {"podIP": "10.1.0.5"},
}
SERVICE = {
    "metadata": {"name": "web"},
    "spec": {"ports": [{"name": "http", "port": 80}, {"name": "x", "port": 81}]},
}
ENDPOINTS = {
    "subsets": [
        {"addresses": [{"ip": "10.1.0.5"}, {"ip": "10.1.0.6"}], "ports": [{"name": "http", "port": 8080}]},
        {"notReadyAddresses": [{"ip": "10.1.0.7"}], "ports": [{"name": "x", "port": 8081}]},
    ]
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", Named("", "web", "")),
        ("web:80", Named("", "web", "80")),
        ("web:", Named("", "web", "")),
        ("https:web:http", Named("https", "web", "http")),
        ("http:web:", Named("http", "web", "")),
    ],
)
def test_names_have_schemes_and_ports(text: str, found: Named) -> None:
    assert proxied.split(text, "pod") == found


@pytest.mark.parametrize("text", ["a:b:c:d", "ftp:web:80", ":80", "http::80"])
def test_names_that_make_no_sense(text: str) -> None:
    with pytest.raises(errors.StatusError, match=f'invalid service request "{text}"') as refused:
        proxied.split(text, "service")
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", Location("http", "10.1.0.5", 8080)),
        ("web:99", Location("http", "10.1.0.5", 99)),
        ("https:web:", Location("https", "10.1.0.5", 8080)),
    ],
)
def test_pods_are_asked_at_their_own_address(text: str, found: Location) -> None:
    assert proxied.of_pod(POD, proxied.split(text, "pod")) == found


def test_a_pod_that_declares_no_port_is_asked_at_the_usual_one() -> None:
    plain: dict[str, Any] = {**POD, "spec": {"containers": [{"name": "a"}]}}
    assert proxied.of_pod(plain, Named("https", "web", "")).authority == "10.1.0.5"
    assert proxied.of_pod(plain, Named("", "web", "")).port == 80


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.1.1", "::1", "", "224.0.0.1", "0.0.0.0"])
def test_addresses_of_the_machine_itself_are_not_asked(address: str) -> None:
    with pytest.raises(errors.StatusError, match="address not allowed"):
        proxied.of_pod({**POD, "status": {"podIP": address}}, Named("", "web", "80"))


def test_the_port_of_a_pod_is_a_number() -> None:
    with pytest.raises(errors.StatusError, match="must be a number"):
        proxied.of_pod(POD, Named("", "web", "http"))


@pytest.mark.parametrize("port", ["http", "80"])
def test_services_lead_to_their_endpoints(port: str) -> None:
    found = [
        proxied.of_service(SERVICE, ENDPOINTS, Named("", "web", port), lambda those, n=n: those[n])  # type: ignore[misc]
        for n in (0, 1)
    ]
    assert found == [Location("http", "10.1.0.5", 8080), Location("http", "10.1.0.6", 8080)]


@pytest.mark.parametrize(
    ("port", "text"),
    [
        ("", 'no endpoints available for service "web"'),
        ("x", 'no endpoints available for service "web"'),
        ("82", 'no service port 82 found for service "web"'),
    ],
)
def test_services_that_lead_nowhere(port: str, text: str) -> None:
    with pytest.raises(errors.StatusError, match=text) as refused:
        proxied.of_service(SERVICE, ENDPOINTS, Named("", "web", port))
    assert refused.value.code == 503


REWRITER = links.Rewriter("/api/v1/namespaces/d/pods/p/proxy", ("10.1.0.5:80", "localhost:8001"))


@pytest.mark.parametrize(
    ("link", "rewritten"),
    [
        ("/a?b=c#d", "/api/v1/namespaces/d/pods/p/proxy/a?b=c#d"),
        ("http://10.1.0.5:80/a", "/api/v1/namespaces/d/pods/p/proxy/a"),
        ("http://localhost:8001/a", "/api/v1/namespaces/d/pods/p/proxy/a"),
        ("/api/v1/namespaces/d/pods/p/proxy/a", "/api/v1/namespaces/d/pods/p/proxy/a"),
        ("a/b", "a/b"),
        ("http://elsewhere/a", "http://elsewhere/a"),
        ("//elsewhere/a", "//elsewhere/a"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_links_lead_through_the_proxy_again(link: str, rewritten: str) -> None:
    assert REWRITER.link(link) == rewritten


def test_pages_are_rewritten_where_addresses_stand() -> None:
    page = '<A class=x HREF=\'/a\'>/a</A><img src="/i" alt="/i"><p href="/p">\n<script src = "/s"></script>'
    p = "/api/v1/namespaces/d/pods/p/proxy"
    wanted = f'<A class=x HREF=\'{p}/a\'>/a</A><img src="{p}/i" alt="/i"><p href="/p">\n<script src = "{p}/s"></script>'
    assert REWRITER.page(page) == wanted
