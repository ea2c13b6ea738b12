"""Annotations of ingress-nginx on an Ingress, each by real requests."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.e2e.site import Site, annotated, ingress, opened, path, rule
from tests.e2e.test_network import NAMESPACE, meta, self_signed, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def hashed(kind: str, password: str) -> str:
    argv = ["openssl", "passwd", kind, password]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    with opened(cluster, ingress("main", rule("one.test", path("/", "a")))) as made:
        yield made


CHUNKED = ("-H", "Transfer-Encoding: chunked")
SIMPLE: list[tuple[str, dict[str, str], str, tuple[str, ...], int, str]] = [
    ("redirect", {"permanent-redirect": "https://new.test/"}, "/", (), 301, "location: https://new.test/"),
    (
        "moved",
        {"permanent-redirect": "http://new.test/", "permanent-redirect-code": "308"},
        "/",
        (),
        308,
        "location: http://new.test/",
    ),
    (
        "whole",
        {"permanent-redirect": "https://new.test$request_uri"},
        "/p?q=1",
        (),
        301,
        "location: https://new.test/p?q=1",
    ),
    (
        "pieces",
        {"temporal-redirect": "$scheme://$host.new$uri$is_args$args", "temporal-redirect-code": "307"},
        "/p?q=1",
        (),
        307,
        "location: http://pieces.test.new/p?q=1",
    ),
    ("temporal", {"temporal-redirect": "http://t.test/x"}, "/", (), 302, "location: http://t.test/x"),
    ("approot", {"app-root": "/start"}, "/", (), 302, "location: /start"),
    ("forced", {"force-ssl-redirect": "true"}, "/p?q=1", (), 308, "location: https://forced.test/p?q=1"),
    ("sslonly", {"ssl-redirect": "true"}, "/", (), 200, ""),
    ("bodysize", {"proxy-body-size": "1k"}, "/", ("-d", "x" * 2000), 413, ""),
    ("largehead", {"proxy-buffer-size": "64k"}, "/head/60000", (), 200, ""),
    ("smallbody", {"proxy-body-size": "1m"}, "/", ("-d", "x" * 2000), 200, ""),
    ("chunked", {"proxy-body-size": "40k"}, "/", (*CHUNKED, "-d", "x" * 40961), 413, ""),
    ("smallchunked", {"proxy-body-size": "40k"}, "/", (*CHUNKED, "-d", "x" * 40960), 200, ""),
    ("allow", {"whitelist-source-range": "192.0.2.0/24"}, "/", (), 403, ""),
    ("allowed", {"allowlist-source-range": "0.0.0.0/0"}, "/", (), 200, ""),
    ("deny", {"denylist-source-range": "0.0.0.0/0"}, "/", (), 403, ""),
    ("timeout", {"proxy-read-timeout": "1"}, "/slow", (), 504, ""),
    ("sendtimeout", {"proxy-send-timeout": "1"}, "/slow", (), 504, ""),
    ("longer", {"proxy-read-timeout": "1", "proxy-send-timeout": "30"}, "/slow", (), 200, ""),
    ("authurl", {"auth-url": "http://nobody.example"}, "/", (), 503, ""),
    ("badrange", {"whitelist-source-range": "nonsense"}, "/", (), 503, ""),
    (
        "cors",
        {"enable-cors": "true", "cors-allow-origin": "https://a.test"},
        "/",
        ("-H", "Origin: https://a.test"),
        200,
        "access-control-allow-origin: https://a.test",
    ),
    (
        "corslabel",
        {"enable-cors": "true", "cors-allow-origin": "http://x.test, https://*.a.test"},
        "/",
        ("-H", "Origin: https://b.a.test"),
        200,
        "access-control-allow-origin: https://b.a.test",
    ),
    (
        "corsall",
        {"enable-cors": "true"},
        "/",
        ("-H", "Origin: https://b.test"),
        200,
        "access-control-allow-origin: *",
    ),
    (
        "corsother",
        {"enable-cors": "true", "cors-allow-credentials": "false", "cors-expose-headers": "X-One"},
        "/",
        ("-H", "Origin: https://a.test"),
        200,
        "access-control-expose-headers: x-one",
    ),
    (
        "corsage",
        {"enable-cors": "true", "cors-max-age": "60", "cors-allow-headers": "X-Two"},
        "/",
        ("-X", "OPTIONS", "-H", "Origin: https://a.test"),
        204,
        "access-control-max-age: 60",
    ),
    (
        "preflight",
        {"enable-cors": "true", "cors-allow-methods": "GET, PUT"},
        "/",
        ("-X", "OPTIONS", "-H", "Origin: https://b.test"),
        204,
        "access-control-allow-methods: get, put",
    ),
]


@pytest.mark.parametrize(
    ("name", "annotations", "target", "words", "status", "header"), SIMPLE, ids=[s[0] for s in SIMPLE]
)
def test_annotations(
    site: Site,
    name: str,
    annotations: dict[str, str],
    target: str,
    words: tuple[str, ...],
    status: int,
    header: str,
) -> None:
    site.apply(annotated(name, annotations))
    site.settled(name)
    found, _, head = site.ask(f"{name}.test", target, *words)
    assert found == status, head
    assert header in head.lower()


def test_paths_are_rewritten(site: Site) -> None:
    site.apply(
        annotated("rewrite", {"rewrite-target": "/$2"}, path("/app(/|$)(.*)", "a", "ImplementationSpecific")),
        annotated("flat", {"rewrite-target": "/fixed"}, path("/any", "b")),
        annotated(
            "regex", {"use-regex": "true"}, path("/v[0-9]+/x", "c", "ImplementationSpecific"), path("/", "d")
        ),
    )
    site.settled("regex")
    assert site.ask("rewrite.test", "/app/one/two?q=1")[1]["path"] == "/one/two?q=1"
    assert site.ask("rewrite.test", "/app")[1]["path"] == "/"
    assert site.ask("flat.test", "/any/thing")[1]["path"] == "/fixed"
    assert [site.to("regex.test", path) for path in ("/v12/x", "/V1/x", "/vv/x")] == ["c", "c", "d"]
    site.apply(ingress("among", rule("regex.test", path("/v1/x/longer", "b"))))
    site.settled("among")
    eventually(lambda: site.to("regex.test", "/v1/x/longer/still") == "b")


def test_the_host_and_a_prefix_may_be_set_and_other_names_given(site: Site) -> None:
    more = {"upstream-vhost": "inner.test", "x-forwarded-prefix": "/out", "server-alias": "alias.test"}
    site.apply(annotated("vhost", more))
    site.settled("vhost")
    for host in ("vhost.test", "alias.test"):
        headers = site.ask(host)[1]["headers"]
        assert (headers["host"], headers["x-forwarded-prefix"]) == ("inner.test", "/out")


def test_basic_auth(site: Site) -> None:
    long = "a password of more than one block"
    listed = {"tim": hashed("-5", "secret"), "ann": hashed("-apr1", "secret"), "bob": hashed("-apr1", long)}
    text = "".join(f"{name}:{one}\n" for name, one in listed.items())
    users = base64.b64encode(text.encode()).decode()
    site.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta("users"), "data": {"auth": users}},
        annotated("auth", {"auth-type": "basic", "auth-secret": "users", "auth-realm": "Here"}),
        annotated("nobody", {"auth-type": "basic", "auth-secret": "missing"}),
    )
    site.settled("nobody")
    status, _, head = site.ask("auth.test")
    assert status == 401
    assert 'basic realm="here"' in head.lower()
    assert site.ask("auth.test", "/", "-u", "tim:wrong")[0] == 401
    assert site.ask("auth.test", "/", "-X", "OPTIONS")[0] == 401
    for user, password in (("tim", "secret"), ("ann", "secret"), ("bob", long), ("bob", long)):
        assert site.to("auth.test", "/", "-u", f"{user}:{password}") == "a"
        assert site.ask("auth.test", "/", "-u", f"{user}:{password}.")[0] == 401
    assert site.ask("auth.test", "/", "-u", "ann:")[0] == 401
    assert site.ask("nobody.test")[0] == 503
    eventually(lambda: "Shut" in site.reasons("nobody"))
    assert "GET http://auth.test/ -> 401" in site.cluster.out("why", "ingress/auth", "-n", NAMESPACE)


def test_a_canary_leads_around_no_guard(site: Site) -> None:
    site.apply(
        annotated("guard", {"denylist-source-range": "0.0.0.0/0"}),
        ingress(
            "open",
            rule("guard.test", path("/", "b")),
            annotations={"canary": "true", "canary-by-header": "X"},
        ),
    )
    site.settled("open")
    assert [site.ask("guard.test", "/", "-H", f"X: {one}")[0] for one in ("never", "always")] == [403, 403]


GATEKEEPER = """
import http.server
class Gatekeeper(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        known, asked = self.headers.get("Cookie"), self.headers["X-Original-URL"]
        self.send_response(403 if asked.endswith("/forbidden") else 202 if known else 401)
        self.send_header("Content-Length", "0")
        self.send_header("X-User", f"{known} {self.headers['X-Original-Method']} {asked}")
        self.send_header("Set-Cookie", "seen=yes")
        self.send_header("Set-Cookie", "more=too")
        self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
print("ready", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 4180), Gatekeeper).serve_forever()
"""


def test_another_server_says_who_may_pass(site: Site) -> None:
    """Asked at its Service, and through the Ingress itself, as oauth2-proxy is set up."""
    ports = [{"port": 4180, "targetPort": 4180}]
    shared = {"auth-response-headers": "X-User"}
    through = {"auth-url": "https://$host/oauth2/auth", "auth-signin": "https://$host/oauth2/start"}
    site.apply(
        service("gatekeeper", "d", ports=ports),
        annotated(
            "guarded", {"auth-url": f"http://gatekeeper.{NAMESPACE}.svc.cluster.local:4180/", **shared}
        ),
        annotated("login", {**through, **shared}),
        ingress("oauth", rule("login.test", path("/oauth2", "gatekeeper", port=4180))),
    )
    site.settled("oauth")
    with site.inside(GATEKEEPER, pod="d") as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            eventually(
                lambda: site.ask("guarded.test", "/x")[0] not in (500, 503)
            )  # once there are endpoints
            eventually(lambda: site.ask("login.test", "/x")[0] not in (500, 503))
            status, _, head = site.ask("guarded.test", "/x")
            assert (status, "www-authenticate: bearer" in head.lower()) == (401, True)
            status, _, head = site.ask("login.test", "/x?a=b")
            assert status == 302
            assert (
                "location: https://login.test/oauth2/start?rd=http://login.test%2Fx%3Fa%3Db\n" in head + "\n"
            )
            for name in ("guarded", "login"):
                words = ("-b", "who=tim", "-H", "X-User: root", "-H", "X_User: root", "-d", "body")
                status, said, head = site.ask(f"{name}.test", "/x", *words)
                assert "x_user" not in said["headers"]
                assert (status, said["size"], said["verb"]) == (200, 4, "POST")
                assert said["headers"]["x-user"] == f"who=tim POST http://{name}.test/x"
                assert "set-cookie: seen=yes" in head.lower()
                assert "set-cookie: more=too" in head.lower()
                assert site.ask(f"{name}.test", "/forbidden", "-b", "who=tim")[0] == 403
        finally:
            server.kill()
    eventually(lambda: site.ask("guarded.test", "/x", "-b", "who=tim")[0] == 500)


def test_a_cookie_keeps_the_endpoint(site: Site) -> None:
    both = service("both", ports=[{"port": 80, "targetPort": 8080}])
    both["spec"]["selector"] = {"pair": "yes"}
    site.apply(
        both,
        annotated("cookie", {"affinity": "cookie", "session-cookie-name": "sid"}, path("/", "both")),
    )
    site.cluster.run("label", "pod", "a", "b", "pair=yes", "-n", NAMESPACE)
    site.settled("cookie")
    eventually(lambda: len({site.to("cookie.test") for _ in range(8)}) == 2)
    _, said, head = site.ask("cookie.test", "/some/page")
    assert "path=/;" in head.lower() or "path=/\n" in head.lower()
    (cookie,) = [
        line.split(": ")[1].split(";")[0]
        for line in head.splitlines()
        if line.lower().startswith("set-cookie: sid=")
    ]
    assert {site.to("cookie.test", "/", "-b", cookie) for _ in range(8)} == {said["pod"]}


def test_a_canary_by_header_cookie_and_weight(site: Site) -> None:
    site.apply(
        ingress("main", rule("can.test", path("/", "a"), path("/other", "a"))),
        ingress(
            "canary",
            rule("can.test", path("/", "b")),
            annotations={
                "canary": "true",
                "canary-by-header": "X-Try",
                "canary-by-cookie": "try",
                "canary-weight": "50",
            },
        ),
        annotated("lonely", {"canary": "true", "canary-weight": "50"}),
    )
    site.settled("lonely")
    assert {site.to("can.test", "/", "-H", "X-Try: always") for _ in range(5)} == {"b"}
    assert {site.to("can.test", "/", "-H", "X-Try: never") for _ in range(5)} == {"a"}
    assert {site.to("can.test", "/", "-b", "try=always") for _ in range(5)} == {"b"}
    assert {site.to("can.test") for _ in range(20)} == {"a", "b"}
    assert {site.to("can.test", "/other") for _ in range(10)} == {"a"}
    eventually(lambda: "NoPrimary" in site.reasons("lonely"))


def test_rates_are_limited(site: Site) -> None:
    site.apply(annotated("rate", {"limit-rps": "1", "limit-burst-multiplier": "3"}))
    site.settled("rate")
    seconds = 3  # a burst is three times what may come in a second, and is counted over as many seconds

    def burst() -> list[int] | None:
        """Return what six requests are answered that come within the time, the first after a time without any."""
        begun, found = time.monotonic(), [site.ask("rate.test")[0] for _ in range(6)]
        if time.monotonic() - begun < seconds:
            return found
        time.sleep(2 * seconds)
        return None

    assert eventually(burst) == [200] * 3 + [503] * 3


def test_what_is_not_done_is_told_and_the_rest_is_served(site: Site) -> None:
    site.apply(
        annotated(
            "odd", {"configuration-snippet": "deny all;", "proxy-buffers-number": "8", "limit-rps": "many"}
        )
    )
    site.settled("odd")
    assert site.to("odd.test") == "a"
    eventually(lambda: {"UnsupportedAnnotation", "InvalidAnnotation"} <= site.reasons("odd"))


def test_https_is_asked_for_where_the_ingress_has_it(site: Site) -> None:
    site.apply(annotated("secured", {"ssl-redirect": "true"}, tls=[{"hosts": ["secured.test"]}]))
    site.settled("secured")
    status, _, head = site.ask("secured.test", "/p?q=1")
    assert (status, "location: https://secured.test/p?q=1" in head.lower()) == (308, True)
    assert site.ask("secured.test", "/", scheme="https")[0] == 200


def test_an_origin_that_may_not_ask_is_not_named(site: Site) -> None:
    site.apply(annotated("origin", {"enable-cors": "true", "cors-allow-origin": "https://a.test"}))
    site.settled("origin")
    status, _, head = site.ask("origin.test", "/", "-H", "Origin: https://b.test")
    assert (status, "access-control" in head.lower()) == (200, False)


def test_an_endpoint_that_does_not_answer_is_given_up_after_the_time_to_connect(site: Site) -> None:
    nobody = site.field("pod", "a")["status"]["podIP"].rpartition(".")[0] + ".250"
    nowhere = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta("nowhere"), "labels": {"kubernetes.io/service-name": "nowhere"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [nobody]}],
    }
    site.apply(service("nowhere", ""), nowhere)
    site.apply(
        annotated("soon", {"proxy-connect-timeout": "1"}, path("/", "nowhere")),
        ingress("late", rule("late.test", path("/", "nowhere"))),
    )
    site.settled("late")
    # Until the endpoint is known, the answer comes at once.
    eventually(lambda: _seconds(lambda: site.ask("soon.test")) > 0.9)
    taken = {}
    for name in ("soon", "late"):
        taken[name] = _seconds(lambda: site.ask(f"{name}.test")[0] == 503)  # noqa: B023
    assert taken["soon"] < taken["late"] - 2


def _seconds(holds: Callable[[], Any]) -> float:
    """Return how long it took to hold."""
    begun = time.monotonic()
    assert holds()
    return time.monotonic() - begun


TLS = """
import http.server, ssl, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"over TLS")
server = http.server.HTTPServer(("0.0.0.0", 8443), Answer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def serving_tls(site: Site, folder: Path) -> Iterator[None]:
    """Have pod a serve TLS with a certificate that nobody knows."""
    self_signed(folder, "inner.test")
    files = [str(folder / f"inner.test.{kind}") for kind in ("crt", "key")]
    with site.inside(TLS, *files, pod="a") as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            server.kill()


def test_the_endpoint_may_speak_tls(site: Site, tmp_path: Path) -> None:
    by_name = {"name": "secure", "port": 443, "targetPort": 8443, "appProtocol": "https"}
    site.apply(
        service("inner", "a", ports=[{"name": "plain", "port": 444, "targetPort": 8443}, by_name]),
        annotated("inner", {"backend-protocol": "HTTPS"}, path("/", "inner", port="plain")),
        ingress("byname", rule("byname.test", path("/", "inner", port="secure"))),
    )
    site.settled("byname")
    with serving_tls(site, tmp_path):
        for host in ("inner.test", "byname.test"):
            eventually(lambda: site.ask(host)[0] != 503)  # noqa: B023 - once there are endpoints
            assert site.ask(host)[:2] == (200, "over TLS")


def test_the_cookie_is_as_asked_for(site: Site) -> None:
    asked = {"path": "/p", "samesite": "Strict", "secure": "true", "max-age": "60", "name": "sid"}
    more = {f"session-cookie-{key}": text for key, text in asked.items()}
    site.apply(annotated("cookies", {"affinity": "cookie", **more}))
    site.settled("cookies")
    (line,) = [
        line
        for line in site.ask("cookies.test")[2].splitlines()
        if line.lower().startswith("set-cookie: sid=")
    ]
    assert all(word in line for word in ("Path=/p", "SameSite=Strict", "Secure", "Max-Age=60", "HttpOnly"))


def test_a_canary_by_a_headers_value_and_by_a_share_of_its_own_total(site: Site) -> None:
    by_value = {"canary": "true", "canary-by-header": "X-Region", "canary-by-header-value": "north"}
    by_share = {"canary": "true", "canary-weight": "1", "canary-weight-total": "2"}
    site.apply(
        ingress("primary", rule("value.test", path("/", "a")), rule("share.test", path("/", "a"))),
        ingress("value", rule("value.test", path("/", "b")), annotations=by_value),
        ingress("share", rule("share.test", path("/", "c")), annotations=by_share),
    )
    site.settled("share")
    found = [site.to("value.test", "/", "-H", f"X-Region: {one}") for one in ("north", "south", "always")]
    assert found == ["b", "a", "a"]
    seen = [site.to("share.test") for _ in range(40)]
    assert 5 <= seen.count("c") <= 35
    assert set(seen) == {"a", "c"}


def test_connections_and_requests_in_a_minute_are_limited(site: Site) -> None:
    site.apply(
        annotated("few", {"limit-connections": "1"}),
        annotated("free", {"limit-rpm": "1", "limit-burst-multiplier": "1", "limit-whitelist": "0.0.0.0/0"}),
        annotated("minute", {"limit-rpm": "2", "limit-burst-multiplier": "1"}),
    )
    site.settled("minute")
    argv = ["curl", "-s", "-m", "10", "--resolve", f"few.test:80:{site.address}", "http://few.test/slow"]

    def second_is_refused() -> bool:
        """Ask while a slow request is on its way; it may be too late, or be the one that is refused."""
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as first:
            refused = False
            while not refused and first.poll() is None:
                refused = site.ask("few.test")[0] == 503
            said, _ = first.communicate()
        return refused and said.startswith("{") and json.loads(said)["pod"] == "a"

    eventually(second_is_refused)
    eventually(lambda: site.ask("few.test")[0] == 200)
    assert [site.ask("minute.test")[0] for _ in range(4)] == [200, 200, 503, 503]
    assert [site.ask("free.test")[0] for _ in range(4)] == [200] * 4


def test_requests_are_spread_as_asked_for(site: Site) -> None:
    every = service("every", ports=[{"port": 80, "targetPort": 8080}])
    every["spec"]["selector"] = {"every": "yes"}
    site.apply(
        every,
        annotated("hashed", {"upstream-hash-by": "$request_uri"}, path("/", "every")),
        annotated("client", {"upstream-hash-by": "$remote_addr"}, path("/", "every")),
        annotated("byuser", {"upstream-hash-by": "$http_x_user", "rewrite-target": "/"}, path("/", "every")),
        annotated("least", {"load-balance": "ewma"}, path("/", "every")),
    )
    site.cluster.run("label", "pod", "c", "d", "every=yes", "-n", NAMESPACE)
    site.settled("least")
    paths = [f"/{number}" for number in range(12)]
    for host in ("least", "hashed"):
        eventually(lambda: {site.to(f"{host}.test", one) for one in paths} == {"c", "d"})  # noqa: B023
    eventually(lambda: site.to("client.test") in "cd")
    eventually(
        lambda: {site.to("byuser.test", "/", "-H", f"X-User: {one}") for one in "stuvwxyz"} == {"c", "d"}
    )
    first = [site.to("hashed.test", one) for one in paths]
    assert set(first) == {"c", "d"}
    assert [site.to("hashed.test", one) for one in paths] == first
    assert len({site.to("client.test", one) for one in paths}) == 1
    known = {
        name: {site.to("byuser.test", "/", "-H", f"X-User: {name}") for _ in range(3)} for name in "stuvwxyz"
    }
    assert all(len(pods) == 1 for pods in known.values())
    assert set().union(*known.values()) == {"c", "d"}


def test_the_class_may_be_named_by_the_older_annotation(site: Site) -> None:
    found = {}
    for name, wanted in (("ours", "minikctl"), ("second", "second"), ("theirs", "nginx")):
        found[name] = ingress(name, rule(f"{name}.test", path("/", "b")))
        found[name]["metadata"]["annotations"] = {"kubernetes.io/ingress.class": wanted}
    controllers = {"second": "minikctl.dev/ingress", "nginx": "k8s.io/ingress-nginx"}
    site.apply(
        *(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": name},
                "spec": {"controller": controller},
            }
            for name, controller in controllers.items()
        ),
        *found.values(),
        ingress("third", rule("third.test", path("/", "c")), ingressClassName="second"),
        ingress("fourth", rule("fourth.test", path("/", "c")), ingressClassName="nginx"),
    )
    for name in ("ours", "second", "third"):
        site.settled(name)
    hosts = ("ours", "second", "theirs", "third", "fourth")
    assert [site.to(f"{name}.test") for name in hosts] == ["b", "b", "404", "c", "404"]
    for name in ("theirs", "fourth"):
        assert not site.field("ingress", name)["status"].get("loadBalancer")


