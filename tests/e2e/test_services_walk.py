"""Services on three nodes, sentence by sentence, with real packets from pods and from this machine.

Each sentence holds in both of kube-proxy's modes: a cluster of each is asked at the same time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.conftest import START, Cluster, eventually, spare_node_port
from tests.e2e.test_network import NAMESPACE, World, container, meta, service
from tests.fakes.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.side_by_side("walk")]

MODES = ("nftables", "userspace")
HTTP, ALSO_HTTP, DNS, ALSO_DNS = 8080, 9090, 5353, 5354
OUTSIDE = "192.0.2.7"  # documentation addresses: nobody's
FOREIGN = "vendor.example/lb"

SERVE = """
import socket, sys, threading
name, ports = sys.argv[1], sys.argv[2:]

def tcp(listener):
    while True:
        connection, peer = listener.accept()
        with connection:
            connection.sendall(f"{name} {peer[0]}".encode())

def udp(taking):
    while True:
        _, peer = taking.recvfrom(100)
        taking.sendto(f"{name} {peer[0]}".encode(), peer)

for port in ports:
    number, _, kind = port.partition("/")
    if kind == "udp":
        made, work = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), udp
        made.bind(("", int(number)))
    else:
        made, work = socket.create_server(("", int(number))), tcp
    threading.Thread(target=work, args=(made,)).start()
print("ready", flush=True)
"""

ASK = """
import json, socket, sys
def once(kind, address, port, seconds):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as asking:
        asking.settimeout(seconds)
        try:
            asking.connect((address, port))
            asking.send(b"?")
            return asking.recv(100).decode() or "closed"
        except OSError as error:
            return type(error).__name__
kind, address, port, times, seconds = sys.argv[1:]
found = {once(kind, address, int(port), float(seconds)) for _ in range(int(times))}
print(json.dumps(sorted(found)))
"""
REFUSED, SILENT, CLOSED = "ConnectionRefusedError", "TimeoutError", ("closed", "ConnectionResetError")


def pod(
    name: str, node: str, *ports: tuple[str, int, str], app: str = "web", probed: bool = True, **spec: Any
) -> dict[str, Any]:
    """Return a pod that is Ready once somebody made its file ``/run/ready``, at once if it is not ``probed``."""
    probe = {
        "exec": {"command": ["test", "-f", "/run/ready"]},
        "periodSeconds": 1,
        "timeoutSeconds": 10,
        "failureThreshold": 1,
    }
    listed = [{"name": each, "containerPort": number, "protocol": kind} for each, number, kind in ports]
    probes = {"readinessProbe": probe} if probed else {}
    app_container = container(command=["sleep", "3600"], ports=listed, **probes)
    wanted = {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [app_container], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta(name), "labels": {"app": app}},
        "spec": wanted,
    }


def piece(name: str, of: str, *addresses: str, port: int = HTTP) -> dict[str, Any]:
    """Return an EndpointSlice that a user writes."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta(name), "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [one]} for one in addresses],
    }


