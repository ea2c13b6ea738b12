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
from minikctl.plan.ingress_options import Canary, Cookie, Options, Retries
from minikctl.plan.ingress_values import PREFIX
from minikctl.plan.proxy_view import Target
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
        ("upstream_vhost", "$hostname"),
        ("upstream_hash_by", "${nothing}"),
        ("session_cookie_domain", "a.test,b.test"),
        ("proxy_next_upstream", "error http_429"),
        ("proxy_next_upstream", "error non_idempotent"),
        ("proxy_cookie_path", "/a"),
        ("proxy_cookie_path", "/ /; Secure"),
        ("proxy_cookie_path", "~^/a /b"),
        ("proxy_cookie_domain", "a.test $host"),
        ("proxy_redirect_from", "~^http://x"),
        ("proxy_redirect_to", "https://$http_host/"),
        ("proxy_redirect_from", "http://"),
        ("satisfy", "some"),
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
    assert "no such buffers" in found.problems[1][1]
    assert found.shut == ""
    assert "WebSockets are passed on" in read(websocket_services="a").problems[0][1]
    assert "it is proxy-body-size" in read(client_max_body_size="8m").problems[0][1]
    assert "'30': it is 0 here; it is not done" in read(proxy_next_upstream_timeout="30").problems[0][1]
    on = read(ssl_passthrough="true", mirror_target="http://x", proxy_ssl_verify="on")
    assert len(on.problems) == 3
    assert "a LoadBalancer Service passes on" in on.problems[0][1]
    assert "sends a request to one server only" in on.problems[2][1]


def test_annotations_of_other_controllers_are_told() -> None:
    notes = {"haproxy.org/whitelist": "10.0.0.0/8", "cert-manager.io/issuer": "x", "nginx.org/a": "b"}
    found = ingress.routing(view(make("i", rule("h", path("/", "a")), annotations=notes)))
    (problem,) = found.problems
    assert problem.reason == "ForeignAnnotation"
    assert problem.message.startswith(
        "haproxy.org/whitelist, nginx.org/a are annotations of another controller"
    )
    assert "haproxy.org/x is an annotation of" in ingress_annotations.foreign({"haproxy.org/x": ""})


def test_what_is_so_anyway_is_not_told() -> None:
    found = read(
        ssl_passthrough="false", enable_modsecurity="False", enable_rewrite_log="0", proxy_http_version="1.1",
        auth_always_set_cookie="true", preserve_trailing_slash="1", proxy_next_upstream_timeout="0",
        proxy_cookie_path="off", proxy_redirect_from="default", satisfy="all", proxy_body_size=" ", affinity="",
    )  # fmt: skip
    assert found.problems == ()
    assert found.is_plain


