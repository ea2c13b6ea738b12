"""Certificates of clients: which hosts ask for them, in which lines, and what is told."""

from __future__ import annotations

from typing import Any

from minikctl.plan import ingress, ingress_annotations, ingress_clients, ingress_haproxy, ingress_secrets
from minikctl.plan.ingress_routes import Credentials, Routing
from minikctl.plan.ingress_values import PREFIX
from tests.plan.ingress.cases import certificate, make, path, rule, view

ONE = {("default", "ca"): Credentials("authorities\n", "revoked\n")}


def guarded(name: str, *rules: Any, created: str = "1", spec: Any = None, **notes: str) -> Any:
    found = {
        f"{PREFIX}auth-tls-{key.replace('_', '-')}": text for key, text in {"secret": "ca", **notes}.items()
    }
    return make(name, *rules, annotations=found, created=created, **(spec or {}))


def routed(*ingresses: Any, credentials: Any = None, **more: Any) -> Routing:
    return ingress.routing(view(*ingresses, credentials=ONE if credentials is None else credentials, **more))


def frontend(found: Routing) -> str:
    return "\n".join(ingress_haproxy.lookups(found))


def test_each_name_that_is_shown_asks_by_the_rule_of_its_host() -> None:
    found = routed(
        guarded(
            "w",
            rule("*.w", path("/", "a")),
            spec={"tls": [{"hosts": ["x.w", "own.w", "*.w"], "secretName": "s"}]},
        ),
        guarded("h", rule("h", path("/", "a")), rule("h.x", path("/", "a")), verify_depth="3"),
        make("own", rule("own.w", path("/", "a"))),
        certificates=[certificate("s")],
    )
    asked = "[ca-file ca-default_ca.pem verify optional crl-file crl-default_ca.pem]"
    assert ingress_haproxy.certificate_list(found).splitlines() == [
        "default.pem",
        f"default.pem {asked} h",
        f"default.pem {asked} h.x",
        f"certs/default_s.pem {asked} x.w *.w",
        "certs/default_s.pem own.w",
    ]
    assert {one.name for one in found.guards.values()} == {found.guards["h"].name, found.guards["*.w"].name}
    files = ingress_haproxy.trust(found)
    assert files["ca-default_ca.pem"] == "authorities\n"
    assert files[ingress_clients.MAP].splitlines()[0] == f"*.w {found.guards['*.w'].name}"
    assert "chain-length -m int gt 3" in frontend(found)
    assert "map_str(wildcards.map)" in frontend(found)


def test_the_default_backend_is_guarded_for_all_that_no_rule_matches() -> None:
    backend = {"service": {"name": "a", "port": {"number": 80}}}
    found = routed(
        guarded("d", spec={"defaultBackend": backend, "rules": []}), make("o", rule("o", path("/o", "b")))
    )
    name = found.guards["*"].name
    assert found.default_guard == name
    assert f"set-var(txn.guard) str({name}) if !{{ var(txn.backend) -m found }}" in frontend(found)
    assert ingress_haproxy.certificate_list(found).startswith("default.pem [ca-file")
    found = routed(
        guarded("d", rule("", path("/", "a")), spec={"tls": [{"secretName": "s"}]}),
        certificates=[certificate("s")],
    )
    assert ingress_haproxy.certificate_list(found).splitlines()[1].startswith("certs/default_s.pem [ca-file")


def test_without_authorities_the_host_is_shut_for_all_ingresses() -> None:
    other = make("o", rule("h", path("/o", "b")))
    for credentials, words in [
        ({}, 'Secret "ca" does not exist'),
        ({("default", "ca"): Credentials()}, 'Secret "ca" has no ca.crt'),
        ({("default", "ca"): Credentials(problem="is odd")}, "is odd"),
    ]:
        found = routed(guarded("h", rule("h", path("/", "a"))), other, credentials=credentials)
        assert [(one.reason, words in one.message) for one in found.problems] == [("Shut", True)]
        assert "return status 503 content-type text/plain string" in frontend(found)
        assert "[" not in ingress_haproxy.certificate_list(found)
    found = routed(guarded("h", rule("h", path("/", "a")), match_cn="("), other)
    assert [one.reason for one in found.problems] == ["InvalidAnnotation", "Shut"]
    assert found.guards["h"].problem
    found = routed(guarded("h", rule("h", path("/", "a")), secret="elsewhere/ca"))
    assert 'Secret "elsewhere/ca" does not exist' in found.problems[0].message


def test_the_oldest_ingress_says_how_a_host_asks() -> None:
    old, new = (
        guarded("a", rule("h", path("/", "a"))),
        guarded("b", rule("h", path("/b", "b")), verify_depth="2"),
    )
    found = routed(old, new)
    assert found.guards["h"].clients.depth == 1
    assert "as Ingress default/a says" in found.problems[0].message
    assert routed(old, guarded("b", rule("h", path("/b", "b")))).problems == ()


def test_what_asks_for_no_certificates_is_told() -> None:
    def told(**notes: str) -> list[str]:
        given = {f"{PREFIX}auth-tls-{key}": text for key, text in notes.items()}
        return [message for _, message in ingress_annotations.read(given).problems]

    assert "without it no certificates are asked for" in told(**{"verify-client": "on"})[0]
    assert told(secret="ca", **{"verify-client": "off"}) == []
    assert "it is a URL" in told(secret="ca", **{"error-page": "/x"})[0]
    assert "has CN= in it" in told(secret="ca", **{"match-cn": "ann"})[0]


def test_lines_for_modes_and_pages() -> None:
    found = frontend(
        routed(
            guarded(
                "a", rule("a", path("/", "a")), verify_client="optional", error_page="https://x/?u=$host"
            ),
            guarded("b", rule("b", path("/", "a")), verify_client="optional_no_ca", match_cn="CN=b"),
            guarded("c", rule("c", path("/", "a")), pass_certificate_to_upstream="true"),
        )
    )
    assert "redirect location 'https://x/?u=%[var(txn.host)]' code 302 if" in found
    assert "!{ ssl_c_verify 18 19 20 21 }" in found
    assert "-m reg -- 'CN=b' }" in found
    assert found.count("redirect scheme https") == 1
    assert found.count("ssl-client-cert ") == 1


def test_secrets_that_say_whom_to_believe() -> None:
    both = make("b", annotations={PREFIX + "proxy-ssl-secret": "p", PREFIX + "auth-tls-secret": "default/c"})
    wanted = ingress_secrets.credentials_of([both, make("none")])
    assert wanted == {("default", "p"), ("default", "c")}


def test_other_authorities_need_a_reload() -> None:
    place, structures = ingress_haproxy.Place(), []
    for text in ("authorities\n", "others\n"):
        found = routed(
            guarded("h", rule("h", path("/", "a"))), credentials={("default", "ca"): Credentials(text)}
        )
        structures.append(ingress_haproxy.render(found, {}, "", {}, place).structure)
    # It forgets all sessions, so that nobody goes on with a certificate that counts no more.
    assert structures[0] != structures[1]


def test_configmaps_with_headers() -> None:
    named = make("b", annotations={PREFIX + "custom-headers": "default/m"})
    assert ingress_secrets.maps_of([named, make("none")]) == {("default", "m")}