class Walk(World):
    """Pods ``a``, ``b`` and ``c`` on a node each, which serve at different ports, and a client beside each."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.nodes = sorted(one["metadata"]["name"] for one in cluster.json("nodes")["items"])
        self.gateway = cluster.json("nodes")["items"][0]["status"]["addresses"][0]["address"]
        self.servers: list[subprocess.Popen[str]] = []

    def serve(self, name: str, *ports: str, pod: str = "") -> None:
        """Have a process in the pod's network answer with the name and its client's address."""
        server = self.inside(SERVE, name, *ports, pod=pod or name)
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    def be_ready(self, name: str, ready: bool = True) -> None:
        self.exec("touch" if ready else "rm", "/run/ready", pod=name)

    def address(self, name: str) -> str:
        return str(self.field("pod", name)["status"]["podIP"])

    def asked(self, client: str, address: str, port: int, kind: str = "tcp", times: int = 9) -> list[str]:
        """Return the different answers, words are shortened to the name; from this machine if ``client`` is ""."""
        words = (kind, address, str(port), str(times), "1")
        if client:
            said, _ = self.inside(ASK, *words, pod=client).communicate(timeout=60)
        else:
            argv = [sys.executable, "-c", ASK, *words]
            said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
        return [str(one) for one in json.loads(said)]

    def names(
        self, client: str, address: str, port: int = 80, kind: str = "tcp", times: int = 9
    ) -> list[str]:
        return [one.split()[0] for one in self.asked(client, address, port, kind, times)]

    def leads(self, client: str, address: str, port: int, *names: str, kind: str = "tcp") -> None:
        """Return once the client meets exactly these there."""
        found: list[str] = []

        def right() -> bool:
            found[:] = self.names(client, address, port, kind)
            return found == list(names)

        assert eventually_true(right), (client, address, port, found, names)

    def node_port(self, name: str, index: int = 0) -> int:
        return int(self.field("service", name)["spec"]["ports"][index]["nodePort"])

    def patch(self, name: str, **spec: Any) -> None:
        text = json.dumps({"spec": spec})
        self.cluster.kubectl("patch", "service", name, "-n", NAMESPACE, "--type=merge", "-p", text)


def eventually_true(check: Any, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(found)


@pytest.fixture(scope="module")
def walk() -> Iterator[dict[str, Walk]]:
    """Yield for each mode a cluster of its own."""
    with contextlib.ExitStack() as clusters, ThreadPoolExecutor(len(MODES)) as pool:
        made = [pool.submit(clusters.enter_context, cluster_of(mode)) for mode in MODES]
        yield {mode: one.result() for mode, one in zip(MODES, made, strict=True)}


@contextlib.contextmanager
def cluster_of(mode: str) -> Iterator[Walk]:
    """Yield three nodes in three zones, a server and a client on each, and a server in this machine's network."""
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    cluster = Cluster(home, f"t{uuid.uuid4().hex[:6]}")
    made: Walk | None = None
    try:
        cluster.run("cluster", "start", "--egress=false", "--nodes=3", f"--proxy-mode={mode}", *START)
        made = Walk(cluster)
        one, two, three = made.nodes
        hosted = free_port()
        both = [("http", HTTP, "TCP"), ("dns", DNS, "UDP")]
        made.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            pod("a", one, *both),
            pod("b", two, *both),
            pod("c", three, ("http", ALSO_HTTP, "TCP"), ("dns", DNS, "UDP")),
            pod("near-a", one, app="client", probed=False),
            pod("near-b", two, app="client", probed=False),
            pod("near-c", three, app="client", probed=False),
            pod("hosted", two, ("http", hosted, "TCP"), app="hosted", probed=False, hostNetwork=True),
            service("web", ports=PORTS),
        )
        words = ("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "-n", NAMESPACE)
        cluster.run(*words, "--timeout=60s")
        for name in ("a", "b"):
            made.serve(name, f"{HTTP}/tcp", f"{DNS}/udp")
        made.serve("c", f"{ALSO_HTTP}/tcp", f"{DNS}/udp")
        made.serve("hosted", f"{hosted}/tcp")
        for name in ("a", "b", "c"):
            made.be_ready(name)
        for app in ("web", "hosted"):
            cluster.ready(f"app={app}", NAMESPACE)
        yield made
    finally:
        for server in made.servers if made else ():
            server.kill()
            server.communicate()
        cluster.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


PORTS = [
    {"name": "http", "port": 80, "targetPort": "http"},
    {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
]
BALANCED: dict[str, Any] = {"type": "LoadBalancer", "ports": PORTS}


def test_addresses_are_given_by_band_and_have_their_objects(walk: Walk) -> None:
    walk.apply(service("fixed", ports=PORTS, clusterIP="10.96.0.77"))
    holder = walk.cluster.json("ipaddress", "10.96.0.77")["spec"]["parentRef"]
    assert (holder["namespace"], holder["name"]) == (NAMESPACE, "fixed")
    assert int(walk.cluster_ip("web").split(".")[2]) >= 1  # the first 256 addresses are for those who ask
    text = json.dumps(service("late", ports=PORTS, clusterIP="10.96.0.77"))
    refused = walk.cluster.kubectl("create", "-f", "-", stdin=text, code=1).stderr
    assert 'spec.clusterIPs: Invalid value: ["10.96.0.77"]: failed to allocate IP 10.96.0.77' in refused
    assert "provided IP is already allocated" in refused
    walk.leads("near-a", "10.96.0.77", 80, "a", "b", "c")
    walk.cluster.run("delete", "service", "fixed", "-n", NAMESPACE)
    assert eventually_true(
        lambda: walk.cluster.run("get", "ipaddress", "10.96.0.77", code=None).returncode == 1
    )
    walk.leads("near-a", "10.96.0.77", 80, REFUSED)


def test_ports_are_found_by_name_on_each_pod_and_for_each_protocol(walk: Walk) -> None:
    address = walk.cluster_ip("web")
    walk.leads("near-b", address, 80, "a", "b", "c")
    walk.leads("near-b", address, 53, "a", "b", "c", kind="udp")
    assert walk.names("near-b", address, 53) == [REFUSED]
    # The packet is refused in the pod's own namespace: the kernel tells the program so in this way.
    assert walk.names("near-b", address, 80, "udp", 1) == ["PermissionError"]


def test_outside_addresses_are_taken_over_in_pods(walk: Walk) -> None:
    walk.apply(service("outer", ports=PORTS, externalIPs=[OUTSIDE]))
    walk.leads("near-a", OUTSIDE, 80, "a", "b", "c")
    walk.patch("outer", selector={"app": "nobody"})
    walk.leads("near-a", OUTSIDE, 80, REFUSED)
    walk.patch("outer", externalIPs=None)
    assert "externalTrafficPolicy" not in walk.field("service", "outer")["spec"]


def test_endpoints_may_be_written_by_hand_in_both_forms(walk: Walk) -> None:
    walk.apply(service("manual", ""), piece("by-hand", "manual", walk.address("b")))
    walk.leads("near-a", walk.cluster_ip("manual"), 80, "b")
    old = {"addresses": [{"ip": walk.address("a")}], "ports": [{"name": "http", "port": HTTP}]}
    head = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta("mirrored")}
    walk.apply(service("mirrored", ""), {**head, "subsets": [old]})
    walk.leads("near-b", walk.cluster_ip("mirrored"), 80, "a")


def test_who_is_not_ready_gets_traffic_only_where_that_is_wanted(walk: Walk) -> None:
    walk.apply(service("eager", publishNotReadyAddresses=True))
    walk.be_ready("a", False)
    try:
        walk.leads("near-a", walk.cluster_ip("web"), 80, "b", "c")
        walk.leads("near-a", walk.cluster_ip("eager"), 80, "a", "b", "c")
    finally:
        walk.be_ready("a")
    walk.leads("near-a", walk.cluster_ip("web"), 80, "a", "b", "c")


def test_a_client_keeps_its_endpoint_for_as_long_as_is_said(walk: Walk) -> None:
    config = {"clientIP": {"timeoutSeconds": 10}}
    sticky = service("sticky", type="NodePort", sessionAffinity="ClientIP", sessionAffinityConfig=config)
    walk.apply(sticky)
    ways = [("near-a", walk.cluster_ip("sticky"), 80), ("", "127.0.0.1", walk.node_port("sticky"))]
    for way in ways:
        assert eventually_true(lambda way=way: set(walk.names(*way)) <= {"a", "b", "c"})
        assert eventually_true(lambda way=way: len(walk.names(*way)) == 1)
    first = [walk.names(*way) for way in ways]
    assert [len(each) for each in first] == [1, 1]
    walk.patch("sticky", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 1}})
    changed = [False, False]

    def all_changed() -> bool:
        time.sleep(1.5)
        for index, way in enumerate(ways):
            (found,) = walk.names(*way, times=1)
            changed[index] |= found in {"a", "b", "c"} - set(first[index])
        return all(changed)

    assert eventually_true(all_changed)