@pytest.mark.parametrize(
    ("given", "users", "why"),
    [
        ({"auth_tls_secret": "/"}, None, "auth-tls-secret names no Secret"),
        ({"auth_tls_secret": "x", "auth_tls_match_cn": "ann"}, None, "auth-tls-match-cn cannot be read"),
        ({"proxy_ssl_secret": "A"}, None, "proxy-ssl-secret names no Secret"),
        (
            {"proxy_ssl_secret": "x", "proxy_ssl_verify": "on", "proxy_ssl_name": "$host"},
            None,
            "has variables",
        ),
        ({"whitelist_source_range": "x"}, None, "cannot be read"),
        ({"auth_type": "digest"}, None, "digest is not done"),
        ({"auth_type": 'ba"sic'}, None, "is not done"),
        ({"auth_url": 'http://"'}, None, "is no URL"),
        ({"auth_url": ""}, None, "is no URL"),
        ({"whitelist_source_range": ""}, None, "cannot be read"),
        ({"enable_modsecurity": "true"}, None, "enable-modsecurity is not done"),
        ({"auth_type": "basic", "auth_secret_type": "auth-map"}, None, "no Secret of the Ingress' namespace"),
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
    assert (read(ssl_redirect="True").https, read(force_ssl_redirect="F").https) == ("tls", "")
    assert read(backend_protocol="https").protocol == "HTTPS"
    assert read(proxy_next_upstream_tries="3").retries == Retries((), 2)
    assert read(proxy_next_upstream_tries="0").retries.count == 10
    assert read(proxy_next_upstream="error, timeout").retries.after == (
        "conn-failure empty-response",
        "response-timeout",
    )
    assert read(session_cookie_domain=".A.test", affinity="cookie").cookie == Cookie(domain="A.test")
    assert read(proxy_ssl_name="x").server_name == ""
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
        (
            {"upstream_vhost": "$service_name.${namespace}.svc.cluster.local"},
            "http-request set-header Host 'a.default.svc.cluster.local'",
        ),
        ({"x_forwarded_prefix": "/$ingress_name/$http_x_a$arg_b"},
         "http-request set-header X-Forwarded-Prefix '/i/%[req.hdr(x-a)]%[url_param(b)]'"),
        ({"enable_access_log": "false"}, "  http-request set-log-level silent\n"),
        ({"upstream_hash_by": "$http_x_user-$cookie_sid"},
         "http-request set-var-fmt(txn.hashed) '%[req.hdr(x-user)]-%[req.cook(sid)]'"),
        ({"upstream_hash_by": "${http_x_user}-a%"}, "set-var-fmt(txn.hashed) '%[req.hdr(x-user)]-a%%'"),
        ({"upstream_hash_by": "$remote_addr", "load_balance": "ewma"},
         "  balance hash var(txn.hashed)\n  hash-type consistent\n"),
        ({"proxy_next_upstream": "error http_502"}, "  retry-on conn-failure empty-response 502\n"),
        ({"proxy_next_upstream": "off", "proxy_next_upstream_tries": "3"}, "  retry-on none\n  retries 0\n"),
        ({"proxy_next_upstream_tries": "1"}, "  retries 0\n"),
        ({"proxy_cookie_path": "/ /app/;"},
         "replace-header Set-Cookie '^(?i:(.*;\\s*path=))(?:/)(.*)$' '\\1/app/\\2'"),
        ({"proxy_cookie_domain": ".in.test out.test"},
         "replace-header Set-Cookie '^(?i:(.*;\\s*domain=)\\.?)(?i:in\\.test)(\\s*(?:;.*)?)$' '\\1out.test\\2'"),
        ({"proxy_redirect_from": "http://", "proxy_redirect_to": "$scheme://$host/"},
         "replace-header Location '^(?i:())(?:http://)(.*)$' '\\1%[ssl_fc,iif(https,http)]://%[var(txn.host)]/\\2'"),
        ({"proxy_redirect_from": "/a", "proxy_redirect_to": "/b"},
         "replace-header Refresh '^(?i:(.*url=))(?:/a)(.*)$' '\\1/b\\2'"),
        ({"backend_protocol": "HTTPS", "proxy_ssl_server_name": "on", "proxy_ssl_name": "x"},
         "ssl verify none alpn http/1.1,h2 sni var(txn.server_name)"),
        ({"proxy_ssl_server_name": "on"}, "http-request set-var-fmt(txn.server_name) '%[var(txn.host)]'"),
        ({"limit_rps": "1", "limit_whitelist": "10.0.0.0/8"}, "  http-request track-sc0 src if !free\n"),
        ({"affinity": "cookie", "session_cookie_domain": "x.test"}, "attr 'Domain=x.test'"),
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


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({"upstream_vhost": "x"}, ["http-request set-header Host 'x'"]),
        ({"load_balance": "round_robin"}, ["balance roundrobin"]),
        ({"load_balance": "ewma"}, ["balance leastconn"]),
        ({"upstream_vhost": "x", "ssl_redirect": "true"}, ["http-request set-header Host 'x'"]),
        ({"proxy_read_timeout": "3600"}, ["timeout server 3600s"]),
        ({"affinity": "cookie", "session_cookie_path": "/"},
         ["dynamic-cookie-key 'minikctl'",
          "cookie 'INGRESSCOOKIE' insert indirect nocache httponly dynamic attr 'Path=/'"]),
    ],
)  # fmt: skip
def test_nothing_else_is_said_in_the_backend(given: dict[str, str], lines: list[str]) -> None:
    text = rendered(annotated(**given)).split("backend default_a_80:i\n")[1].partition("\n\n")[0]
    said = [line.strip() for line in text.splitlines()]
    assert [line for line in said if line and not line.startswith("server ")] == lines


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


BASIC = {"auth_type": "basic", "auth_secret": "s", "satisfy": "any"}
USERS = {("default", "s"): [("tim", HASH)]}


def test_who_comes_from_near_need_not_sign_in() -> None:
    """As with nginx, what one guard refuses another may let pass: who is denied can sign in."""
    near = {"whitelist_source_range": "10.0.0.0/8", "denylist_source_range": "10.1.0.0/16"}
    text = rendered(annotated(**BASIC, **near), users=USERS)
    assert "set-var(txn.near) bool(true) if allowed !denied\n" in text
    assert "deny_status 403" not in text
    assert "!{ var(txn.known) -m bool } !{ var(txn.near) -m bool }\n" in text
    allowed = rendered(annotated(**BASIC, whitelist_source_range="10.0.0.0/8"), users=USERS)
    assert "set-var(txn.near) bool(true) if allowed\n" in allowed
    denied = rendered(annotated(**BASIC, denylist_source_range="10.0.0.0/8"), users=USERS)
    assert "txn.near" not in denied
    assert "deny_status 403" not in denied


def test_without_signing_in_ranges_count_alone() -> None:
    assert "deny_status 403" in rendered(annotated(satisfy="any", whitelist_source_range="10.0.0.0/8"))


def test_one_of_two_ways_to_sign_in_is_not_enough() -> None:
    found = read([("tim", HASH)], auth_url="http://$host/", **BASIC)
    assert not found.any_guard
    assert "all of them have to let pass" in found.problems[0][1]
    asked = rendered(annotated(auth_url="http://$host/", satisfy="any", whitelist_source_range="10.0.0.0/8"))
    assert "http-request lua.external-auth get http 127.0.0.1:80 '$host' '/' , if !{ var(txn.near)" in asked


