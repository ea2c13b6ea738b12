"""Services, DNS and Ingress with real packets."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, curl, docker, eventually, spare_node_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMESPACE = "net"
OUTSIDE = "192.0.2.1"  # documentation addresses: nobody's


def service(name: str, selector: str = "web", *, ports: Any = None, **spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"app": selector}} if selector else {}
    wanted |= {"ports": ports or [{"name": "http", "port": 80, "targetPort": "http"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(name), "spec": wanted}


def meta(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE}


def container(**more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "minikctl-demo:latest", "imagePullPolicy": "IfNotPresent", **more}


def deployment(name: str, replicas: int = 2, message: str = "hello") -> dict[str, Any]:
    app = container(
        ports=[{"name": "http", "containerPort": 8080}],
        env=[{"name": "MESSAGE", "value": message}],
        readinessProbe={"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    )
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(name),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [app]}},
        },
    }


def ingress(name: str, host: str, target: str, **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": target, "port": {"name": "http"}}}
    rules = [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta(name)}
    return {**head, "spec": {"rules": rules, **spec}}


def idle(name: str) -> dict[str, Any]:
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container(command=["sleep", "3600"])]}
    labels = {"app": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta(name), "labels": labels}, "spec": spec}


class World:
    """A cluster with a Deployment behind Services of all sorts, and a pod to look from."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def apply(self, *objects: Any) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.cluster.run("apply", "-f", "-", stdin=text)

    def exec(
        self, *words: str, pod: str = "client", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        labels = (f"label=minikctl.dev/pod-name={pod}", "label=minikctl.dev/role=app")
        (found,) = self.cluster.containers(*labels)
        argv = ["docker", "exec", found, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert code is None or done.returncode == code, done
        return done

    def get(self, url: str, pod: str = "client") -> str:
        return self.exec("curl", "-sS", "-m", "5", url, pod=pod).stdout

    def answerers(self, url: str, times: int = 40, pod: str = "client") -> set[str]:
        """Return which pods answer; by chance one of two is left out once in 10^12 times of forty."""
        done = self.exec(
            "curl", "-sS", "-m", "5", "-H", "Connection: close", *[url] * times, pod=pod, code=None
        )
        return {line.split()[0] for line in done.stdout.splitlines() if " says: " in line}

    def dig(self, name: str, type: str = "A") -> str:
        """Return what the name server says; a name without an answer is no error here."""
        return self.exec("nslookup", f"-type={type}", name, code=None).stdout

    def pods(self, app: str = "web") -> dict[str, str]:
        found = self.cluster.json("pods", "-n", NAMESPACE, "-l", f"app={app}")["items"]
        return {
            pod["metadata"]["name"]: pod["status"].get("podIP", "")
            for pod in found
            if not pod["metadata"].get("deletionTimestamp")
        }

    def inside(
        self, script: str, *words: str, pod: str = "client", stdin: int | None = None
    ) -> subprocess.Popen[str]:
        """Start a Python script in the pod's network, and in nothing else of it."""
        labels = (f"label=minikctl.dev/pod-name={pod}", "label=minikctl.dev/role=pause")
        (found,) = self.cluster.containers(*labels)
        pid = docker("inspect", "-f", "{{.State.Pid}}", found)
        argv = ["nsenter", "-t", pid, "-n", sys.executable, "-c", script, *words]
        return subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, text=True)

    @contextlib.contextmanager
    def visited(self, name: str, pod: str = "client") -> Iterator[None]:
        """Have the pod ask the Service all the time during the block; no request may fail."""
        with self.inside(VISIT, self.cluster_ip(name), pod=pod, stdin=subprocess.PIPE) as visitor:
            try:
                yield
            finally:
                said, _ = visitor.communicate(timeout=60)
        done, _, failures = said.strip().partition(" ")
        assert int(done) > 10
        assert failures == "[]"

    def field(self, kind: str, name: str) -> Any:
        return self.cluster.json(kind, name, "-n", NAMESPACE)

    def cluster_ip(self, name: str) -> str:
        return str(self.field("service", name)["spec"]["clusterIP"])

    def balancer(self, kind: str, name: str) -> str:
        def found() -> Any:
            return self.field(kind, name)["status"].get("loadBalancer", {}).get("ingress")

        return str(eventually(found)[0]["ip"])

    def reasons(self, name: str) -> set[str]:
        found = self.cluster.json("events", "-n", NAMESPACE)["items"]
        return {event["reason"] for event in found if event["involvedObject"]["name"] == name}

    @property
    def mode(self) -> str:
        """Return who takes TCP connections to endpoints: nftables or userspace."""
        return str(self.cluster.status()["serviceProxy"]["tcp"])

    def seen_of(self, pod: str) -> str:
        """Return the address that endpoints of a Service see of a pod: in userspace its node's proxy's."""
        found = self.field("pod", pod)
        if self.mode != "userspace":
            return str(found["status"]["podIP"])
        proxies = self.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy")["items"]
        (own,) = (one for one in proxies if one["spec"]["nodeName"] == found["spec"]["nodeName"])
        return str(own["status"]["podIP"])

    def scaled(self, replicas: int, message: str = "hello") -> None:
        """Return once the Deployment has that many pods, all Ready, with that message."""
        self.apply(deployment("web", replicas, message))
        self.cluster.run("rollout", "status", "deploy/web", "-n", NAMESPACE, "--timeout=90s")


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> World:
    made = World(cluster)
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        deployment("web"),
        deployment("other", 1),
        idle("client"),
        service("web"),
        service("sticky", sessionAffinity="ClientIP"),
        service("nobody", "nobody"),
        service("db", clusterIP="None"),
        service("alias", "", type="ExternalName", externalName=f"web.{NAMESPACE}.svc.cluster.local"),
        service("port", type="NodePort"),
        service("balancer", type="LoadBalancer"),
        ingress("main", "web.hey", "web"),
    )
    settled(made)
    return made


