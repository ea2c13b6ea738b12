"""Ingress as a user meets it: each sentence of the specification, and the annotations, by real requests."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.e2e.site import Site, annotated, ingress, opened, path, rule
from tests.e2e.test_network import NAMESPACE, meta, self_signed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


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
        ("one.test.", "/foo", "d"),
        ("one.test", "/x/../only", "c"),
        ("one.test", "/x/%2e%2E/%6fnly", "c"),
        ("one.test", "//only", "c"),
        ("one.test", "/x%2fonly", "a"),
        ("one.test", "/100%", "400"),
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
    forged = (
        "X-Forwarded-For",
        "X-Real-IP",
        "X_Forwarded_For",
        "X-Forwarded_For",
        "X_Real_IP",
        "Proxy",
        "X-Scheme",
    )
    words = [word for name in (*forged, "X_Other") for word in ("-H", f"{name}: 1.2.3.4")]
    _, said, _ = site.ask("one.test", "/x", *words)
    headers = said["headers"]
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == "one.test"
    assert headers["x-forwarded-port"] == "80"
    assert headers["x-real-ip"] == headers["x-forwarded-for"]
    believed = [name for name, text in headers.items() if text == "1.2.3.4"]
    assert believed == ["x_other"], "what a client says of itself is not believed"
    _, said, _ = site.ask("one.test", "/", scheme="https")
    assert said["headers"]["x-forwarded-proto"] == "https"


def test_large_and_chunked_bodies_arrive_whole(site: Site) -> None:
    size = 5_000_000
    for words in ((), ("-H", "Transfer-Encoding: chunked")):
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
        annotated("asked", {"backend-protocol": "GRPC"}, path("/", "b", port="plain")),
        annotated("grpcs", {"backend-protocol": "GRPCS"}, path("/", "c", port="safe")),
        annotated("https", {"backend-protocol": "HTTPS"}, path("/", "c", port="safe")),
    )
    site.settled("https")
    for host, agreed in (("grpc.test", ""), ("asked.test", ""), ("grpcs.test", "h2"), ("https.test", "h2")):
        said = rpc(site.address, host)
        assert (said[":status"], said["grpc-status"], said["grpc-message"]) == ("200", "0", "trailer")
        assert said["x-agreed"] == agreed


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


def test_a_default_backend_serves_hosts_without_paths_and_what_the_paths_leave(site: Site) -> None:
    site.apply(
        ingress("bare", {"host": "bare.test"}, defaultBackend=path("/", "c")["backend"]),
        ingress("alone", defaultBackend=path("/", "b")["backend"]),
    )
    site.settled("alone")
    assert [site.to("bare.test", one) for one in ("/", "/any")] == ["c", "c"]
    assert site.to("nobody.test") == "d", "of Ingresses that answer for all other hosts, the oldest does"


def test_a_configuration_that_the_proxy_refuses_harms_nobody_else(site: Site) -> None:
    # A flag that Python's expressions know, and the proxy's do not.
    site.apply(annotated("bad", {"use-regex": "true"}, path("/(?a:x)", "a", "ImplementationSpecific")))
    site.apply(annotated("after", {}))
    site.settled("after")
    eventually(lambda: "Refused" in site.reasons("bad"))
    assert site.to("after.test") == "a"
    assert site.to("one.test") == "a"


def test_a_certificate_that_the_proxy_refuses_is_done_without_until_it_is_another(
    site: Site, tmp_path: Any
) -> None:
    weak = self_signed(tmp_path, "weak.test", ("rsa:1024",))
    site.apply(
        weak, annotated("weak", {}, tls=[{"hosts": ["weak.test"], "secretName": weak["metadata"]["name"]}])
    )
    site.settled("weak")
    eventually(lambda: "CertificateUnusable" in site.reasons("weak"))
    assert (site.to("weak.test"), site.to("one.test", "/foo")) == ("a", "d")
    said = site.cluster.run("why", "ingress/weak", "-n", NAMESPACE, code=1).stdout
    assert "broken: certificate: https://weak.test/ does not show the certificate of Secret" in said
    site.apply(self_signed(tmp_path, "weak.test"))
    eventually(
        lambda: (
            "nothing is broken" in site.cluster.run("why", "ingress/weak", "-n", NAMESPACE, code=None).stdout
        )
    )


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


def test_a_host_of_localhost_is_opened_by_its_name_alone(site: Site) -> None:
    """At 127.0.0.1, which another cluster of this machine may have; then an event says so."""
    site.apply(ingress("open", rule("open.localhost", path("/", "a"))))
    site.settled("open")

    def opened_or_told() -> str:
        argv = ["curl", "-sSk", "-m", "5", "http://open.localhost/", "https://open.localhost/"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        events = site.cluster.json("events", "-n", "kube-system")["items"]
        told = [event["message"] for event in events if event["involvedObject"]["name"] == "ingress"]
        if said.count('"pod": "a"') == 2:
            return "opened"
        return "told" if any("127.0.0.1:80 is in use" in message for message in told) else ""

    assert eventually(opened_or_told)


@pytest.mark.parametrize("group", ["extensions", "networking.k8s.io"])
def test_an_ingress_of_an_older_version_is_served(site: Site, group: str) -> None:
    name = f"old-{group.partition('.')[0]}"
    backend = {"serviceName": "b", "servicePort": "http"}
    site.apply(
        {
            "apiVersion": f"{group}/v1beta1",
            "kind": "Ingress",
            "metadata": meta(name),
            "spec": {
                "backend": {"serviceName": "c", "servicePort": 80},
                "rules": [{"host": f"{name}.test", "http": {"paths": [{"path": "/in", "backend": backend}]}}],
            },
        }
    )
    site.settled(name)
    assert [site.to(f"{name}.test", one) for one in ("/in/x", "/out")] == ["b", "c"]


def test_the_access_log_is_readable_and_there_are_metrics(site: Site) -> None:
    pods = site.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=minikctl-ingress")["items"]
    name = pods[0]["metadata"]["name"]

    def logged() -> list[str]:
        site.ask("one.test", "/foo/bar?x=1")  # each time: of very many only a sample is logged
        lines = site.cluster.out("logs", name, "-n", "kube-system", "--tail=50").splitlines()
        return [line for line in lines if '"GET /foo/bar?x=1 HTTP/1.1" 200' in line]

    with socket.create_connection((site.address, 80), 5) as connection:
        connection.sendall(b"GET /odd HTTP/1.1\r\nHost: x\x1b[31m\r\nConnection: close\r\n\r\n")
        assert b" 200 " in connection.recv(20)
    odd = eventually(
        lambda: [
            one for one in site.cluster.out("logs", name, "-n", "kube-system").splitlines() if "/odd" in one
        ]
    )
    assert " x%1B%5B31m " in odd[0], "what is in a request does not reach a terminal as it is"
    line = eventually(logged)[-1]
    assert " one.test " in line
    assert "net_c_80/s1" in line
    metrics = site.exec(
        "curl", "-sS", "-m", "5", f"http://{pods[0]['status']['podIP']}:10254/metrics", pod="a"
    ).stdout
    assert "haproxy_backend_http_responses_total" in metrics


def test_no_request_is_lost_while_routes_change(site: Site) -> None:
    found = []
    for number in range(10):
        found += [site.ask("one.test", "/foo")[0] for _ in range(5)]
        site.apply(annotated("churn", {"app-root": f"/{number}"}))
    assert set(found) == {200}
