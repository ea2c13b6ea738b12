"""What the Ingress proxy must do, held by the one in memory and by HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from minikctl import errors
from minikctl.drivers import listening
from minikctl.drivers.engine import Engine
from minikctl.drivers.fake_haproxy import FakeProxy
from minikctl.drivers.haproxy import MOUNT, HaproxyContainer, Proxy, Refused
from minikctl.network import certificates
from minikctl.plan import haproxy, ingress, ingress_haproxy, publisher_haproxy
from minikctl.plan.haproxy import Rendered
from minikctl.plan.proxy_view import Target
from minikctl.plan.publisher_haproxy import Published
from minikctl.runtime.clock import SystemClock
from tests.fakes.ports import free_port
from tests.plan.ingress.cases import certificate, make, path, rule, view

PEM = certificates.self_signed(SystemClock())
OTHER_PEM = certificates.self_signed(SystemClock())


class LocalEngine:
    """The part of an engine that the driver uses: commands run on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        words = [word.replace(f"{MOUNT}/", f"{self.directory}/") for word in argv]
        done = await asyncio.to_thread(
            subprocess.run, words, capture_output=True, timeout=timeout_seconds, check=False
        )
        return done.returncode, done.stdout + done.stderr + container_id.encode()


@dataclasses.dataclass
class Bench:
    """A proxy and how to start it; ``ports`` are those of HTTP and HTTPS, none when nothing is real."""

    proxy: Proxy
    place: ingress_haproxy.Place
    start: Callable[[], None]
    real: bool

    def rendered(
        self,
        *ingresses: Any,
        pem: str = PEM,
        slots: Any = None,
        targets: Sequence[Target] = (),
        ports: Mapping[str, int] | None = None,
    ) -> Rendered:
        """Return a configuration whose backends have these targets, or one at their port of loopback."""
        found = view(*ingresses, certificates=[dataclasses.replace(certificate("s"), pem=pem)])
        routes = ingress.routing(found)
        backends = {
            name: dataclasses.replace(
                one,
                targets=(Target("127.0.0.1", ports[name.partition(":")[0]]),) if ports else tuple(targets),
            )
            for name, one in routes.backends.items()
        }
        routes = dataclasses.replace(routes, backends=backends)
        return ingress_haproxy.render(routes, found.certificates, PEM, slots or {}, self.place)

    async def answer(self, host: str, path: str = "/") -> tuple[int, str]:
        """Return status and body of a request, each on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.place.http_port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        text = (await reader.read(-1)).decode()
        writer.close()
        head, _, body = text.partition("\r\n\r\n")
        return int(head.split()[1]), body

    def shown(self, host: str) -> bytes:
        """Return the certificate for a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.place.https_port), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True) or b""