ANSWERS = """
import http.server
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        code = self.headers.get("X-Code")
        self.send_response(int(code) if code else 302)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "http://inner.test/next")
        self.send_header("Set-Cookie", "a=b; Path=/in/x; HttpOnly; domain=.IN.test; Secure")
        self.send_header("Set-Cookie", "c=d; path=/out; Domain=not.in.test")
        self.send_header("X-Seen", f"{self.headers['Host']} {self.headers.get('X-Service-Name')} {self.path}")
        self.end_headers()
print("ready", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 4181), App).serve_forever()
"""


def test_answers_are_changed_and_given_by_others_as_asked_for(site: Site) -> None:
    ports = [{"port": 80, "targetPort": 4181}]
    changes = {
        "proxy-cookie-path": "/in/ /",
        "proxy-cookie-domain": "in.test out.test",
        "proxy-redirect-from": "http://inner.test/",
        "proxy-redirect-to": "https://$host/",
        "upstream-vhost": "$service_name.$namespace.svc",
    }
    site.apply(
        service("answers", "c", ports=ports),
        service("empty", "nobody"),
        annotated("answers", changes, path("/", "answers")),
        annotated("stead", {"default-backend": "answers"}, path("/", "empty")),
        annotated("denied", {"default-backend": "answers", "denylist-source-range": "::/0,0.0.0.0/0"}),
    )
    site.settled("denied")
    with site.inside(ANSWERS, pod="c") as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        try:
            eventually(lambda: site.ask("answers.test")[0] != 503)  # once there are endpoints
            head = site.ask("answers.test")[2].lower()
            assert "location: https://answers.test/next\n" in head
            assert "set-cookie: a=b; path=/x; httponly; domain=out.test; secure\n" in head
            assert "set-cookie: c=d; path=/out; domain=not.in.test\n" in head
            assert f"x-seen: answers.{NAMESPACE}.svc none /\n" in head + "\n"
            status, _, head = site.ask("stead.test", "/p")
            assert (status, "x-seen: stead.test empty /p\n" in head + "\n") == (503, True)
            assert site.ask("denied.test")[0] == 403
        finally:
            server.kill()


def test_services_of_another_name_and_their_own_addresses_are_reached(site: Site) -> None:
    alias = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta("alias"),
        "spec": {"type": "ExternalName", "externalName": f"b.{NAMESPACE}.svc.cluster.local"},
    }
    site.apply(
        alias,
        ingress("alias", rule("other.test", path("/", "alias"))),
        annotated("virtual", {"service-upstream": "true"}, path("/", "b")),
    )
    site.settled("virtual")
    assert [site.to(host) for host in ("other.test", "virtual.test")] == ["b", "b"]


def test_who_comes_from_near_need_not_sign_in(site: Site) -> None:
    users = {"tim": base64.b64encode(hashed("-5", "secret").encode()).decode()}
    basic = {"auth-type": "basic", "auth-secret": "map", "auth-secret-type": "auth-map", "satisfy": "any"}
    site.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta("map"), "data": users},
        annotated("near", {**basic, "whitelist-source-range": "0.0.0.0/0"}),
        annotated("far", {**basic, "whitelist-source-range": "192.0.2.1"}),
    )
    site.settled("far")
    assert [site.ask(f"{name}.test")[0] for name in ("near", "far")] == [200, 401]
    assert site.ask("far.test", "/", "-u", "tim:secret")[0] == 200
