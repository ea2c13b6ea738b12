"""Annotations: what they ask for, what is told, and how it is said to the proxy."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from minikctl.plan import (
    haproxy,
    ingress,
    ingress_annotations,
    ingress_backends,
    ingress_haproxy,
    ingress_routes,
    ingress_secrets,
)
from minikctl.plan.ingress_annotations import PREFIX
from minikctl.plan.ingress_options import Canary, Cookie, Options
from tests.plan.ingress.cases import make, path, rule, view
from tests.plan.proxy.cases import service

HASH = "$5$salt$x"


def read(users: Any = None, **given: str) -> Options:
    return ingress_annotations.read(
        {PREFIX + key.replace("_", "-"): text for key, text in given.items()}, users
    )


OWN = {"http": 80, "https": 443}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ssl_redirect", "yes"),
        ("proxy_body_size", "8 apples"),
        ("proxy_buffer_size", "257k"),
        ("proxy_read_timeout", "soon"),
        ("app_root", "start"),
        ("permanent_redirect", "https://$hostname/"),
        ("permanent_redirect", "https://h/$"),
        ("canary_by_header_pattern", "("),
        ("canary_by_header_pattern", "}"),
        ("canary_by_header_value", "}"),
        ("permanent_redirect", "a b"),
        ("permanent_redirect_code", "200"),
        ("backend_protocol", "FCGI"),
        ("load_balance", "magic"),
        ("session_cookie_name", "a b"),
        ("session_cookie_path", "/;"),
        ("upstream_vhost", 'a"b'),
        ("upstream_vhost", "$host"),
        ("proxy_read_timeout", "2147484"),
        ("proxy_body_size", "9999999999g"),
        ("server_alias", "*"),
        ("server_alias", "a.test b.test"),
        ("server_alias", "~^www[0-9]"),
        ("server_alias", "a.test, #b"),
    ],
)
def test_a_bad_value_is_told_and_counts_as_absent(name: str, text: str) -> None:
    found = read(**{name: text})
    assert [reason for reason, _ in found.problems] == ["InvalidAnnotation"]
    assert found.is_plain


def test_what_is_not_known_is_told() -> None:
    found = read(proxy_buffers_number="8", configuration_snippet="x")
    assert [reason for reason, _ in found.problems] == ["UnsupportedAnnotation"] * 2
    assert "raw configuration" in found.problems[0][1]
    assert found.shut == ""


@pytest.mark.parametrize(
    ("given", "users", "why"),
    [
        ({"auth_tls_secret": "x"}, None, "auth-tls-secret is not done"),
        ({"whitelist_source_range": "x"}, None, "cannot be read"),
        ({"auth_type": "digest"}, None, "digest is not done"),
        ({"auth_type": "basic"}, None, "no Secret of the Ingress"),
        ({"auth_type": "basic"}, [("tim", "{SHA}x")], "no user"),
    ],
)
def test_what_would_let_in_too_many_shuts_the_ingress(given: dict[str, str], users: Any, why: str) -> None:
    found = read(users, **given)
    assert why in found.shut
    one = ingress_routes.Backend("b", options=found)
    assert "status 503" in ingress_backends.render(one, (None,), OWN)


def test_values_are_understood() -> None:
    assert read(limit_rps="2").rate == 10
    assert read(limit_rpm="60", limit_burst_multiplier="1").rate_seconds == 60
    both = read(limit_rps="1", limit_rpm="1")
    assert both.rate_seconds == 5
    assert both.problems
    assert read(proxy_body_size="1k").body_limit == 1024
    assert read(temporal_redirect="/x", permanent_redirect="/y").code == 302
    assert read(affinity="cookie", session_cookie_expires="9").cookie == Cookie(max_age=9)
    both_ages = read(affinity="cookie", session_cookie_expires="9", session_cookie_max_age="8")
    assert (both_ages.cookie, both_ages.problems) == (Cookie(max_age=8), ())
    assert read(proxy_buffering="off", proxy_request_buffering="off").problems == ()
    assert len(read(proxy_buffering="on").problems) == 1
    assert read(canary="true", canary_weight="7").canary == Canary(weight=7)
    assert read(canary="true", canary_by_header_pattern="^x").canary == Canary(pattern="^x")
    assert (read(ssl_redirect="true").https, read(force_ssl_redirect="true").https) == ("tls", "always")
    assert read(server_alias="a.test, *.b.test").aliases == ("a.test", "*.b.test")
    assert read(proxy_read_timeout="2147483", proxy_body_size="1g").problems == ()
    users = [("tim", HASH), ("old", "{SHA}x")]
    found = read(users, auth_type="basic", auth_secret="s")
    assert (found.users, found.shut) == ((("tim", HASH),), "")
    assert "users old are refused" in found.problems[0][1]


def rendered(one: Any, **more: Any) -> str:
    found = ingress.routing(view(one, services=[service("a")], **more))
    slots = {name: haproxy.assign((), each.targets) for name, each in found.backends.items()}
    return ingress_haproxy.configuration(found, slots, ingress_haproxy.Place())


def annotated(*rules: Any, **given: str) -> Any:
    notes = {PREFIX + key.replace("_", "-"): text for key, text in given.items()}
    return make("i", *(rules or [rule("h", path("/", "a"))]), annotations=notes)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"denylist_source_range": "10.0.0.0/8"}, "acl denied src 10.0.0.0/8\n  http-request deny deny_status 403 if denied"),
        ({"allowlist_source_range": "10.0.0.1"}, "acl allowed src 10.0.0.1/32\n  http-request deny deny_status 403 if !allowed"),
        ({"limit_connections": "3"}, "deny_status 503 if { sc_conn_cur(0) gt 3 }"),
        ({"limit_rps": "3"}, "{ sc_http_req_rate(0) gt 15 }"),
        ({"proxy_body_size": "1m"}, "  filter lua.body-limit 1048576\n"),
        ({"proxy_body_size": "1m"}, "deny_status 413 if { req.body_size gt 1048576 }"),
        ({"force_ssl_redirect": "true"}, "redirect scheme https code 308 if !{ ssl_fc }"),
        ({"permanent_redirect": "/a%b"}, "redirect location '/a%%b' code 301"),
        ({"app_root": "/x"}, "redirect location '/x' code 302 if { path / }"),
        ({"enable_cors": "true"}, "return status 204 if { var(txn.origin) -m found } METH_OPTIONS { req.hdr(origin) -m found }"),
        ({"enable_cors": "true"}, "http-request set-var(txn.origin) str(*)\n"),
        ({"enable_cors": "true", "cors_allow_origin": "https://x,http://*.y.z:8"},
         "{ req.fhdr(origin) -m reg -i '^(https://x|http://[A-Za-z0-9-]+\\.y\\.z:8)$' }"),
        ({"permanent_redirect": "https://new$request_uri"}, "redirect location 'https://new%[pathq]' code 301"),
        ({"temporal_redirect": "/x", "temporal_redirect_code": "307"}, "redirect location '/x' code 307"),
        ({"proxy_read_timeout": "7200"}, "timeout tunnel 7200s"),
        ({"rewrite_target": "/x"}, "http-request set-path '/x'"),
        ({"upstream_vhost": "x"}, "http-request set-header Host 'x'"),
        ({"x_forwarded_prefix": "/p"}, "http-request set-header X-Forwarded-Prefix '/p'"),
        ({"upstream_hash_by": "$request_uri"}, "hash-type consistent"),
        ({"load_balance": "ewma"}, "balance leastconn"),
        ({"proxy_connect_timeout": "3"}, "timeout connect 3s"),
        ({"proxy_send_timeout": "3"}, "timeout server 3s"),
        ({"backend_protocol": "GRPCS"}, "ssl verify none alpn h2"),
        ({"backend_protocol": "HTTPS"}, "ssl verify none alpn http/1.1,h2"),
        (
            {"affinity": "cookie", "session_cookie_path": "/p", "session_cookie_samesite": "Lax",
             "session_cookie_secure": "true", "session_cookie_max_age": "5"},
            "dynamic secure attr 'Max-Age=5' attr 'Path=/p' attr 'SameSite=Lax'",
        ),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_said_in_the_backend(given: dict[str, str], line: str) -> None:
    text = rendered(annotated(**given))
    assert line in text.split("backend default_a_80:i\n")[1]


def test_a_cookie_is_for_the_path_that_leads_to_its_endpoints() -> None:
    """Elsewhere a browser would be given another, or change it at each request to another Service."""
    sticky = {PREFIX + "affinity": "cookie"}
    paths = path("/", "a"), path("/api/", "b"), path("/x", "c"), path("/y", "c", "Exact")
    found = ingress.routing(view(make("i", rule("h", *paths), annotations=sticky)))
    cookies = {name: one.options.cookie.path for name, one in found.backends.items() if one.options.cookie}
    assert cookies == {"default_a_80:i": "/", "default_b_80:i": "/api", "default_c_80:i": "/"}
    chosen = {**sticky, PREFIX + "use-regex": "true"}
    regex = ingress.routing(
        view(make("i", rule("h", path("/v[0-9]", "a", "ImplementationSpecific")), annotations=chosen))
    )
    assert [one.options.cookie for one in regex.backends.values()] == [Cookie(path="/")]
    foreign = ingress.routing(view(make("i", rule("h", path("/a'b", "a")), annotations=sticky)))
    assert [one.options.cookie for one in foreign.backends.values()] == [Cookie(path="/")]
    named = {**sticky, PREFIX + "session-cookie-path": "/p"}
    own = ingress.routing(view(make("i", rule("h", path("/q", "a")), annotations=named)))
    assert [one.options.cookie for one in own.backends.values()] == [Cookie(path="/p")]
    canary = {PREFIX + "canary": "true", **sticky}
    beside = ingress.routing(
        view(make("m", rule("h", path("/q", "a"))), make("i", rule("h", path("/q", "b")), annotations=canary))
    )
    assert Cookie(path="/q") in [one.options.cookie for one in beside.backends.values()]


def test_users_have_a_list_of_their_own() -> None:
    one = annotated(auth_type="basic", auth_secret="s")
    text = rendered(one, users={("default", "s"): [("tim", HASH)]})
    assert f"userlist users_default_a_80:i\n  user tim password '{HASH}'\n" in text
    assert "if !{ http_auth(users_default_a_80:i) } " in text


def test_expressions_of_a_host_are_tried_longest_first() -> None:
    one = annotated(
        rule("h", path("/a", "a", "ImplementationSpecific"), path("/abc(.*)", "a", "ImplementationSpecific")),
        rule("*.w", path("/abcdefghijkl", "a")),
        rule("", path("/abcdefghijklmnopq", "a")),
        rule("h", path("/e", "a", "Exact"), path("/(", "a"), path('/"', "a")),
        rewrite_target="/$1",
    )
    found = ingress.routing(view(one, services=[service("a")]))
    assert {key.partition("(?i)")[0] for key in found.regexes} == {"^h", "^\\*\\.w", "^\\*"}
    own = [key for key in found.regexes if key.startswith("^h")]
    assert own == ["^h(?i)/abc(.*)", "^h(?i)/a"]
    assert list(found.exact) == ["h/e"]
    assert [problem.reason for problem in found.problems] == ["InvalidPath", "InvalidPath"]
    text = rendered(one)
    assert "http-request replace-path '^(?i)/abc(.*).*$' '/\\1'" in text
    assert text.index("exact.map") < text.index("expressions-0.map") < text.index("prefixes.map")


def test_a_canary_has_what_the_ingress_beside_it_asks_for() -> None:
    """Else its guards could be gone round by a header."""
    guards = {"auth-type": "basic", "rewrite-target": "/$1", "load-balance": "ewma"}
    own = {"canary": "true", "canary-by-header": "X", "affinity": "cookie", "denylist-source-range": "::/0"}

    def noted(name: str, notes: dict[str, str], *paths: Any) -> Any:
        return make(name, rule("h", *paths), annotations={PREFIX + key: text for key, text in notes.items()})

    main = noted("main", guards, path("/x(.*)", "a", "ImplementationSpecific"))
    found = ingress.routing(view(main, noted("c", own, path("/x(.*)", "b"))))
    (route,) = found.canaries
    primary, other = found.backends[route.primary], found.backends[route.backend]
    assert other.options.shut == primary.options.shut
    assert "names no Secret" in other.options.shut
    assert (other.pattern, other.options.rewrite, other.options.deny) == ("/x(.*)", "/$1", ())
    assert (other.options.balance, other.options.cookie) == ("", Cookie(path="/"))
    assert (other.owners, len(other.targets)) == ((("default", "c"),), 1)
    assert set(found.regexes.values()) == {route.primary}
    bucket = {"path": "/x(.*)", "backend": {"resource": {"kind": "Bucket"}}}
    assert ingress.routing(view(main, noted("c", own, bucket))).canaries == ()
    plain = noted("main", {}, path("/", "a"))
    gone = ingress.routing(
        view(plain, noted("c", {"canary": "true"}, {"path": "/", "backend": bucket["backend"]}))
    )
    assert gone.canaries == ()


def test_prefixes_of_a_host_with_expressions_stand_among_them() -> None:
    """The longest path counts, whichever Ingress it is of, as with ingress-nginx."""
    notes = {PREFIX + "rewrite-target": "/$1"}
    whole = make("whole", rule("h", path("/(.*)", "a", "ImplementationSpecific")), annotations=notes)
    part = make("part", rule("h", path("/api/v1/", "b"), path("/a", "b")), rule("h2", path("/api", "b")))
    found = ingress.routing(view(whole, part))
    assert list(found.regexes) == ["^h/api/v1(?:/|$)", "^h(?i)/(.*)"]
    assert found.prefixes["h/a/"] == "default_b_80"
    assert {found.regex_hosts[key] for key in found.regexes} == {"h"}
    assert found.prefixes["h2/api/"] == "default_b_80"


def test_a_host_with_and_without_www_is_one() -> None:
    notes = {PREFIX + "from-to-www-redirect": "true"}
    one = make("i", rule("a.test", path("/", "a")), rule("www.b.test", path("/", "a")), annotations=notes)
    two = make("j", rule("c.test", path("/", "a")), rule("www.c.test", path("/", "b")), annotations=notes)
    three = make("k", rule("*.d.test", path("/", "a")), rule("", path("/", "a")), annotations=notes)
    found = ingress.routing(view(one, two, three))
    assert {"www.a.test", "b.test"} < found.hosts
    assert "www.*.d.test" not in found.hosts
    assert found.backends[found.prefixes["b.test/"]].options == Options(
        location="$scheme://www.b.test$request_uri", code=308
    )
    assert found.prefixes["www.c.test/"] == "default_b_80"
    assert found.problems == ()


def test_a_canary_stands_beside_its_primary_only() -> None:
    notes = {
        PREFIX + "canary": "true",
        PREFIX + "canary-weight": "5",
        PREFIX + "canary-by-header": "X",
        PREFIX + "canary-by-cookie": "c",
    }
    main = make("main", rule("h", path("/", "a"), path("/x", "a")))
    first = make("c1", rule("h", path("/", "b")), annotations=notes)
    second = make(
        "c2", rule("h", path("/", "c")), annotations={**notes, PREFIX + "canary-by-header-value": "v"}
    )
    found = ingress.routing(view(main, first, second))
    primary = found.prefixes["h/"]
    assert primary.startswith("default_a_80.")
    assert found.prefixes["h/x/"] == "default_a_80"
    assert [(one.primary, one.backend) for one in found.canaries] == [
        (primary, "default_b_80"),
        (primary, "default_c_80"),
    ]
    lines = "\n".join(ingress_haproxy.lookups(found))
    assert "{ req.hdr(X) -m str always }" in lines
    assert "{ req.hdr(X) -m str -- 'v' }" in lines
    assert "{ rand(100) lt 5 } !{ req.hdr(X) -m str never } !{ req.cook(c) -m str never }" in lines
    alone = ingress.routing(view(first))
    assert [problem.reason for problem in alone.problems] == ["NoPrimary"]


@pytest.mark.parametrize(
    ("protocol", "words"), [("kubernetes.io/h2c", "proto h2"), ("kubernetes.io/wss", "ssl verify none")]
)
def test_the_services_protocol_counts_unless_an_annotation_says_otherwise(protocol: str, words: str) -> None:
    spoken = service("a", ports=[{"port": 80, "appProtocol": protocol}])
    one = make("i", rule("h", path("/", "a")))
    found = ingress.routing(view(one, services=[spoken]))
    assert words in ingress_backends.render(found.backends["default_a_80"], (None,), OWN)


def test_hosts_with_certificates_of_our_own() -> None:
    one = make("i", rule("a.localhost"), rule("b.test"), tls=[{}, {"hosts": ["c.test"]}])
    assert ingress_secrets.local_hosts([one]) == {"a.localhost", "b.test", "c.test"}
    secret = make("i", rule("a.localhost"), tls=[{"hosts": ["a.localhost"], "secretName": "s"}])
    assert ingress_secrets.local_hosts([secret]) == frozenset()
    issued = {("", "a.localhost"): ingress_routes.Certificate(("", "a.localhost"), "pem")}
    made = view(make("i", rule("a.localhost", path("/", "a"))), certificates=issued.values())
    assert ingress.routing(made).secrets == {("", "a.localhost"): ("a.localhost",)}


def test_users_are_read_from_their_own_namespace_only() -> None:
    given = {PREFIX + "auth-type": "basic", PREFIX + "auth-secret": "other/s"}
    assert ingress_annotations.secret_of(given, "default") is None
    assert ingress_annotations.secret_of({**given, PREFIX + "auth-secret": "default/s"}, "default") == (
        "default",
        "s",
    )
    assert ingress_secrets.user_secrets_of([annotated(auth_type="basic", auth_secret="s")]) == {
        ("default", "s")
    }
    data = {"auth": base64.b64encode(b"tim:x\n\n").decode()}
    assert ingress_secrets.users_of({"data": data}) == (("tim", "x"),)
    assert ingress_secrets.users_of({}) is None


def test_a_refusal_is_traced_to_the_line_it_names() -> None:
    one = annotated(app_root="/x")
    found = ingress.routing(view(one, services=[service("a")]))
    text = ingress_haproxy.render(found, {}, "pem", {}, ingress_haproxy.Place())
    number = text.files[haproxy.CONFIG].splitlines().index("backend default_a_80:i") + 2
    assert haproxy.culprits(f"parsing [x.cfg:{number}] : bad", text) == {("default", "i")}
    assert haproxy.culprits("parsing [x.cfg:0] : bad", text) == frozenset()


def test_redirects_have_the_code_that_is_asked_for() -> None:
    found = read(permanent_redirect="https://x/", permanent_redirect_code="308")
    assert found.problems == ()
    assert "308" in ingress_backends.render(ingress_routes.Backend("b", options=found), (None,), OWN)


def test_what_is_wrong_with_annotations_is_told_of_the_ingress() -> None:
    found = ingress.routing(view(annotated(ssl_redirect="yes", auth_type="digest"), services=[service("a")]))
    assert [problem.reason for problem in found.problems] == ["InvalidAnnotation", "Shut"]
    assert found.problems[1].message.startswith("every request is refused with 503: ")


@pytest.mark.parametrize(
    ("wanted", "conditions"),
    [
        (Canary(header="X"), ["{ req.hdr(X) -m str always }"]),
        (Canary(header="X", value="v"), ["{ req.hdr(X) -m str -- 'v' }"]),
        (Canary(header="X", pattern="^v"), ["{ req.fhdr(X) -m reg -- '^v' }"]),
        (Canary(cookie="c"), ["{ req.cook(c) -m str always }"]),
        (Canary(weight=5), ["{ rand(100) lt 5 }"]),
        (Canary(), []),
    ],
)
def test_a_canary_may_go_by_one_thing_alone(wanted: Canary, conditions: list[str]) -> None:
    route = ingress_routes.CanaryRoute("a", "b", wanted)
    found = [
        line.partition(" if { var(txn.backend) -m str a } ")[2] for line in ingress_backends.canary(route)
    ]
    assert found == conditions
