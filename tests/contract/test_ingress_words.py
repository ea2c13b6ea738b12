"""What is accepted of Ingresses is taken by the proxy: no value of a user ends up as a word of its own.

Else one Ingress would be left out for a value that nobody has told of, or say to the proxy what it is to do.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from minikctl.network import certificates
from minikctl.plan import ingress, ingress_haproxy, publisher_haproxy
from minikctl.plan.ingress_routes import Credentials
from minikctl.plan.ingress_values import PREFIX
from minikctl.runtime.clock import SystemClock
from tests.plan.ingress.cases import make, path, rule, view
from tests.plan.proxy.cases import service

_VALUES = """
a / /x%y /$1 $1 $host $request_uri #c \\ \\1 { } %[src] % %% [ ] ( a|b ^$ .* http://h/ https://$host/a?b=c&d=%20 ~x * *.a.b
on off any error http_502 $http_x_a $cookie_x $arg_b ${host} $namespace $service_name a,b 1 0 100 1.2.3.4 10.0.0.0/8 ::/0 true false é 1k 9g X-A x_y if unless (?i)a [a-z]+ $uri$args ' " a'b ; ! & < > || -1 -f -- 3s
"""
VALUES = [
    *_VALUES.split(),
    "/a /b",
    "a.test .b.test",
    "a b;",
    "error timeout",
    "x y",
    "{ src 1 }",
    "a" * 300,
    "a\nb",
]
_NAMES = """
app-root auth-method auth-realm auth-response-headers auth-signin auth-signin-redirect-param auth-url backend-protocol
cors-allow-headers cors-allow-methods cors-allow-origin cors-expose-headers cors-max-age from-to-www-redirect limit-connections
limit-rps load-balance permanent-redirect permanent-redirect-code proxy-body-size proxy-connect-timeout proxy-read-timeout
rewrite-target server-alias session-cookie-max-age session-cookie-name session-cookie-path session-cookie-samesite
temporal-redirect upstream-hash-by upstream-vhost use-regex whitelist-source-range x-forwarded-prefix
auth-request-redirect default-backend enable-access-log limit-whitelist proxy-cookie-domain proxy-cookie-path
proxy-next-upstream proxy-next-upstream-tries proxy-redirect-from proxy-redirect-to proxy-ssl-name proxy-ssl-server-name
satisfy service-upstream session-cookie-domain
auth-tls-verify-client auth-tls-verify-depth auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream
proxy-ssl-verify proxy-ssl-ciphers proxy-ssl-protocols custom-headers custom-http-errors
"""
NAMES = _NAMES.split()
CANARY = ("by-header", "by-header-value", "by-header-pattern", "by-cookie", "weight")
ALWAYS = {"enable-cors": "true", "affinity": "cookie", "auth-type": "basic", "auth-secret": "s"}
TRUSTED = {
    "auth-tls-secret": "default/s",
    "proxy-ssl-secret": "s",
    "default-backend": "b",
    "custom-http-errors": "404,503",
}
PEM = certificates.self_signed(SystemClock())
CREDENTIALS = {("default", "s"): Credentials(PEM.partition("-----BEGIN PRIVATE")[0], "", PEM)}
USERS = {("default", "s"): [("tim", "$5$salt$x"), ("ann", "$apr1$s$x")]}


def noted(name: str, host: str, notes: dict[str, str], one: Any, created: str) -> Any:
    annotations = {PREFIX + key: text for key, text in notes.items()}
    return make(name, rule(host, one), annotations=annotations, created=created)


def some(chance: random.Random) -> list[Any]:
    """Return Ingresses whose annotations and paths are anything, and canaries beside them."""
    found = []
    for number in range(160):
        host = f"h{number}.test"
        text = chance.choice(["/", "/a(.*)", "/b[0-9]+/?(.*)", "/" + chance.choice(VALUES)])
        one = path(text, "a", chance.choice(["ImplementationSpecific", "Prefix", "Exact"]))
        notes = {name: chance.choice(VALUES) for name in chance.sample(NAMES, 4)}
        notes |= {name: text for name, text in {**ALWAYS, **TRUSTED}.items() if chance.random() < 0.4}
        beside = {f"canary-{name}": chance.choice(VALUES) for name in CANARY if chance.random() < 0.6}
        found.append(noted(f"i{number}", host, notes, one, "1"))
        found.append(noted(f"c{number}", host, {"canary": "true", **beside}, one, "2"))
    return found


def assert_taken(files: Mapping[str, str], directory: Path) -> None:
    """Fail, with what it says, unless HAProxy takes these files; skip where there is none."""
    if shutil.which("haproxy") is None:
        pytest.skip("HAProxy is not installed")
    for name, text in files.items():
        (directory / name).write_text(text)
    argv = ["haproxy", "-c", "-f", str(directory / "haproxy.cfg")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize("seed", range(6))
def test_what_is_accepted_is_taken_by_the_proxy(seed: int, tmp_path: Path) -> None:
    routes = ingress.routing(view(*some(random.Random(seed)), users=USERS, credentials=CREDENTIALS))
    assert len(routes.canaries) > 10
    place = ingress_haproxy.Place(sockets=str(tmp_path))
    files = ingress_haproxy.render(routes, {}, PEM, {}, place).files
    assert_taken(files, tmp_path)


def test_lists_of_any_length_are_taken_by_the_proxy(tmp_path: Path) -> None:
    ranges = [f"10.{number}.0.0/16" for number in range(150)]
    hosts = ",".join(f"https://h{number}.test" for number in range(150))
    notes = {f"{kind}-source-range": ",".join(ranges) for kind in ("whitelist", "denylist")}
    one = noted(
        "i", "h.test", {**notes, "enable-cors": "true", "cors-allow-origin": hosts}, path("/", "a"), "1"
    )
    place = ingress_haproxy.Place(sockets=str(tmp_path))
    routes, default = ingress.routing(view(one)), PEM
    assert_taken(ingress_haproxy.render(routes, {}, default, {}, place).files, tmp_path)
    ports = [{"port": 80, "nodePort": 30080}]
    balanced = service(
        "web", type="LoadBalancer", ports=ports, status=[{"ip": "127.0.1.2"}], loadBalancerSourceRanges=ranges
    )
    published = publisher_haproxy.published([balanced], [], "127.0.0.1")
    at = publisher_haproxy.Place("127.0.0.1", sockets=str(tmp_path))
    assert_taken(publisher_haproxy.render(published, (), {}, at).files, tmp_path)
