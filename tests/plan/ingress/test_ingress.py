"""Where requests go, and which Ingresses count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan import (
    ingress,
    ingress_haproxy,
    ingress_routes,
    ingress_secrets,
    ingress_status,
    ingress_values,
)
from minikctl.plan.ingress_routes import Routing
from tests.plan.ingress.cases import OURS, backend, certificate, make, path, routed, rule, view
from tests.plan.proxy.cases import service

A, B, C = "default_a_80", "default_b_80", "default_c_80"


@pytest.mark.parametrize(
    ("paths", "request_path", "wanted"),
    [
        ([path("/", "a")], "/anything", A),
        ([path("/foo", "a", "Exact")], "/foo", A),
        ([path("/foo", "a", "Exact")], "/foo/", "404"),
        ([path("/foo", "a", "Exact")], "/FOO", "404"),
        ([path("/foo", "a")], "/foo", A),
        ([path("/foo", "a")], "/foo/", A),
        ([path("/foo", "a")], "/foo/bar", A),
        ([path("/foo", "a")], "/foobar", "404"),
        ([path("/foo/", "a")], "/foo", A),
        ([path("/aaa/bb", "a")], "/aaa/bbb", "404"),
        ([path("/foo", "a", "ImplementationSpecific")], "/foo/x", A),
        ([path("/", "a"), path("/foo", "b"), path("/foo/bar", "c")], "/foo/bar/x", C),
        ([path("/", "a"), path("/foo", "b"), path("/foo/bar", "c")], "/foo/x", B),
        ([path("/", "a"), path("/foo", "b"), path("/foo/bar", "c")], "/x", A),
        ([path("/foo", "a"), path("/foo", "b", "Exact")], "/foo", B),
        ([{"backend": backend("a")}], "/x", A),
        ([path("/café", "a")], "/caf%C3%A9/x", A),
        ([path("/caf%c3%a9", "a", "Exact")], "/caf%C3%A9", A),
        ([path("/%7Ea%20b", "a", "ImplementationSpecific")], "/~a%20b", A),
        ([path("//a//b", "a", "ImplementationSpecific")], "/a/b", A),
    ],
)
def test_paths(paths: list[Any], request_path: str, wanted: str) -> None:
    assert routed(ingress.routing(view(make("i", rule("h", *paths)))), "h", request_path) == wanted


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("exact.w.hey", A),
        ("any.w.hey", B),
        ("two.labels.w.hey", C),
        ("w.hey", C),
        ("other", C),
    ],
)
def test_hosts(host: str, wanted: str) -> None:
    found = make(
        "i", rule("Exact.w.hey", path("/", "a")), rule("*.w.hey", path("/", "b")), rule("", path("/", "c"))
    )
    assert routed(ingress.routing(view(found)), host, "/") == wanted


def test_a_host_that_is_known_does_not_fall_through_to_others() -> None:
    found = make("i", rule("h", path("/x", "a")), rule("", path("/", "b")))
    assert routed(ingress.routing(view(found)), "h", "/y") == "404"


def test_a_default_backend_takes_what_no_rule_matches() -> None:
    one = make("one", rule("h", path("/x", "a")), defaultBackend=backend("b"))
    two = make("two", defaultBackend=backend("c"), created="2")
    found = ingress.routing(view(two, one))
    assert routed(found, "h", "/x") == A
    assert routed(found, "h", "/y") == B
    assert routed(found, "other", "/") == B
    with_root = make("root", rule("h", path("/", "c")), created="3")
    assert routed(ingress.routing(view(one, with_root)), "h", "/y") == C
    younger = make("own", rule("i", path("/x", "a")), defaultBackend=backend("c"), created="2")
    assert routed(ingress.routing(view(one, younger)), "i", "/y") == C, "its own hosts have its own default"
    note = {"nginx.ingress.kubernetes.io/canary": "true"}
    beside = make("beside", rule("h", path("/x", "c")), defaultBackend=backend("c"), annotations=note)
    only = make("only", rule("h", path("/x", "a")), created="2")
    assert routed(ingress.routing(view(beside, only)), "h", "/y") == "404", "a canary has no default"


def test_of_equal_rules_the_oldest_wins_and_the_others_are_told() -> None:
    old, young = make("z", rule("h", path("/", "a"))), make("a", rule("h", path("/", "b")), created="2")
    found = ingress.routing(view(young, old))
    assert routed(found, "h", "/") == A
    assert [(one.ingress[1], one.reason) for one in found.problems] == [("a", "Conflict")]


@pytest.mark.parametrize(
    ("spec", "annotations", "classes", "wanted"),
    [
        ({"ingressClassName": "minikctl"}, {}, (OURS,), True),
        ({"ingressClassName": "nginx"}, {}, (OURS,), False),
        ({"ingressClassName": "missing"}, {}, (OURS,), False),
        ({}, {}, (OURS,), True),
        ({}, {}, (), False),
        ({}, {}, ({**OURS, "metadata": {"name": "minikctl"}},), False),
        ({}, {ingress.CLASS_ANNOTATION: "minikctl"}, (OURS,), True),
        ({}, {ingress.CLASS_ANNOTATION: "nginx"}, (OURS,), False),
    ],
)
def test_only_ingresses_of_our_class_count(spec: Any, annotations: Any, classes: Any, wanted: bool) -> None:
    found = make("i", rule("h", path("/", "a")), annotations=annotations, **spec)
    assert bool(ingress.routing(view(found, classes=classes)).served) is wanted


def test_an_ingress_under_deletion_or_refused_does_not_count() -> None:
    ending = make("i", rule("h", path("/", "a")))
    ending["metadata"]["deletionTimestamp"] = "x"
    assert ingress.routing(view(ending)) == Routing()
    refused = make("j", rule("h", path("/", "a")))
    assert ingress.routing(view(refused, refused=frozenset({("default", "j")}))) == Routing()


def test_ports_are_found_by_name_or_number() -> None:
    web = service("a", ports=[{"name": "other", "port": 1}, {"name": "http", "port": 80}])
    slices = view(services=[web]).slices
    for piece in slices[("default", "a")]:
        piece["ports"] = [{"name": "http", "port": 8080}, {"name": "other", "port": 1}]
    for wanted in (80, "http"):
        found = make("i", defaultBackend=backend("a", wanted))
        whole = ingress_routes.View((found,), (OURS,), {("default", "a"): web}, slices, {})
        (only,) = ingress.routing(whole).backends.values()
        assert [(target.ip, target.port) for target in only.targets] == [("10.1.0.2", 8080)]


def test_a_headless_service_can_be_routed_to() -> None:
    found = ingress.routing(view(make("i", defaultBackend=backend("a")), services=[service("a", "None")]))
    assert found.backends[A].targets


@pytest.mark.parametrize(
    ("entry", "services", "reason"),
    [
        (path("/", "missing"), None, "ServiceNotFound"),
        ({"path": "/", "backend": backend("a", 81)}, None, "PortNotFound"),
        ({"path": "/", "backend": backend("a", "no")}, None, "PortNotFound"),
        (path("/", "a"), [service("a", "", type="ExternalName", externalName="x")], "UnsupportedBackend"),
        ({"path": "/", "backend": {"resource": {"kind": "Bucket"}}}, None, "UnsupportedBackend"),
        (path("no-slash", "a"), None, "InvalidPath"),
        (path("/with space", "a"), None, "InvalidPath"),
        (path("/100%", "a"), None, "InvalidPath"),
        (path("/x/../a", "a", "ImplementationSpecific"), None, "InvalidPath"),
        (path("/x/.", "a", "ImplementationSpecific"), None, "InvalidPath"),
    ],
)
def test_what_does_not_work_is_told(entry: Any, services: Any, reason: str) -> None:
    one = make("i", rule("h", entry))
    found = ingress.routing(view(one, services=services))
    assert [problem.reason for problem in found.problems] == [reason]
    (event,) = ingress_status.events(found.problems, {("default", "i"): one})
    assert (event.type, event.reason, event.regarding) == ("Warning", reason, one)
    assert ingress_status.events(found.problems, {}) == ()


def test_two_ingresses_that_lead_to_a_service_share_a_backend() -> None:
    one, two = make("one", rule("h", path("/", "a"))), make("two", rule("i", path("/", "a"), path("/x", "a")))
    (only,) = ingress.routing(view(one, two)).backends.values()
    assert only.owners == (("default", "one"), ("default", "two"))


def test_certificates_are_for_their_hosts_or_for_those_of_the_rules() -> None:
    tls = [{"hosts": ["A.hey"], "secretName": "one"}, {"secretName": "two"}, {"hosts": ["x"]}]
    found = make("i", rule("b.hey", path("/", "a")), rule("", path("/", "b")), tls=tls)
    again = make("j", tls=[{"hosts": ["a.hey", "c.hey"], "secretName": "one"}])
    routes = ingress.routing(view(found, again, certificates=[certificate("one"), certificate("two")]))
    assert routes.secrets == {("default", "one"): ("a.hey", "c.hey"), ("default", "two"): ("b.hey",)}
    assert routes.owners[("default", "one")] == (("default", "i"), ("default", "j"))
    assert routes.problems == ()
    assert ingress_secrets.secrets_of([found]) == {("default", "one"), ("default", "two")}


def test_who_names_a_class_that_is_not_there_is_told() -> None:
    lost = make("lost", rule("h", path("/", "a")), ingressClassName="gone")
    found = ingress.routing(view(lost, make("other", rule("h", path("/", "a")), ingressClassName="nginx")))
    words = "there is no IngressClass gone, so nobody serves this; this cluster's own is minikctl"
    assert [(one.reason, one.message) for one in found.problems] == [("ClassNotFound", words)]
    assert found.served == ()
    (told,) = ingress.routing(view(lost, classes=())).problems
    assert told.message == "there is no IngressClass gone, so nobody serves this"
    old = make("old", rule("h", path("/", "a")), annotations={ingress.CLASS_ANNOTATION: "gone"})
    (told,) = ingress.routing(view(old)).problems
    assert "unless a controller goes by the annotation kubernetes.io/ingress.class; this" in told.message
    leaving = {**lost, "metadata": {**lost["metadata"], "deletionTimestamp": "1"}}
    assert ingress.routing(view(leaving)).problems == ()


def test_a_port_that_is_not_there_and_a_rule_that_is_older_are_told_with_what_is_there() -> None:
    ports = [{"port": 80, "name": "http"}, {"port": 81}]
    odd = view(
        make("i", rule("h", {"path": "/", "backend": backend("a", 8080)})),
        services=[service("a", ports=ports)],
    )
    assert (
        ingress.routing(odd).problems[0].message
        == 'Service "a" has no port 8080; its ports are 80 (http), 81'
    )
    one, two = make("one", rule("h", path("/", "a"))), make("two", rule("h", path("/", "b")), created="2")
    told = ingress.routing(view(two, one)).problems[0]
    assert (told.ingress[1], told.message) == ("two", "h/ already leads elsewhere by Ingress default/one")


def test_a_host_shows_the_certificate_of_the_oldest_ingress() -> None:
    """Whatever the Secrets are called, and whatever the keys: a proxy would choose by those."""

    def secured(name: str, created: str, secret: str, *hosts: str) -> Any:
        return make(
            name, rule("h", path("/", "a")), created=created, tls=[{"hosts": hosts, "secretName": secret}]
        )

    held = [certificate(name) for name in ("zz", "aa", "other")]
    older, younger = secured("older", "1", "zz", "h", "i"), secured("younger", "2", "aa", "H", "j")
    found = ingress.routing(view(younger, older, certificates=held))
    assert found.secrets == {("default", "zz"): ("h", "i"), ("default", "aa"): ("j",)}
    told = [one.message for one in found.problems if one.reason == "CertificateUnused"]
    assert told == ['h shows the certificate of an older Ingress, not that of Secret "aa"']
    copied = [certificate("zz"), replace(certificate("aa"), pem=certificate("zz").pem)]
    same = ingress.routing(view(younger, older, certificates=copied))
    assert [one for one in same.problems if one.reason == "CertificateUnused"] == []
    late = secured("late", "3", "other", "h")
    assert ("default", "other") not in ingress.routing(view(older, late, certificates=held)).secrets
    named = secured("named", "0", "other")
    named["spec"]["rules"] = [rule("", path("/", "a"))]
    secrets = ingress.routing(view(older, named, certificates=held)).secrets
    lines = ingress_haproxy.certificate_list(Routing(secrets=secrets)).splitlines()
    assert lines[1:] == ["certs/default_zz.pem h i", "certs/default_other.pem"]


def test_other_names_of_a_host_show_its_certificate() -> None:
    notes = {f"{ingress_values.PREFIX}server-alias": "X.test"}
    tls = [{"hosts": ["h"], "secretName": "one"}, {"hosts": ["z"], "secretName": "two"}]
    one = make("i", rule("h", path("/", "a")), tls=tls, annotations=notes)
    found = ingress.routing(view(one, certificates=[certificate("one"), certificate("two")]))
    assert found.secrets == {("default", "one"): ("h", "x.test"), ("default", "two"): ("z",)}


@pytest.mark.parametrize("certificates", [[], [certificate("one", "tls.key does not belong to tls.crt")]])
def test_a_certificate_that_cannot_be_used_is_told_and_the_rest_works(certificates: Any) -> None:
    one = make("i", rule("h", path("/", "a")), tls=[{"hosts": ["h"], "secretName": "one"}])
    found = ingress.routing(view(one, certificates=certificates))
    assert [problem.reason for problem in found.problems] == ["CertificateUnusable"]
    assert found.secrets == {}
    assert routed(found, "h", "/") == A


def test_the_status_says_where_an_ingress_answers() -> None:
    def shown(name: str, *addresses: str) -> Any:
        return {
            **make(name),
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
        }

    found = [
        shown("new"),
        shown("right", "127.0.1.1"),
        shown("wrong", "127.0.1.2"),
        shown("left", "127.0.1.1"),
    ]
    found.append(shown("foreign", "192.0.2.1"))
    served = [("default", name) for name in ("new", "right", "wrong")]
    changes = {
        obj["metadata"]["name"]: patch["status"]["loadBalancer"]["ingress"]
        for obj, patch in ingress_status.status_changes(found, served, "127.0.1.1")
    }
    assert changes == {"new": [{"ip": "127.0.1.1"}], "wrong": [{"ip": "127.0.1.1"}], "left": None}


def test_the_status_names_the_ports_where_they_are_not_the_usual_ones() -> None:
    entry = {
        "ip": "127.0.1.1",
        "ports": [{"port": 1080, "protocol": "TCP"}, {"port": 1443, "protocol": "TCP"}],
    }
    found = [make("new"), {**make("right"), "status": {"loadBalancer": {"ingress": [entry]}}}]
    served = [("default", "new"), ("default", "right")]
    ((obj, patch),) = ingress_status.status_changes(found, served, "127.0.1.1", (1080, 1443))
    assert obj["metadata"]["name"] == "new"
    assert patch["status"]["loadBalancer"]["ingress"] == [entry]