@pytest.fixture(params=["fake", "haproxy"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    ports = [free_port() for _ in range(4)]
    place = ingress_haproxy.Place(ports[0], ports[1], ports[2], ports[3], str(tmp_path / "run"))
    if request.param == "fake":
        yield Bench(FakeProxy(), place, lambda: None, real=False)
        return
    if shutil.which("haproxy") is None:
        pytest.skip("HAProxy is not installed")
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        words = [
            "haproxy",
            "-W",
            "-S",
            f"{tmp_path}/run/master.sock",
            "-f",
            f"{tmp_path}/current/haproxy.cfg",
        ]
        with (tmp_path / "said").open("w") as said:
            running.append(subprocess.Popen(words, stderr=said))

    engine: Any = LocalEngine(tmp_path)
    try:
        yield Bench(HaproxyContainer(engine, str(tmp_path)), place, start, real=True)
    finally:
        for process in running:
            process.kill()
            process.wait()
            print((tmp_path / "said").read_text())  # noqa: T201 - shown with a failure


async def started(bench: Bench, rendered: Rendered) -> None:
    """Keep a first configuration and start the proxy with it."""
    bench.proxy.keep(rendered.files)
    bench.start()
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(errors.DriverError):
                await bench.proxy.command(["show info"])
                return
            await asyncio.sleep(0.03)


WEB = make("web", rule("h", path("/", "a")))


async def test_what_is_kept_is_held(bench: Bench) -> None:
    assert bench.proxy.held() == {}
    first, second = bench.rendered(), bench.rendered(WEB)
    bench.proxy.keep(first.files)
    bench.proxy.keep(second.files)
    assert bench.proxy.held() == second.files


async def test_a_loaded_configuration_is_held_and_serves(bench: Bench) -> None:
    await started(bench, bench.rendered())
    rendered = bench.rendered(WEB)
    await bench.proxy.load("c", rendered.files)
    assert bench.proxy.held() == rendered.files
    if bench.real:
        assert (await bench.answer("h"))[0] == 503
        assert await bench.answer("other") == (404, "no rule of any Ingress matches\n")


@pytest.mark.timeout(60)
async def test_a_reload_does_not_forget_how_often_a_client_has_asked(bench: Bench) -> None:
    notes = {"limit-rpm": "2", "limit-burst-multiplier": "1", "permanent-redirect": "/there"}
    annotations = {f"nginx.ingress.kubernetes.io/{key}": text for key, text in notes.items()}
    limited = make("few", rule("few", path("/", "a")), annotations=annotations)
    await started(bench, bench.rendered(limited))
    if not bench.real:
        return
    assert [(await bench.answer("few"))[0] for _ in range(3)] == [301, 301, 503]
    for other in (WEB, make("other", rule("o", path("/", "a")))):
        await in_sync(bench)  # a process hands nothing on as long as it waits for what one before it knew
        await bench.proxy.load("c", bench.rendered(limited, other).files)
        await in_sync(bench)
        assert (await bench.answer("few"))[0] == 503


async def in_sync(bench: Bench) -> None:
    """Return once the proxy has what a process before it knew of clients: after five seconds it waits no more."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(f"{bench.place.sockets}/admin.sock")
                writer.write(b"show peers\n")
                said = (await reader.read()).decode()
                writer.close()
                state = re.search(r"id=clients \S+ flags=0x([0-9a-f]+)", said)
                if state is not None and int(state[1], 16) & 3 == 3:
                    return
            await asyncio.sleep(0.05)


async def test_a_proxy_that_is_still_to_be_given_routes_says_so(bench: Bench) -> None:
    rendered = bench.rendered(WEB)
    await started(bench, dataclasses.replace(rendered, files=ingress_haproxy.waiting(rendered.files)))
    if bench.real:
        assert (await bench.answer("h"))[0] == 503
        assert await bench.answer("other") == (503, "routes are awaited\n")
    await bench.proxy.load("c", rendered.files)
    if bench.real:
        assert (await bench.answer("other"))[0] == 404


async def test_a_refused_configuration_leaves_the_last_good_one(bench: Bench) -> None:
    good = bench.rendered(WEB)
    await started(bench, good)
    bad = {**good.files, "haproxy.cfg": good.files["haproxy.cfg"] + "  nonsense default_a_80\n"}
    if isinstance(bench.proxy, FakeProxy):
        bench.proxy.refuses = lambda files: "unknown keyword" if files == bad else ""
    with pytest.raises(Refused, match="unknown keyword"):
        await bench.proxy.load("c", bad)
    assert bench.proxy.held() == good.files
    await bench.proxy.load("c", bench.rendered(WEB, make("more", rule("i", path("/", "b")))).files)


async def test_what_was_not_looked_at_and_is_refused_leaves_the_last_good_one(bench: Bench) -> None:
    good = bench.rendered(WEB)
    await started(bench, good)
    await again(bench, good)
    bad = {**good.files, haproxy.CONFIG: good.files[haproxy.CONFIG] + "\nnonsense\n"}
    if isinstance(bench.proxy, FakeProxy):
        bench.proxy.refuses = lambda files: "unknown keyword" if files == bad else ""
    with pytest.raises(Refused, match="could not load"):
        await bench.proxy.load("c", bad, looked_at=False)
    assert bench.proxy.held() == good.files
    if bench.real:
        assert (await bench.answer("h"))[0] == 503
    more = bench.rendered(WEB, make("more", rule("i", path("/", "b"))))
    await again(bench, more)
    assert bench.proxy.held() == more.files
    if bench.real:
        assert (await bench.answer("i"))[0] == 503


async def again(bench: Bench, rendered: Rendered) -> None:
    """Load as controllers do after a failure: until it succeeds, as the master is begun anew in between."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(errors.DriverError):
                await bench.proxy.load("c", rendered.files, looked_at=False)
                return
            await asyncio.sleep(0.05)


ANNOTATION = "nginx.ingress.kubernetes.io/"
REGEX = {ANNOTATION + "use-regex": "true"}
EXPRESSION = make("r", rule("r", path("/in/.*", "a", "ImplementationSpecific")), annotations=REGEX)
ANY = make("any", rule("", path("/", "b")))
WILD = make("w", rule("*.w", path("/.*", "a", "ImplementationSpecific")), annotations=REGEX)
EXACT = make("x", rule("x.w", path("/", "b")))
ASKING = make("q", rule("q", path("/", "a")), annotations={ANNOTATION + "auth-url": "http://$host/may"})
ASKED = make("m", rule("q", path("/may", "b")))


@pytest.mark.parametrize(
    ("ingresses", "host", "path", "word"),
    [
        ((ASKING, ASKED), "q", "/x", "a"),
        ((ASKING,), "q", "/x", "500"),
        ((WEB,), "H:80", "/x", "a"),
        ((make("in", rule("h", path("/in", "a"))),), "h/in", "/out", "404"),
        ((make("in", rule("h", path("/in", "a", "Exact"))),), "h/in", "/out", "404"),
        ((make("in", rule("h", path("/é", "a"))),), "h", "/%c3%a9/x", "a"),
        ((make("in", rule("h", path("/%c3%a9", "a", "Exact"))),), "h", "/%C3%A9", "a"),
        ((EXPRESSION,), "r", "/in/x", "a"),
        ((EXPRESSION,), "r/in", "/out", "404"),
        ((EXPRESSION, ANY), "r/in", "/out", "404"),
        ((EXPRESSION, ANY), "other", "/in/x", "b"),
        ((WILD, EXACT), "x.w", "/", "b"),
        ((WILD, EXACT), "y.w", "/", "a"),
        ((WILD, EXACT), "z.y.w", "/", "404"),
    ],
)
async def test_a_host_leads_by_its_own_rules_and_is_no_part_of_the_path(
    bench: Bench, ingresses: Sequence[Any], host: str, path: str, word: str
) -> None:
    async with serving("a") as one, serving("b") as two:
        targets = {"default_a_80": one, "default_b_80": two}
        rendered = bench.rendered(*ingresses, ports=targets)
        await started(bench, rendered)
        if bench.real:
            status, said = await bench.answer(host, path)
            assert (said if status == 200 else str(status)) == word


async def test_the_query_is_passed_on_as_it_came_whatever_the_path(bench: Bench) -> None:
    app = serving("a")
    async with app as port:
        await started(bench, bench.rendered(WEB, ports={"default_a_80": port}))
        if bench.real:
            for target in ("/%c3%41?off=100%&sign=%7e%3a", "/%41?", "/%41", "/x?off=100%"):
                assert await bench.answer("h", target) == (200, "a")
            assert app.asked == ["/%C3A?off=100%&sign=%7e%3a", "/A?", "/A", "/x?off=100%"]
            assert (await bench.answer("h", "/100%?x=1"))[0] == 400


async def test_endpoints_change_in_the_running_process(bench: Bench) -> None:
    async with serving("one") as one, serving("two") as two:
        first = bench.rendered(WEB, targets=[Target("127.0.0.1", one)])
        await started(bench, first)
        second = bench.rendered(WEB, slots=first.slots, targets=[Target("127.0.0.1", two)])
        if bench.real:
            assert await bench.answer("h") == (200, "one")
        await bench.proxy.command(haproxy.commands(first.slots, second.slots))
        if bench.real:
            assert await bench.answer("h") == (200, "two")
            with pytest.raises(errors.DriverError, match="No such"):
                await bench.proxy.command(["set server nobody/s1 state ready"])


async def test_a_certificate_changes_in_the_running_process(bench: Bench) -> None:
    secured = make("s", rule("h", path("/", "a")), tls=[{"hosts": ["h"], "secretName": "s"}])
    await started(bench, bench.rendered(secured))
    await bench.proxy.certificate("certs/default_s.pem", OTHER_PEM)
    if bench.real:
        wanted = ssl.PEM_cert_to_DER_cert(OTHER_PEM.partition("-----BEGIN PRIVATE")[0])
        assert await asyncio.to_thread(bench.shown, "h") == wanted
        assert await asyncio.to_thread(bench.shown, "other") != wanted
        with pytest.raises(errors.DriverError):
            await bench.proxy.certificate("certs/default_s.pem", "nonsense")


async def test_reloading_loses_no_request(bench: Bench) -> None:
    async with serving("one") as port:
        target = [Target("127.0.0.1", port)]
        await started(bench, bench.rendered(WEB, targets=target))
        for number in range(3):
            extra = make(f"extra-{number}", rule(f"extra-{number}", path("/", "b")))
            load = bench.proxy.load("c", bench.rendered(WEB, extra, targets=target).files)
            done = asyncio.ensure_future(load)
            while bench.real and not done.done():
                assert await bench.answer("h") == (200, "one")
            await done


async def test_a_proxy_that_does_not_run_is_an_error(bench: Bench) -> None:
    if isinstance(bench.proxy, FakeProxy):
        bench.proxy.answers = False
    rendered = bench.rendered()
    bench.proxy.keep(rendered.files)
    with pytest.raises(errors.DriverError):
        await bench.proxy.command(["show info"])
    with pytest.raises(errors.DriverError):
        await bench.proxy.load("c", bench.rendered(WEB).files)
    assert bench.proxy.held() == rendered.files


class serving:
    """An HTTP server on loopback that answers each request with a word; gives its port."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.asked: list[str] = []

    async def __aenter__(self) -> int:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(request.split()[1].decode())
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.word)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + self.word.encode())
        await writer.drain()
        writer.close()

    async def __aexit__(self, *error: object) -> None:
        self.server.close()


async def test_ports_are_published_and_moved_without_a_break(bench: Bench) -> None:
    """The configuration of published ports is taken too, and its listeners survive a reload."""
    number, other = free_port(), free_port()
    place = publisher_haproxy.Place("127.0.0.1", str(bench.place.sockets))
    async with serving("one") as served:
        target = Target("127.0.0.1", served)
        port = Published(
            ("default", "web"), 80, (("127.0.0.1", number),), (target,), balancers=("127.0.0.1",)
        )
        limited = dataclasses.replace(port, sources=("192.0.2.0/24",))
        more = dataclasses.replace(
            port, service=("default", "too"), binds=(("127.0.0.1", other),), affinity_seconds=60
        )
        await started(bench, publisher_haproxy.render((port,), (), {}, place))
        await bench.proxy.load("c", publisher_haproxy.render((port, more), (), {}, place).files)
        if bench.real:
            assert "one" in await said(number)
            assert "one" in await said(other)
            assert {("127.0.0.1", number), ("127.0.0.1", other)} <= listening.of_this_machine()
        await bench.proxy.load("c", publisher_haproxy.render((limited,), (), {}, place).files)
        if bench.real:
            assert await said(number) == ""


async def said(port: int) -> str:
    """Return what a port answers to a request, "" when it hangs up."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = (await reader.read(-1)).decode()
    except ConnectionResetError:
        return ""
    writer.close()
    return answer


class OtherPlace(LocalEngine):
    """An engine whose container has another directory mounted than the driver writes to."""

    killed: tuple[str, ...] = ()

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        code, output = await super().run(container_id, argv, timeout_seconds)
        return code, output.replace(f"{self.directory}/".encode(), f"{MOUNT}/".encode())

    async def kill(self, container_id: str) -> None:
        self.killed = (*self.killed, container_id)


@pytest.mark.parametrize("looked_at", [True, False])
async def test_a_container_that_has_another_directory_is_ended(tmp_path: Path, looked_at: bool) -> None:
    for name in ("before", "now"):
        (tmp_path / name).mkdir()
    engine = OtherPlace(tmp_path / "before")
    proxy = HaproxyContainer(cast(Engine, engine), str(tmp_path / "now"))
    proxy.keep({"haproxy.cfg": "global\n"})
    with pytest.raises(errors.DriverError, match="it is started anew"):
        await proxy.load("c1", {"haproxy.cfg": "defaults\n"}, looked_at=looked_at)
    assert engine.killed == ("c1",)
    assert proxy.held() == {"haproxy.cfg": "global\n"}