def settled(world: World) -> None:
    """Return once the pods are Ready and the Services lead to them: endpoints, rules and names follow a moment later."""
    for name in ("web", "other"):
        world.cluster.rolled_out(f"deploy/{name}", NAMESPACE)
    world.cluster.ready("app=client", NAMESPACE, 90)
    wanted = set(world.pods())
    eventually(lambda: world.answerers("http://web/") == wanted)
    eventually(lambda: len(world.answerers("http://sticky/", 4)) == 1)


# Services


def test_a_service_is_spread_over_its_pods_which_see_the_client_or_its_proxy(world: World) -> None:
    client = world.seen_of("client")
    assert world.answerers("http://web/") == set(world.pods())
    assert f"you are {client}" in world.get("http://web/")


def test_a_pod_reaches_itself_through_its_service(world: World) -> None:
    pod = next(iter(world.pods("other")))
    world.apply(service("other", "other"))
    own = world.seen_of(pod)
    assert eventually(
        lambda: f"you are {own}" in world.exec("curl", "-sS", "http://other/", pod=pod, code=None).stdout
    )


@pytest.mark.parametrize("target", ["10.96.255.1:80", "{web}:81", "{nobody}:80", f"{OUTSIDE}:80"])
def test_what_leads_nowhere_is_refused_at_once(world: World, target: str) -> None:
    address = target.format(web=world.cluster_ip("web"), nobody=world.cluster_ip("nobody"))
    done = world.exec("curl", "-sS", "-m", "5", "-w", "%{time_total}", f"http://{address}/", code=None)
    assert done.returncode == 7, done
    assert float(done.stdout) < 4


def test_a_client_keeps_its_endpoint(world: World) -> None:
    assert len(world.answerers("http://sticky/")) == 1


