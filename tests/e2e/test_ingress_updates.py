"""What changes under an Ingress that is in use: no request is lost, no connection is reset, and little is loaded anew."""

from __future__ import annotations

import base64
import http.client
import shlex
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from minikctl.client import kubeconfig
from minikctl.client.home import ClusterHome
from minikctl.client.http import HttpClient
from tests.e2e.conftest import PROGRAM, Cluster, eventually
from tests.e2e.site import Site, annotated, ingress, opened, path, rule
from tests.e2e.test_network import NAMESPACE, der, meta, presented, self_signed, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SERVICES, CHANGES, WRITERS = 100, 10_000, 4
USERS = 4


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    with opened(cluster, ingress("main", rule("one.test", path("/", "a")))) as made:
        yield made


class Users:
    """Clients that ask without a pause, each on a connection that it keeps until it is told that it ends."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], host: str) -> None:
        self.answers = 0
        self.connections = 0
        self.failures: list[str] = []
        self._connect, self._host = connect, host
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(USERS)]

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = self._connect()
        while not self._over.is_set():
            if connection.sock is None:
                self.connections += 1
            try:
                connection.request("POST", "/", b"x" * 100, {"Host": self._host})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.answers += 1
            time.sleep(0.01)
        connection.close()


def plain(site: Site) -> Callable[[], http.client.HTTPConnection]:
    return lambda: http.client.HTTPConnection(site.address, timeout=10)


def secure(site: Site) -> Callable[[], http.client.HTTPConnection]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return lambda: http.client.HTTPSConnection(site.address, timeout=10, context=context)


def loaded(site: Site) -> str:
    """Return when the proxy's worker began, which is when it last loaded its configuration."""
    pod = site.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=minikctl-ingress")["items"][0]
    url = f"http://{pod['status']['podIP']}:10254/metrics"
    metrics = site.exec("curl", "-sS", "-m", "5", url, pod="a").stdout.splitlines()
    (found,) = [line for line in metrics if line.startswith("haproxy_process_start_time_seconds ")]
    return found


def test_certificates_change_under_load_without_a_reload(site: Site, tmp_path: Path) -> None:
    tls = [{"hosts": ["tls.test"], "secretName": "web-tls"}]
    site.apply(self_signed(tmp_path, "tls.test"), ingress("tls", rule("tls.test", path("/", "a")), tls=tls))
    site.settled("tls")
    before = loaded(site)
    with Users(secure(site), "tls.test") as users:
        for _ in range(8):
            renewed = self_signed(tmp_path, "tls.test")
            site.apply(renewed)
            eventually(lambda: presented(site.address, "tls.test") == der(renewed))  # noqa: B023
    assert users.failures == []
    assert users.answers > 100
    assert users.connections == USERS, "established connections stay"
    assert loaded(site) == before


def test_rules_change_under_load_and_nobody_is_cut_off(site: Site) -> None:
    before = loaded(site)
    with Users(plain(site), "one.test") as users, Users(secure(site), "one.test") as others:
        for number in range(6):
            site.apply(annotated("churn", {"app-root": f"/{number}"}))
            eventually(lambda: f"location: /{number}" in site.ask("churn.test")[2].lower())  # noqa: B023
        site.cluster.run("delete", "ingress", "churn", "-n", NAMESPACE)
        eventually(lambda: site.ask("churn.test")[0] == 404)
    assert users.failures + others.failures == []
    assert min(users.answers, others.answers) > 100
    assert loaded(site) != before


def piece(number: int, address: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta(f"busy-{number}"), "labels": {"kubernetes.io/service-name": f"busy-{number}"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address]}],
    }