def test_users_may_be_the_keys_of_a_secret() -> None:
    def held(**data: str) -> Any:
        return {"data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}}

    one = annotated(auth_type="basic", auth_secret="s", auth_secret_type="auth-map")
    lines = annotated(auth_type="basic", auth_secret="s")
    secrets = {("default", "s"): held(tim=HASH, auth="x:y")}
    assert ingress_secrets.users([one], secrets) == {("default", "s"): (("auth", "x:y"), ("tim", HASH))}
    assert ingress_secrets.users([lines], secrets) == {("default", "s"): (("x", "y"),)}
    assert ingress_secrets.users([one], {("default", "s"): held()}) == {}
    assert ingress_secrets.users([one, make("plain")], {}) == {}


def test_a_service_may_be_used_by_its_own_address() -> None:
    found = ingress.routing(view(annotated(service_upstream="true"), services=[service("a", ip="10.96.0.9")]))
    assert found.backends["default_a_80:i"].targets == (Target("10.96.0.9", 80),)
    headless = service("a", ip="None")
    found = ingress.routing(view(annotated(service_upstream="true"), services=[headless]))
    assert found.backends["default_a_80:i"].targets == (Target("10.1.0.2", 8080),)


def test_another_service_answers_while_there_is_no_endpoint() -> None:
    one = annotated(default_backend="b", denylist_source_range="10.0.0.0/8", affinity="cookie")
    found = ingress.routing(view(one))
    assert found.reserves == {"default_a_80:i": "default_a_80:i:reserve"}
    slots = {name: haproxy.assign((), each.targets) for name, each in found.backends.items()}
    text = ingress_haproxy.configuration(found, slots, ingress_haproxy.Place())
    here = "{ var(txn.backend) -m str default_a_80:i } { nbsrv(default_a_80:i) eq 0 }"
    assert f"http-request set-var(txn.backend) str(default_a_80:i:reserve) if {here}\n" in text
    own = text.split("backend default_a_80:i:reserve\n")[1].split("backend ")[0]
    assert "deny_status 403" in own
    assert "10.1.0.3:8080" in own
    assert "cookie " not in own
    for line in ("X-Code 503", "X-Namespace 'default'", "X-Ingress-Name 'i'", "X-Service-Name 'a'",
                 "X-Service-Port '80'", "X-Format %[req.hdr(accept)]"):  # fmt: skip
        assert f"http-request set-header {line}\n" in own
    for services in ([service("a")], [service("a"), {**service("b"), "spec": {"type": "ClusterIP"}}]):
        found = ingress.routing(view(one, services=services))
        assert (found.reserves, [each.reason for each in found.problems]) == ({}, ["InvalidAnnotation"])


def test_a_canary_has_the_same_reserve() -> None:
    beside = make(
        "c", rule("h", path("/", "c")), annotations={PREFIX + "canary": "true", PREFIX + "canary-weight": "5"}
    )
    found = ingress.routing(view(annotated(default_backend="b"), beside))
    assert len(found.reserves) == 3
    assert {found.backends[own].targets for own in found.reserves.values()} == {(Target("10.1.0.3", 8080),)}


def external(host: str, **port: Any) -> Any:
    spec = {"type": "ExternalName", "externalName": host, "ports": [{"port": 80, **port}] if port else []}
    return {"metadata": {"namespace": "default", "name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("one", "targets", "reason"),
    [
        (external("b.default.svc.cluster.local"), (Target("10.96.0.9", 80),), ""),
        (external("B.default.svc."), (Target("10.96.0.9", 80),), ""),
        (external("b.default", targetPort=80), (Target("10.96.0.9", 80),), ""),
        (external("b.default", name="x", targetPort="web"), (Target("10.96.0.9", 80),), ""),
        (external("c.default"), (Target("10.1.0.4", 8080),), ""),
        (external("b.default", targetPort=81), (), "PortNotFound"),
        (external("b.other"), (), "UnsupportedBackend"),
        (external("a.default"), (), "UnsupportedBackend"),
        (external("example.com"), (), "UnsupportedBackend"),
        (external("www.example.com"), (), "UnsupportedBackend"),
    ],
)
def test_an_external_name_leads_to_services_of_the_cluster(one: Any, targets: Any, reason: str) -> None:
    services = [one, service("b", ip="10.96.0.9"), service("c", ip="None")]
    found = ingress.routing(view(make("i", rule("h", path("/", "a"))), services=services))
    assert found.backends["default_a_80"].targets == targets
    assert [each.reason for each in found.problems] == ([reason] if reason else [])


@pytest.mark.parametrize(("more", "count"), [({}, 1), ({"affinity-canary-behavior": "legacy"}, 0)])
def test_who_is_not_kept_at_a_canary_is_told(more: dict[str, str], count: int) -> None:
    notes = {"canary": "true", "canary-weight": "5", **more}
    beside = make(
        "c", rule("h", path("/", "c")), annotations={PREFIX + key: text for key, text in notes.items()}
    )
    found = ingress.routing(view(annotated(affinity="cookie"), beside))
    assert ["not kept there" in one.message for one in found.problems] == [True] * count