def test_an_endpoint_that_refuses_costs_connections_unless_a_proxy_tries_another(world: World) -> None:
    """One of the two endpoints is the client itself, which does not listen."""
    piece = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta("half-1"), "labels": {"kubernetes.io/service-name": "half"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {"addresses": [ip]} for ip in (*world.pods("other").values(), *world.pods("client").values())
        ],
    }
    world.apply(service("half", ""), piece)
    url = f"http://{world.cluster_ip('half')}/"
    eventually(lambda: world.exec("curl", "-sS", "-m", "5", url, code=None).returncode == 0)
    words = ("curl", "-s", "-m", "5", "-w", "%{exitcode} ", "-H", "Connection: close")
    codes = set(world.exec(*words, *["-o", "/dev/null", url] * 40, code=None).stdout.split())
    assert codes == ({"0"} if world.mode == "userspace" else {"0", "7"})


def test_a_node_port_answers_on_the_host_and_on_the_nodes_address_in_pods(world: World) -> None:
    number = world.field("service", "port")["spec"]["ports"][0]["nodePort"]
    assert "says: hello" in curl(f"http://127.0.0.1:{number}/")
    node = world.cluster.json("nodes")["items"][0]["status"]["addresses"][0]["address"]
    assert "says: hello" in curl(f"http://{node}:{number}/")
    assert "says: hello" in world.get(f"http://{node}:{number}/")


def test_a_load_balancer_answers_at_its_own_address_outside_and_inside(world: World) -> None:
    address = world.balancer("service", "balancer")
    assert address.startswith("127.")
    assert "says: hello" in curl(f"http://{address}/")
    assert "says: hello" in world.get(f"http://{address}/")


def test_published_ports_come_and_go_with_the_service(world: World) -> None:
    address = world.balancer("service", "balancer")
    ports = [{"name": "http", "port": 8081, "targetPort": "http"}]
    world.apply(service("balancer", type="LoadBalancer", ports=ports))
    assert "says: hello" in curl(f"http://{address}:8081/", seconds=30)
    eventually(lambda: not listens(address, 80))
    world.apply(service("balancer", type="LoadBalancer"))
    assert "says: hello" in curl(f"http://{address}/", seconds=30)


def test_a_taken_host_port_is_told_and_used_once_it_is_free(world: World) -> None:
    port = spare_node_port()
    ports = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": port}]
    with socket.create_server(("127.0.0.1", port)):
        world.apply(service("taken", type="NodePort", ports=ports))
        eventually(lambda: "PublishFailed" in world.reasons("taken"))
    assert "says: hello" in curl(f"http://127.0.0.1:{port}/", seconds=40)
    world.cluster.run("delete", "service", "taken", "-n", NAMESPACE)
    eventually(lambda: not listens("127.0.0.1", port))


def listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


VISIT = """
import http.client, select, sys
done, failures = 0, []
while not select.select([sys.stdin], [], [], 0.005)[0]:
    try:
        connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        done += 1
    except Exception as error:
        failures.append(repr(error))
    connection.close()
print(done, failures)
"""
"""Asks again and again, each time on a new connection, until its standard input ends."""


def test_changing_rules_costs_no_connection(world: World) -> None:
    with world.visited("web"):
        for number in range(4):
            world.apply(*(service(f"passing-{number}-{one}") for one in range(5)))
            world.cluster.run(
                "delete", "service", "-n", NAMESPACE, *(f"passing-{number}-{one}" for one in range(5))
            )


