"""Ingress as a user meets it: each sentence of the specification, and the annotations, by real requests."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.e2e.site import Site, annotated, ingress, opened, path, rule
from tests.e2e.test_network import NAMESPACE, meta, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

USER_HASH = subprocess.run(
    ["openssl", "passwd", "-5", "secret"], capture_output=True, text=True, check=False
).stdout.strip()


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    with opened(
        cluster,
        ingress(
            "paths",
            rule(
                "one.test",
                path("/", "a"),
                path("/foo", "b"),
                path("/foo/bar", "c"),
                path("/foo", "d", "Exact"),
                path("/aaa/bbb", "b"),
                path("/only", "c", "Exact"),
            ),
            rule("*.wild.test", path("/", "b")),
            rule("exact.wild.test", path("/", "c")),
        ),
        ingress("fallback", rule("back.test", path("/x", "b")), defaultBackend=path("/", "d")["backend"]),
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("host", "path", "pod"),
    [
        ("one.test", "/", "a"),
        ("one.test", "/foo", "d"),
        ("one.test", "/foo/", "b"),
        ("one.test", "/foo/x", "b"),
        ("one.test", "/foo/bar", "c"),
        ("one.test", "/foo/bar/", "c"),
        ("one.test", "/foo/barn", "b"),
        ("one.test", "/FOO", "a"),
        ("one.test", "/aaa/bbb/ccc", "b"),
        ("one.test", "/aaa/bbbx", "a"),
        ("one.test", "/only", "c"),
        ("one.test", "/only/", "a"),
        ("ONE.test", "/foo", "d"),
        ("x.wild.test", "/", "b"),
        ("exact.wild.test", "/", "c"),
        ("x.y.wild.test", "/", "d"),
        ("wild.test", "/", "d"),
        ("back.test", "/x", "b"),
        ("back.test", "/other", "d"),
        ("nobody.test", "/", "d"),
    ],
)
def test_hosts_and_paths_lead_where_the_documentation_says(
    site: Site, host: str, path: str, pod: str
) -> None:
    assert site.to(host, path) == pod


def test_the_pod_sees_who_asked_and_how(site: Site) -> None:
    _, said, _ = site.ask("one.test", "/x", "-H", "X-Forwarded-For: 1.2.3.4")
    headers = said["headers"]
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == "one.test"
    assert headers["x-forwarded-for"] != "1.2.3.4", "what a client says of itself is not believed"
    _, said, _ = site.ask("one.test", "/", scheme="https")
    assert said["headers"]["x-forwarded-proto"] == "https"


def test_large_and_chunked_bodies_arrive_whole(site: Site) -> None:
    size = 5_000_000
    for words in ((), CHUNKED):
        argv = ["curl", "-sS", "-m", "20", "--resolve", f"one.test:80:{site.address}", "-X", "POST"]
        done = subprocess.run(
            [*argv, *words, "--data-binary", "@-", "http://one.test/"],
            input=b"x" * size,
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout)["size"] == size


def test_http2_with_tls_and_without(site: Site) -> None:
    assert site.ask("one.test", "/", "--http2", scheme="https")[2].startswith("HTTP/2 200")
    assert site.ask("one.test", "/", "--http2-prior-knowledge")[2].startswith("HTTP/2 200")


@pytest.mark.parametrize("host", ["one.test", "small.test"])
def test_a_websocket_stays_open_both_ways(site: Site, host: str) -> None:
    site.apply(annotated("small", {"proxy-body-size": "1"}))
    site.settled("small")
    with socket.create_connection((site.address, 80), 5) as connection:
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        connection.sendall((head + key).encode())
        assert b" 101 " in connection.recv(1000)
        for word in (b"one", b"two"):
            connection.sendall(word)
            assert connection.recv(100) == word


def rpc(address: str, host: str) -> dict[str, str]:
    """Make a call as gRPC does: HTTP/2 over TLS, and trailers behind the answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    found: dict[str, str] = {}
    with (
        socket.create_connection((address, 443), 5) as raw,
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        state.initiate_connection()
        head = [
            (":method", "POST"),
            (":path", "/pkg.Service/Call"),
            (":scheme", "https"),
            (":authority", host),
        ]
        state.send_headers(1, [*head, ("content-type", "application/grpc"), ("te", "trailers")])
        state.send_data(1, b"\0\0\0\0\0", end_stream=True)
        connection.sendall(state.data_to_send())
        while data := connection.recv(65536):
            for event in state.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    found |= {str(name): str(value) for name, value in event.headers or ()}
                if isinstance(event, h2.events.StreamEnded):
                    return found
            connection.sendall(state.data_to_send())
    return found


def test_grpc_by_the_services_protocol_and_by_annotation(site: Site) -> None:
    site.apply(
        ingress("grpc", rule("grpc.test", path("/", "a", port="grpc"))),
        annotated("grpcs", {"backend-protocol": "GRPC"}, path("/", "b", port="plain")),
    )
    site.settled("grpcs")
    for host in ("grpc.test", "grpcs.test"):
        said = rpc(site.address, host)
        assert (said[":status"], said["grpc-status"], said["grpc-message"]) == ("200", "0", "trailer")


def test_other_classes_and_resource_backends_are_left_or_told(site: Site) -> None:
    resource = {"resource": {"apiGroup": "k8s.example.com", "kind": "Bucket", "name": "x"}}
    site.apply(
        ingress("foreign", rule("foreign.test", path("/", "a")), ingressClassName="other"),
        ingress("resource", rule("resource.test", path("/ok", "a")), defaultBackend=resource),
    )
    site.settled("resource")
    assert site.to("foreign.test") == "d"
    assert site.to("resource.test", "/ok") == "a"
    eventually(lambda: "UnsupportedBackend" in site.reasons("resource"))
    assert not site.field("ingress", "foreign")["status"].get("loadBalancer")


CHUNKED = ("-H", "Transfer-Encoding: chunked")
SIMPLE: list[tuple[str, dict[str, str], str, tuple[str, ...], int, str]] = [
    ("redirect", {"permanent-redirect": "https://new.test/"}, "/", (), 301, "location: https://new.test/"),
    ("temporal", {"temporal-redirect": "http://t.test/x"}, "/", (), 302, "location: http://t.test/x"),
    ("approot", {"app-root": "/start"}, "/", (), 302, "location: /start"),
    ("forced", {"force-ssl-redirect": "true"}, "/p?q=1", (), 308, "location: https://forced.test/p?q=1"),
    ("sslonly", {"ssl-redirect": "true"}, "/", (), 200, ""),
    ("bodysize", {"proxy-body-size": "1k"}, "/", ("-d", "x" * 2000), 413, ""),
    ("smallbody", {"proxy-body-size": "1m"}, "/", ("-d", "x" * 2000), 200, ""),
    ("chunked", {"proxy-body-size": "40k"}, "/", (*CHUNKED, "-d", "x" * 40961), 413, ""),
    ("smallchunked", {"proxy-body-size": "40k"}, "/", (*CHUNKED, "-d", "x" * 40960), 200, ""),
    ("allow", {"whitelist-source-range": "192.0.2.0/24"}, "/", (), 403, ""),
    ("allowed", {"allowlist-source-range": "0.0.0.0/0"}, "/", (), 200, ""),
    ("deny", {"denylist-source-range": "0.0.0.0/0"}, "/", (), 403, ""),
    ("timeout", {"proxy-read-timeout": "1"}, "/slow", (), 504, ""),
    ("authurl", {"auth-url": "http://auth.test"}, "/", (), 503, ""),
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


def test_the_host_and_a_prefix_may_be_set_and_other_names_given(site: Site) -> None:
    more = {"upstream-vhost": "inner.test", "x-forwarded-prefix": "/out", "server-alias": "alias.test"}
    site.apply(annotated("vhost", more))
    site.settled("vhost")
    for host in ("vhost.test", "alias.test"):
        headers = site.ask(host)[1]["headers"]
        assert (headers["host"], headers["x-forwarded-prefix"]) == ("inner.test", "/out")


def test_basic_auth(site: Site) -> None:
    users = base64.b64encode(f"tim:{USER_HASH}\n".encode()).decode()
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
    assert site.to("auth.test", "/", "-u", "tim:secret") == "a"
    assert site.ask("nobody.test")[0] == 503
    eventually(lambda: "Shut" in site.reasons("nobody"))


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
    _, said, head = site.ask("cookie.test")
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
    found = [site.ask("rate.test")[0] for _ in range(6)]
    assert found.count(200) == 3
    assert found[-1] == 503


def test_what_is_not_done_is_told_and_the_rest_is_served(site: Site) -> None:
    site.apply(
        annotated(
            "odd", {"configuration-snippet": "deny all;", "proxy-buffer-size": "8k", "limit-rps": "many"}
        )
    )
    site.settled("odd")
    assert site.to("odd.test") == "a"
    eventually(lambda: {"UnsupportedAnnotation", "InvalidAnnotation"} <= site.reasons("odd"))


def test_a_configuration_that_the_proxy_refuses_harms_nobody_else(site: Site) -> None:
    # A flag that Python's expressions know, and the proxy's do not.
    site.apply(annotated("bad", {"use-regex": "true"}, path("/(?a:x)", "a", "ImplementationSpecific")))
    site.apply(annotated("after", {}))
    site.settled("after")
    eventually(lambda: "Refused" in site.reasons("bad"))
    assert site.to("after.test") == "a"
    assert site.to("one.test") == "a"


def test_tls_for_localhost_is_by_the_local_authority(site: Site, tmp_path: Any) -> None:
    site.apply(
        ingress("local", rule("web.localhost", path("/", "a"))),
        ingress("named", rule("named.test", path("/", "b")), tls=[{"hosts": ["named.test"]}]),
    )
    site.settled("named")
    authority = tmp_path / "ca.crt"
    authority.write_text(site.cluster.out("certs", "ca"))
    for host, pod in (("web.localhost", "a"), ("named.test", "b")):
        resolve = f"{host}:443:{site.address}"
        argv = [
            "curl",
            "-sS",
            "-m",
            "10",
            "--cacert",
            str(authority),
            "--resolve",
            resolve,
            f"https://{host}/",
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pod"] == pod
    said = site.cluster.out("certs", "trust")
    assert said.startswith("# nothing was changed")
    assert "update-ca-certificates" in said


def test_the_access_log_is_readable_and_there_are_metrics(site: Site) -> None:
    site.ask("one.test", "/foo/bar?x=1")
    pods = site.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=minikctl-ingress")["items"]
    name = pods[0]["metadata"]["name"]

    def logged() -> list[str]:
        lines = site.cluster.out("logs", name, "-n", "kube-system", "--tail=50").splitlines()
        return [line for line in lines if '"GET /foo/bar?x=1 HTTP/1.1" 200' in line]

    line = eventually(logged)[-1]
    assert " one.test " in line
    assert "net_c_80/s1" in line
    metrics = site.exec(
        "curl", "-sS", "-m", "5", f"http://{pods[0]['status']['podIP']}:10254/metrics", pod="a"
    ).stdout
    assert "haproxy_backend_http_responses_total" in metrics


def test_no_request_is_lost_while_routes_change(site: Site) -> None:
    end, found = time.monotonic() + 4, []
    changes = 0
    while time.monotonic() < end:
        found += [site.ask("one.test", "/foo")[0] for _ in range(5)]
        site.apply(annotated("churn", {"app-root": f"/{changes}"}))
        changes += 1
    assert changes > 2
    assert set(found) == {200}