def test_the_internal_policy_keeps_traffic_on_the_clients_node(walk: Walk) -> None:
    walk.apply(service("inner", internalTrafficPolicy="Local"))
    address = walk.cluster_ip("inner")
    for name in ("a", "b", "c"):
        walk.leads(f"near-{name}", address, 80, name)
    walk.be_ready("c", False)
    try:
        walk.leads("near-a", address, 80, "a")
        assert eventually_true(lambda: walk.names("near-c", address, times=1) == [SILENT])
        said = walk.cluster.run("why", "svc/inner", "--from", "near-c", "-n", NAMESPACE, code=1).stdout
        assert f"on node {walk.nodes[2]} sends is dropped, since its node has no endpoint" in said
    finally:
        walk.be_ready("c")


def test_a_client_keeps_its_endpoint_while_ports_come_and_go(walk: Walk) -> None:
    walk.apply(service("faithful", type="NodePort", sessionAffinity="ClientIP"))
    way = "", "127.0.0.1", walk.node_port("faithful")
    assert eventually_true(lambda: set(walk.names(*way)) <= {"a", "b", "c"})
    first = walk.names(*way)
    for _ in range(3):
        port = spare_node_port()
        walk.apply(service("passing", type="NodePort", ports=[{**PORTS[0], "nodePort": port}]))
        walk.leads("", "127.0.0.1", port, "a", "b", "c")
        assert walk.names(*way) == first