@pytest.mark.parametrize(
    "how",
    [
        "flush ruleset",
        "delete table inet minikctl",
        "flush table inet minikctl",
        "flush chain inet minikctl nat-output",
        "flush map inet minikctl services",
        "flush chain inet minikctl {chain}",
        "delete element inet minikctl services {{ {key} }}",
    ],
)
def test_rules_that_are_changed_by_hand_are_back_at_once(world: World, how: str) -> None:
    """Long before the minute after which everything is written again."""
    (found,) = world.cluster.containers("label=minikctl.dev/pod-name=client", "label=minikctl.dev/role=pause")
    inside = ["nsenter", "-t", docker("inspect", "-f", "{{.State.Pid}}", found), "-n", "nft"]

    def listed(what: str) -> str:
        words = [*inside, "list", *what.split()]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    assert "says: hello" in world.get("http://web/")
    key = f"{world.cluster_ip('web')} . tcp . 80"
    led = re.search(re.escape(key) + r" : goto ([^\s,]+)", listed("map inet minikctl services"))
    assert led
    chains = [f"chain inet minikctl {name}" for name in ("nat-output", led[1])]
    before = [listed(each) for each in chains]
    assert all(before)
    subprocess.run([*inside, *how.format(chain=led[1], key=key).split()], check=True)
    eventually(lambda: [listed(each) for each in chains] == before, 30)
    eventually(lambda: led[0] in listed("map inet minikctl services"), 30)
    assert "says: hello" in world.get(f"http://{world.cluster_ip('web')}/")


@pytest.mark.parametrize(
    "how", ["ip route del 10.96.0.0/16", "ip route flush table main", "ip link set eth0 down"]
)
def test_routes_that_are_taken_away_by_hand_are_back_at_once(world: World, how: str) -> None:
    (found,) = world.cluster.containers("label=minikctl.dev/pod-name=client", "label=minikctl.dev/role=pause")
    inside = ["nsenter", "-t", docker("inspect", "-f", "{{.State.Pid}}", found), "-n"]
    routes = [*inside, "ip", "route", "list", "exact", "10.96.0.0/16"]
    before = subprocess.check_output(routes)
    assert before
    subprocess.run([*inside, *how.split()], check=True)
    if "down" in how:
        assert subprocess.check_output(routes) == b""
        subprocess.run([*inside, "ip", "link", "set", "eth0", "up"], check=True)
    eventually(lambda: subprocess.check_output(routes) == before, 30)


ASK = """
import socket, struct, sys, time
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(1)
asking.connect((sys.argv[1], 53))
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split(".")) + bytes(1)
query = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
while True:
    try:
        asking.send(query)
        print(asking.recv(512)[3] & 15, flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    time.sleep(0.5)
"""


def test_a_udp_client_that_keeps_its_port_follows_to_the_new_endpoint(world: World) -> None:
    """Each of its packets looks to conntrack like the flow to the name server that is gone."""
    world.cluster.run("wait", "--for=condition=Available", "deploy/dns", "-n", "kube-system", "--timeout=60s")
    asking = world.inside(ASK, "10.96.0.10", NAME)
    try:
        assert asking.stdout is not None
        while asking.stdout.readline().strip() != "0":
            pass
        (before,) = (pod["metadata"]["name"] for pod in dns_pods(world))
        world.cluster.run("delete", "pod", "-n", "kube-system", before)
        world.cluster.run(
            "wait", "--for=condition=Available", "deploy/dns", "-n", "kube-system", "--timeout=60s"
        )
        deadline = time.monotonic() + 60
        answers: list[str] = []
        while time.monotonic() < deadline and answers[-2:] != ["0", "0"]:
            answers.append(asking.stdout.readline().strip())
        assert answers[-2:] == ["0", "0"]
    finally:
        asking.kill()
        asking.communicate()


# DNS

NAME = f"web.{NAMESPACE}.svc.cluster.local"


def test_names_of_services_and_pods(world: World) -> None:
    zone = f"{NAMESPACE}.svc.cluster.local"
    vip = world.cluster_ip("web")
    assert vip in world.dig(f"web.{zone}")
    assert f"web.{zone}" in world.dig(".".join(reversed(vip.split("."))) + ".in-addr.arpa", "PTR")
    assert f"web.{zone}" in world.dig(f"_http._tcp.web.{zone}", "SRV")
    assert vip in world.dig(f"alias.{zone}")
    eventually(lambda: all(ip in (said := world.dig(f"db.{zone}")) for ip in world.pods().values()) and said)
    own = world.pods("client")["client"]
    assert own in world.dig(f"{own.replace('.', '-')}.{NAMESPACE}.pod.cluster.local")
    assert "NXDOMAIN" in world.dig(f"missing.{zone}")
    assert "NXDOMAIN" in world.dig("example.com")