def test_ten_thousand_changes_of_endpoints_of_a_hundred_services_harm_nobody(site: Site) -> None:
    """Through the Ingress, which loads nothing anew, and within the cluster; and the last ones hold."""
    pods = {name: site.field("pod", name)["status"]["podIP"] for name in "bc"}
    site.apply(*(service(f"busy-{number}", "") for number in range(SERVICES)))
    site.apply(*(piece(number, pods["b"]) for number in range(SERVICES)))
    rules = [rule(f"busy-{number}.test", path("/", f"busy-{number}")) for number in range(SERVICES)]
    site.apply(ingress("busy", *rules))
    site.settled("busy")
    eventually(lambda: answering(site) == "b" * SERVICES)
    before = loaded(site)

    def write(numbers: range) -> None:
        config = kubeconfig.load(ClusterHome(site.cluster.name, site.cluster.home).kubeconfig)
        with HttpClient(kubeconfig.resolve(config)) as client:
            for turn in range(CHANGES // SERVICES):
                for number in numbers:
                    target = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/busy-{number}"
                    client.request("PUT", target, piece(number, pods["bc"[turn % 2]]))

    with (
        Users(plain(site), "one.test") as users,
        site.visited("d", pod="a"),
        ThreadPoolExecutor(WRITERS) as pool,
    ):
        list(pool.map(write, [range(first, SERVICES, WRITERS) for first in range(WRITERS)]))
        eventually(lambda: answering(site) == "c" * SERVICES)
        addresses = [f"http://{site.cluster_ip(f'busy-{number}')}/" for number in range(SERVICES)]
        ask = ("curl", "-sS", "-m", "2", *addresses)
        eventually(lambda: site.exec(*ask, pod="a", code=None).stdout.count('"pod": "c"') == SERVICES)
    assert users.failures == []
    assert users.answers > 100
    assert loaded(site) == before


def answering(site: Site) -> str:
    """Return which pod answers for each of the Services."""
    found = ""
    for number in range(SERVICES):
        connection = http.client.HTTPConnection(site.address, timeout=5)
        connection.request("GET", "/", headers={"Host": f"busy-{number}.test"})
        _, _, rest = connection.getresponse().read().decode().partition('"pod": "')
        connection.close()
        found += rest[:1]
    return found


def test_a_machine_trusts_the_local_authority_and_takes_the_trust_back(site: Site, tmp_path: Path) -> None:
    """In a mount namespace of the test's own, so that this machine trusts nobody new."""
    site.apply(ingress("trusted", rule("trusted.localhost", path("/", "a"))))
    site.settled("trusted")
    resolve = f"trusted.localhost:443:{site.address}"
    ask = f"curl -sS -m 10 -o {tmp_path}/out --resolve {shlex.quote(resolve)} https://trusted.localhost/"
    listed = "certutil -d sql:$HOME/.mozilla/firefox/mine -L"
    copies = [
        f"mkdir -p {tmp_path}{place} && cp -a {place}/. {tmp_path}{place} && mount --bind {tmp_path}{place} {place}"
        for place in ("/etc/ssl/certs", "/usr/local/share/ca-certificates")
    ]
    script = [
        "set -e",
        *copies,
        f"export HOME={tmp_path}/home; mkdir -p $HOME/.mozilla/firefox/mine",
        "certutil -d sql:$HOME/.mozilla/firefox/mine -N --empty-password",
        f"if {ask}; then echo trusted before; exit 1; fi",
        f"{PROGRAM} certs trust --install",
        ask,
        f"{listed} | grep -q 'C,,'",
        f'grep -q \'"pod": "a"\' {tmp_path}/out',
        f"{PROGRAM} certs untrust --install",
        f"if {ask}; then echo trusted after; exit 1; fi",
        f"if {listed} | grep -q 'C,,'; then echo trusted by the browser after; exit 1; fi",
    ]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script)],
        capture_output=True,
        text=True,
        env=site.cluster.environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("done; programs that run already may have to be started again") == 2
    assert done.stderr.count("SSL certificate problem") == 2
    kept = base64.b64encode(site.cluster.out("certs", "ca").encode())
    assert kept not in base64.b64encode(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())