@pytest.mark.parametrize("wish", ["PreferSameNode", "PreferSameZone", "PreferClose"])
def test_traffic_is_kept_close_while_there_is_somebody_close(walk: Walk, wish: str) -> None:
    walk.apply(service("close", trafficDistribution=wish))
    address = walk.cluster_ip("close")
    for name in ("a", "b", "c"):
        walk.leads(f"near-{name}", address, 80, name)
    walk.patch("close", trafficDistribution=None)
    walk.leads("near-a", address, 80, "a", "b", "c")


def test_a_client_without_anybody_close_uses_all_others(walk: Walk) -> None:
    walk.apply(service("close", trafficDistribution="PreferSameNode"))
    walk.be_ready("a", False)
    try:
        walk.leads("near-a", walk.cluster_ip("close"), 80, "b", "c")
        walk.leads("near-b", walk.cluster_ip("close"), 80, "b")
    finally:
        walk.be_ready("a")


def test_who_ends_serves_on_while_no_other_does(walk: Walk) -> None:
    walk.apply(
        pod(
            "leaving", walk.nodes[0], ("http", HTTP, "TCP"), app="leaving", terminationGracePeriodSeconds=120
        ),
        service("leaving", "leaving"),
    )
    eventually(lambda: walk.field("pod", "leaving")["status"].get("phase") == "Running")
    walk.serve("leaving", f"{HTTP}/tcp")
    walk.be_ready("leaving")
    address = walk.cluster_ip("leaving")
    walk.leads("near-a", address, 80, "leaving")
    walk.cluster.run("delete", "pod", "leaving", "-n", NAMESPACE, "--wait=false")

    def is_told() -> bool:
        slices = ("endpointslices", "-n", NAMESPACE, "-l", "kubernetes.io/service-name=leaving")
        found = [each for piece in walk.cluster.json(*slices)["items"] for each in piece["endpoints"]]
        return any(each["conditions"].get("terminating") for each in found)

    eventually(is_told)
    assert walk.names("near-a", address) == ["leaving"]
    said = walk.cluster.out("describe", "service", "leaving", "-n", NAMESPACE)
    assert "in       it is being deleted but still serves, and no other is ready" in said
    walk.cluster.run("delete", "pod", "leaving", "-n", NAMESPACE, "--force", "--grace-period=0")
    walk.leads("near-a", address, 80, REFUSED)


def test_ports_of_both_protocols_are_published(walk: Walk) -> None:
    walk.apply(service("both", **BALANCED))
    address = walk.balancer("service", "both")
    http, dns = walk.node_port("both"), walk.node_port("both", 1)
    walk.leads("", "127.0.0.1", http, "a", "b", "c")
    walk.leads("", "127.0.0.1", dns, "a", "b", "c", kind="udp")
    walk.leads("", address, 80, "a", "b", "c")
    walk.leads("", address, 53, "a", "b", "c", kind="udp")
    walk.leads("near-a", walk.gateway, http, "a", "b", "c")
    walk.leads("near-a", walk.gateway, dns, "a", "b", "c", kind="udp")
    walk.leads("near-a", address, 53, "a", "b", "c", kind="udp")


def test_pods_in_the_hosts_network_serve_by_every_address(walk: Walk) -> None:
    walk.apply(service("hosted", "hosted", type="LoadBalancer"))
    address = walk.balancer("service", "hosted")
    walk.leads("near-a", walk.cluster_ip("hosted"), 80, "hosted")
    walk.leads("near-a", walk.gateway, walk.node_port("hosted"), "hosted")
    walk.leads("", "127.0.0.1", walk.node_port("hosted"), "hosted")
    walk.leads("", address, 80, "hosted")
    walk.patch("hosted", externalTrafficPolicy="Local")
    walk.leads("", address, 80, "hosted")
    walk.patch("hosted", internalTrafficPolicy="Local")
    walk.leads("near-b", walk.cluster_ip("hosted"), 80, "hosted")
    assert eventually_true(lambda: walk.names("near-a", walk.cluster_ip("hosted"), times=1) == [SILENT])