def test_names_survive_a_new_name_server(world: World) -> None:
    before = {pod["metadata"]["name"] for pod in dns_pods(world)}
    world.cluster.run("delete", "pod", "-n", "kube-system", *before)
    eventually(
        lambda: any(is_ready(pod) and pod["metadata"]["name"] not in before for pod in dns_pods(world))
    )
    eventually(lambda: world.cluster_ip("web") in world.dig(f"web.{NAMESPACE}.svc.cluster.local"))


def dns_pods(world: World) -> list[Any]:
    return list(world.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"])


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


# Ingress


class Visitor(threading.Thread):
    """Asks again and again, on one connection or on a new one each time, and notes what went wrong."""

    def __init__(self, address: str, host: str, *, keep: bool) -> None:
        super().__init__(daemon=True)
        self.address, self.host, self.keep = address, host, keep
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + 120
        connection = http.client.HTTPConnection(self.address, 80, timeout=10)
        while not self.stopped.is_set() and time.monotonic() < deadline:
            try:
                connection.request("GET", "/", headers={"Host": self.host})
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status == 200:
                    self.answers[body.split()[0]] += 1
                else:
                    self.failures.append(f"{answer.status} {body}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self.keep:
                connection.close()
            time.sleep(0.005)
        connection.close()

    def finish(self) -> None:
        self.stopped.set()
        self.join(15)


def test_updates_lose_no_request(world: World) -> None:
    address = world.balancer("ingress", "main")
    curl("http://web.hey/", "--resolve", f"web.hey:80:{address}")
    visitors = [Visitor(address, "web.hey", keep=keep) for keep in (True, False)]
    for visitor in visitors:
        visitor.start()
    try:
        world.scaled(3)
        for number in range(3):
            world.apply(ingress(f"more-{number}", f"more-{number}.hey", "web"))
            curl(f"http://more-{number}.hey/", "--resolve", f"more-{number}.hey:80:{address}")
        world.scaled(2, "rolled")
        world.scaled(1, "rolled")
    finally:
        for visitor in visitors:
            visitor.finish()
        world.scaled(2)
    for visitor in visitors:
        assert visitor.failures == []
        assert sum(visitor.answers.values()) > 50
        assert len(visitor.answers) >= 3


def test_requests_tell_where_they_come_from(world: World) -> None:
    address = world.balancer("ingress", "main")
    found = curl(
        "http://web.hey/headers", "--resolve", f"web.hey:80:{address}", "-H", "X-Forwarded-For: 192.0.2.9"
    )
    assert "X-Forwarded-Proto: http\n" in found
    assert "X-Forwarded-Host: web.hey\n" in found
    assert "192.0.2.9" not in found


def test_without_endpoints_503_and_without_rule_404(world: World) -> None:
    address = world.balancer("ingress", "main")
    world.apply(ingress("nobody", "nobody.hey", "nobody"))
    assert eventually(lambda: status(address, "nobody.hey") == 503)
    assert status(address, "unknown.hey") == 404
    world.apply(ingress("lost", "lost.hey", "not-there"))
    assert eventually(lambda: status(address, "lost.hey") == 503)
    assert eventually(lambda: "ServiceNotFound" in world.reasons("lost"))


def status(address: str, host: str) -> int:
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status
    finally:
        connection.close()


P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def self_signed(folder: Path, name: str, kind: tuple[str, ...] = P256) -> dict[str, Any]:
    """Return a TLS Secret with a new certificate for the name, with a key of that kind."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    words = ["req", "-x509", "-newkey", *kind, "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    data = {"tls.crt": certificate, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": meta("web-tls"),
        "data": {part: base64.b64encode(path.read_bytes()).decode() for part, path in data.items()},
    }


def presented(address: str, name: str) -> bytes:
    """Return the certificate that is shown for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, 443), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def test_tls_by_name_with_certificates_that_change_while_it_runs(world: World, tmp_path: Path) -> None:
    secret = self_signed(tmp_path, "tls.hey")
    address = world.balancer("ingress", "main")
    world.apply(
        secret, ingress("tls", "tls.hey", "web", tls=[{"hosts": ["tls.hey"], "secretName": "web-tls"}])
    )
    wanted = der(secret)
    eventually(lambda: presented(address, "tls.hey") == wanted)
    assert presented(address, "other.hey") != wanted
    ca = ["--cacert", str(tmp_path / "tls.hey.crt"), "--resolve", f"tls.hey:443:{address}"]
    assert "X-Forwarded-Proto: https\n" in curl("https://tls.hey/headers", *ca)
    renewed = self_signed(tmp_path, "tls.hey")
    world.apply(renewed)
    eventually(lambda: presented(address, "tls.hey") == der(renewed))
    assert "says: hello" in curl("https://tls.hey/", *ca)


def der(secret: dict[str, Any]) -> bytes:
    return ssl.PEM_cert_to_DER_cert(base64.b64decode(secret["data"]["tls.crt"]).decode())


def test_a_bad_certificate_is_told_and_harms_nobody_else(world: World) -> None:
    address = world.balancer("ingress", "main")
    broken = {"tls.crt": base64.b64encode(b"x").decode(), "tls.key": base64.b64encode(b"y").decode()}
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": meta("broken"), "data": broken}
    world.apply(
        head, ingress("broken", "broken.hey", "web", tls=[{"hosts": ["broken.hey"], "secretName": "broken"}])
    )
    assert eventually(lambda: "CertificateUnusable" in world.reasons("broken"))
    assert eventually(lambda: status(address, "broken.hey") == 200)
    assert status(address, "web.hey") == 200


def test_connections_are_upgraded(world: World) -> None:
    """A WebSocket's handshake passes both ways; the pod answers in its own words."""
    script = (
        "while :; do printf 'HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\n"
        "Upgrade: websocket\\r\\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\\r\\n\\r\\nping' | busybox nc -l -p 8080 -w 3; done"
    )
    pod = idle("socket")
    pod["spec"]["containers"] = [
        container(command=["sh", "-c", script], ports=[{"name": "http", "containerPort": 8080}])
    ]
    world.apply(pod, service("socket", "socket"), ingress("socket", "socket.hey", "socket"))
    world.cluster.ready("app=socket", NAMESPACE)
    address = world.balancer("ingress", "socket")

    def upgraded() -> bool:
        with socket.create_connection((address, 80), timeout=5) as raw:
            raw.sendall(
                b"GET / HTTP/1.1\r\nHost: socket.hey\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            found = b""
            while b"ping" not in found and (piece := raw.recv(4096)):
                found += piece
        return b" 101 " in found and found.endswith(b"ping")

    assert eventually(upgraded)


# What stays while the control plane does not run


def test_everything_serves_while_the_control_plane_is_stopped(world: World) -> None:
    address = world.balancer("ingress", "main")
    balancer = world.balancer("service", "balancer")
    pod = next(
        iter(world.cluster.containers("label=minikctl.dev/pod-name=client", "label=minikctl.dev/role=app"))
    )
    world.cluster.run("cluster", "stop")
    try:
        assert "says:" in curl("http://web.hey/", "--resolve", f"web.hey:80:{address}")
        assert "says:" in curl(f"http://{balancer}/")
        words = ["docker", "exec", pod, "curl", "-sS", "-m", "5", "http://web/"]
        assert "says:" in subprocess.run(words, capture_output=True, text=True, check=True).stdout
    finally:
        world.cluster.run("cluster", "start")