def health(walk: Walk, address: str, port: int) -> tuple[int, Any]:
    words = ["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", f"http://{address}:{port}/healthz"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    body, _, status = said.rpartition("\n")
    return int(status or 0), json.loads(body) if body else None


def test_the_external_policy_local_serves_by_the_nodes_own_pods(walk: Walk) -> None:
    walk.apply(
        service("outward", "", type="LoadBalancer", externalTrafficPolicy="Local"),
        piece("nowhere", "outward", walk.address("a")),
    )
    address = walk.balancer("service", "outward")
    check = walk.field("service", "outward")["spec"]["healthCheckNodePort"]
    answer = {"service": {"namespace": NAMESPACE, "name": "outward"}, "serviceProxyHealthy": True}
    assert eventually_true(lambda: health(walk, "127.0.0.1", check) == (503, {**answer, "localEndpoints": 0}))
    walk.leads("near-a", address, 80, "a")
    assert eventually_true(lambda: set(walk.asked("", address, 80)) <= set(CLOSED))
    said = walk.cluster.run("why", "svc/outward", "-n", NAMESPACE, code=1).stdout
    assert "externalTrafficPolicy: Local" in said.partition("\n  ")[0]
    placed = piece("nowhere", "outward", walk.address("a"))
    placed["endpoints"][0]["nodeName"] = walk.nodes[0]
    walk.apply(placed)
    walk.leads("", address, 80, "a")
    assert walk.asked("", address, 80) == [f"a {walk.gateway}"]
    assert eventually_true(
        lambda: health(walk, walk.gateway, check) == (200, {**answer, "localEndpoints": 1})
    )
    walk.patch("outward", externalTrafficPolicy="Cluster")
    assert eventually_true(lambda: health(walk, "127.0.0.1", check) == (0, None))


def test_source_ranges_guard_the_balancers_address(walk: Walk) -> None:
    near = f"{walk.address('near-a')}/32"
    walk.apply(service("guarded", **BALANCED, loadBalancerSourceRanges=[near]))
    address = walk.balancer("service", "guarded")
    walk.leads("near-a", address, 80, "a", "b", "c")
    assert eventually_true(lambda: walk.names("near-b", address, times=1) == [SILENT])
    walk.leads("", "127.0.0.1", walk.node_port("guarded"), "a", "b", "c")
    assert eventually_true(lambda: set(walk.asked("", address, 80)) <= set(CLOSED))
    said = walk.cluster.run("why", "svc/guarded", "--from", "near-b", "-n", NAMESPACE, code=1).stdout
    assert f"is not in {near} and may not use {address}" in said.partition("\n  ")[0]


def test_a_balancer_without_node_ports_and_one_of_another_class(walk: Walk) -> None:
    walk.apply(
        service("bare", **BALANCED, allocateLoadBalancerNodePorts=False),
        service("theirs", **BALANCED, loadBalancerClass=FOREIGN),
    )
    walk.leads("", walk.balancer("service", "bare"), 80, "a", "b", "c")
    assert not any("nodePort" in port for port in walk.field("service", "bare")["spec"]["ports"])
    walk.leads("", "127.0.0.1", walk.node_port("theirs"), "a", "b", "c")
    assert walk.field("service", "theirs")["status"] == {"loadBalancer": {}}
    sentence = f"loadBalancerClass {FOREIGN} is another controller's"

    def is_told() -> bool:  # it is not before the name is known, which is the first link
        said = walk.cluster.run("why", "svc/theirs", "-n", NAMESPACE, code=1).stdout
        return sentence in said.partition("\n  ")[0]

    assert eventually_true(is_told)


def test_a_udp_client_with_one_port_follows_its_service(walk: Walk) -> None:
    """A flow that goes on looks to conntrack like the one to the endpoint that is gone."""
    walk.apply(service("flow", "", ports=[PORTS[1]]))
    slices = piece("flow", "flow", walk.address("a"), port=DNS)
    slices["ports"] = [{"name": "dns", "port": DNS, "protocol": "UDP"}]
    walk.apply(slices)
    walk.leads("near-b", walk.cluster_ip("flow"), 53, "a", kind="udp")
    script = ASK.replace("asking.settimeout(seconds)", "asking.bind(('', 40404)); asking.settimeout(seconds)")
    asking = ("udp", walk.cluster_ip("flow"), "53", "1", "1")

    def said() -> str:
        return walk.inside(script, *asking, pod="near-b").communicate(timeout=30)[0]

    assert eventually_true(lambda: said().startswith('["a '))
    walk.serve("a2", f"{ALSO_DNS}/udp", pod="a")
    walk.apply({**slices, "ports": [{**slices["ports"][0], "port": ALSO_DNS}]})
    assert eventually_true(lambda: said().startswith('["a2 '))
    slices["endpoints"] = [{"addresses": [walk.address("b")]}]
    walk.apply(slices)
    assert eventually_true(lambda: said().startswith('["b '))


def test_a_service_may_become_any_type_and_be_again_what_it_was(walk: Walk) -> None:
    name = "shifty"
    walk.apply(service(name))
    address = walk.cluster_ip(name)
    walk.leads("near-a", address, 80, "a", "b", "c")
    walk.patch(name, type="NodePort")
    number = walk.node_port(name)
    walk.leads("", "127.0.0.1", number, "a", "b", "c")
    walk.patch(name, type="LoadBalancer")
    balancer = walk.balancer("service", name)
    assert (walk.node_port(name), walk.cluster_ip(name)) == (number, address)
    walk.leads("", balancer, 80, "a", "b", "c")
    walk.patch(name, type="NodePort")
    walk.leads("", "127.0.0.1", number, "a", "b", "c")
    assert eventually_true(lambda: set(walk.asked("", balancer, 80)) <= {REFUSED})
    walk.patch(name, type="ClusterIP")
    assert eventually_true(lambda: walk.names("", "127.0.0.1", number) == [REFUSED])
    walk.leads("near-a", address, 80, "a", "b", "c")
    walk.patch(name, type="ExternalName", externalName=f"web.{NAMESPACE}.svc.cluster.local", clusterIP=None)
    walk.leads("near-a", address, 80, REFUSED)
    domain = f"{name}.{NAMESPACE}.svc.cluster.local"
    assert eventually_true(
        lambda: walk.cluster_ip("web") in walk.exec("nslookup", domain, pod="near-a").stdout
    )
    walk.patch(name, type="ClusterIP", externalName=None, clusterIP="None")
    headless = {walk.address(one) for one in ("a", "b", "c")}

    def found() -> bool:
        said = walk.exec("nslookup", domain, pod="near-a", code=None).stdout
        return all(one in said for one in headless) and walk.cluster_ip("web") not in said

    assert eventually_true(found)
    walk.patch(name, type="ExternalName", externalName="web.example", clusterIP=None)
    walk.patch(name, type="LoadBalancer", externalName=None)
    walk.leads("", walk.balancer("service", name), 80, "a", "b", "c")
    walk.leads("near-a", walk.cluster_ip(name), 80, "a", "b", "c")


def test_a_second_range_gives_addresses_that_lead_somewhere(walk: Walk) -> None:
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR"}
    more = {**kind, "metadata": {"name": "more"}, "spec": {"cidrs": ["10.112.7.0/24"]}}
    wrong = {**kind, "metadata": {"name": "wrong"}, "spec": {"cidrs": [f"{walk.gateway}/32"]}}
    said = walk.cluster.kubectl("create", "-f", "-", stdin=json.dumps(more))
    assert "Warning" not in said.stderr
    walk.apply(wrong)
    walk.cluster.run("wait", "--for=condition=Ready", "servicecidr/more", "--timeout=60s")
    walk.cluster.run("wait", "--for=condition=Ready=false", "servicecidr/wrong", "--timeout=60s")
    assert eventually_true(lambda: walk.names("near-a", "10.112.7.9", times=1) == [REFUSED])
    walk.apply(service("second", ports=PORTS, clusterIP="10.112.7.9"))
    walk.leads("near-a", "10.112.7.9", 80, "a", "b", "c")
    walk.leads("near-a", "10.112.7.9", 53, "a", "b", "c", kind="udp")
    assert walk.names("near-a", "10.112.7.10", times=1) == [REFUSED]
    domain = f"second.{NAMESPACE}.svc.cluster.local"
    assert eventually_true(
        lambda: "10.112.7.9" in walk.exec("nslookup", domain, pod="near-a", code=None).stdout
    )
    walk.cluster.run("delete", "servicecidr", "more", "wrong", "--wait=false")
    walk.cluster.run("wait", "--for=condition=Ready=false", "servicecidr/more", "--timeout=60s")
    assert walk.names("near-a", "10.112.7.9", times=60) == ["a", "b", "c"]
    walk.cluster.run("delete", "service", "second", "-n", NAMESPACE)
    assert eventually_true(lambda: "more" not in walk.cluster.out("get", "servicecidr"))

    def routes() -> str:
        script = "import subprocess; print(subprocess.run(['ip', 'route'], capture_output=True).stdout)"
        return str(walk.inside(script, pod="near-a").communicate(timeout=10)[0])

    assert eventually_true(lambda: "10.112.7.0" not in routes())
