"""What filling name servers must do, held by the ones in memory and by BIND."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
import pytest_asyncio
import yaml

from minikctl import errors
from minikctl.drivers.bind import BindServers, NameServers, Restarted
from minikctl.drivers.fake_bind import FakeNameServers
from minikctl.network import system
from minikctl.plan import dns_records, dns_zones
from minikctl.plan.dns_records import Records
from tests.fakes.ports import free_port

SECRET = base64.b64encode(b"not much of a secret").decode()
ADDRESS = "127.0.0.1"
ZONE = "cluster.local"
MARKER = ("_minikctl.cluster.local.", "TXT")
WEB = ("web.default.svc.cluster.local.", "A")
ALIAS = ("alias.default.svc.cluster.local.", "CNAME")
PORT = ("_http._tcp.web.default.svc.cluster.local.", "SRV")


def started_by() -> str:
    """Return the script by which the pod starts its name server."""
    manifest = next(yaml.safe_load_all((system.MANIFESTS / "dns.yaml").read_text()))
    command: list[str] = manifest["spec"]["template"]["spec"]["containers"][0]["command"]
    return command[2]


@contextlib.contextmanager
def running(folder: Path, domain: str = ZONE, **config: Any) -> Iterator[int]:
    """Run a name server on loopback during the block; yield its port."""
    named = shutil.which("named", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if named is None:
        pytest.skip("BIND is not installed")
    port, zones = free_port(), dns_zones.zones(domain, ["10.96.0.0/16"])
    made = dns_zones.ServerConfig(domain, zones, "10.96.0.10", SECRET, zone_dir=str(folder), **config)
    for name, text in dns_zones.files(made).items():
        (folder / name).write_text(text.replace("port 53 { any; }", f"port {port} {{ {ADDRESS}; }}"))
    before, _, _ = started_by().partition("exec named")
    prepare = before.replace("/zones", str(folder)).replace("/config", str(folder))
    subprocess.run(
        ["sh", "-c", prepare], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stderr=subprocess.DEVNULL
    )
    with Path(folder / "log").open("w") as log:
        process = subprocess.Popen([named, "-f", "-n", "1", "-c", folder / "named.conf"], stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BindServers]:
    """Yield a driver that speaks to a name server of its own on loopback."""
    with running(tmp_path_factory.mktemp("named")) as port:
        yield BindServers(SECRET, port=port)


async def answering(servers: BindServers, zone: str = ZONE) -> Records:
    """Return what the server holds, once it answers."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(errors.DriverError):
                return await servers.records(ADDRESS, zone)
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(params=["fake", "bind"])
async def servers(request: pytest.FixtureRequest) -> AsyncIterator[NameServers]:
    """Yield a driver whose server holds nothing of a test."""
    if request.param == "fake":
        yield FakeNameServers()
        return
    found: BindServers = request.getfixturevalue("bind")
    held = await answering(found)
    await found.update(ADDRESS, ZONE, {key: frozenset() for key in held if not key[0].startswith("ns.dns")})
    yield found


async def held(servers: NameServers) -> dict[tuple[str, str], set[str]]:
    found = await servers.records(ADDRESS, ZONE)
    return {key: set(data) for key, data in found.items() if not key[0].startswith("ns.dns")}


async def test_record_sets_are_replaced_whole(servers: NameServers) -> None:
    srv = frozenset({"0 100 80 web.default.svc.cluster.local."})
    await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1", "10.0.0.2"}), PORT: srv})
    await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.3"})})
    assert await held(servers) == {WEB: {"10.0.0.3"}, PORT: set(srv)}


async def test_an_empty_set_deletes(servers: NameServers) -> None:
    await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})})
    await servers.update(ADDRESS, ZONE, {WEB: frozenset()})
    assert await held(servers) == {}


async def test_an_alias_and_an_address_take_each_others_place(servers: NameServers) -> None:
    address = (ALIAS[0], "A")
    await servers.update(ADDRESS, ZONE, {ALIAS: frozenset({"web.example."})})
    await servers.update(ADDRESS, ZONE, {ALIAS: frozenset(), address: frozenset({"10.0.0.1"})})
    assert await held(servers) == {address: {"10.0.0.1"}}
    await servers.update(ADDRESS, ZONE, {address: frozenset(), ALIAS: frozenset({"web.example."})})
    assert await held(servers) == {ALIAS: {"web.example."}}


async def test_an_update_that_expects_the_marker_changes_nothing_without_it(servers: NameServers) -> None:
    expected = (MARKER, '"one"')
    with pytest.raises(Restarted):
        await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})}, expected)
    await servers.update(ADDRESS, ZONE, {MARKER: frozenset({'"two"'})})
    with pytest.raises(Restarted):
        await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})}, expected)
    assert await held(servers) == {MARKER: {'"two"'}}
    await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})}, (MARKER, '"two"'))
    assert (await held(servers))[WEB] == {"10.0.0.1"}


async def test_many_records_are_one_message(servers: NameServers) -> None:
    many = {(f"s{n}.default.svc.cluster.local.", "A"): frozenset({f"10.0.1.{n}"}) for n in range(250)}
    await servers.update(ADDRESS, ZONE, many)
    assert len(await held(servers)) == 250


async def test_a_server_that_is_not_there_is_an_error() -> None:
    nobody = BindServers(SECRET, port=free_port())
    with pytest.raises(errors.DriverError, match=ADDRESS):
        await nobody.records(ADDRESS, ZONE)
    with pytest.raises(errors.DriverError, match=ADDRESS):
        await nobody.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})})
    fake = FakeNameServers()
    fake.down.add(ADDRESS)
    with pytest.raises(errors.DriverError, match=ADDRESS):
        await fake.records(ADDRESS, ZONE)


async def test_a_wrong_key_is_refused(bind: BindServers, servers: NameServers) -> None:
    stranger = BindServers(base64.b64encode(b"another secret").decode(), port=bind._port)
    with pytest.raises(errors.DriverError):
        await stranger.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})})


@pytest.mark.parametrize("upstreams", [(), ("192.0.2.1",)])
async def test_stub_domains_are_asked_of_their_own_servers(
    tmp_path: Path, upstreams: tuple[str, ...]
) -> None:
    """Whether or not there are servers for all other names (that one is nobody's and is not asked here)."""
    (tmp_path / "corp").mkdir()
    (tmp_path / "ours").mkdir()
    with running(tmp_path / "corp", "corp.example") as theirs:
        corp = BindServers(SECRET, port=theirs)
        await answering(corp, "corp.example")
        records = {("www.corp.example.", "A"): frozenset({"192.0.2.80"})}
        await corp.update(ADDRESS, "corp.example", records)
        stubs = (("corp.example", (f"{ADDRESS} port {theirs}",)),)
        with running(tmp_path / "ours", stubs=stubs, forwarders=upstreams) as ours:
            await answering(BindServers(SECRET, port=ours))
            for name, wanted in (("www.corp.example.", ["192.0.2.80"]), ("no.corp.example.", [])):
                query = dns.message.make_query(name, "A")
                answer = await dns.asyncquery.udp(query, ADDRESS, port=ours, timeout=20)
                assert [rdata.address for rrset in answer.answer for rdata in rrset] == wanted
                assert answer.rcode() == (dns.rcode.NOERROR if wanted else dns.rcode.NXDOMAIN)


@pytest.mark.parametrize("upstreams", [(), ("192.0.2.53",)])
async def test_overrides_are_answered_before_other_servers_are_asked(
    tmp_path: Path, upstreams: tuple[str, ...]
) -> None:
    overrides = (
        ("printer.example", "A", "192.0.2.7"),
        ("7.2.0.192.in-addr.arpa", "PTR", "printer.example."),
        ("api.cluster.local", "A", "192.0.2.8"),
        ("extra.cluster.local", "A", "192.0.2.9"),
        ("alias.example", "CNAME", WEB[0]),
    )
    with running(tmp_path, overrides=overrides, forwarders=upstreams) as port:
        servers = BindServers(SECRET, port=port)
        await answering(servers)
        api = ("api.cluster.local.", "A")
        await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"}), api: frozenset({"10.0.0.2"})})

        async def asked(name: str, type: str = "A") -> tuple[dns.rcode.Rcode, list[str]]:
            query = dns.message.make_query(name, type)
            answer = await dns.asyncquery.udp(query, ADDRESS, port=port, timeout=20)
            assert not answer.additional, "the zone of overrides is nobody's business"
            return answer.rcode(), [str(rdata) for rrset in answer.answer for rdata in rrset]

        async with asyncio.timeout(30):  # it answers before it has read this zone
            while await asked("printer.example.") != (dns.rcode.NOERROR, ["192.0.2.7"]):
                await asyncio.sleep(0.05)
        assert await asked("PRINTER.example.", "AAAA") == (dns.rcode.NOERROR, [])
        assert await asked("7.2.0.192.in-addr.arpa.", "PTR") == (dns.rcode.NOERROR, ["printer.example."])
        assert await asked("extra.cluster.local.") == (dns.rcode.NOERROR, ["192.0.2.9"])
        assert await asked(WEB[0]) == (dns.rcode.NOERROR, ["10.0.0.1"])
        assert await asked("api.cluster.local.") == (dns.rcode.NOERROR, ["192.0.2.8"]), "not 10.0.0.2"
        assert await asked("alias.example.") == (
            dns.rcode.NOERROR,
            ["web.default.svc.cluster.local.", "10.0.0.1"],
        )
        assert (await asked("printer.example.overrides.invalid."))[1] == []


@pytest.mark.parametrize("told", [True, False])
async def test_questions_are_told_only_on_request(tmp_path: Path, told: bool) -> None:
    with running(tmp_path, log=told) as port:
        await answering(BindServers(SECRET, port=port))
        for way in (dns.asyncquery.udp, dns.asyncquery.tcp):
            query = dns.message.make_query("asked-for.cluster.local.", "A")
            assert (await way(query, ADDRESS, port=port, timeout=20)).rcode() == dns.rcode.NXDOMAIN
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if "asked-for" in line]
    assert len(lines) == (2 if told else 0)


@pytest.mark.parametrize("ttl", [0, 30])
async def test_records_have_the_ttl_of_the_zone(tmp_path: Path, ttl: int) -> None:
    with running(tmp_path, ttl=ttl) as port:
        servers = BindServers(SECRET, port=port)
        await answering(servers)
        await servers.update(ADDRESS, ZONE, {WEB: frozenset({"10.0.0.1"})})
        for name, section in ((WEB[0], "answer"), ("missing.cluster.local.", "authority")):
            answer = await dns.asyncquery.udp(
                dns.message.make_query(name, "A"), ADDRESS, port=port, timeout=20
            )
            assert [one.ttl for one in getattr(answer, section)][:1] == [ttl]


@pytest.mark.parametrize("count", [250, 6000])
async def test_a_name_has_as_many_records_as_it_needs(servers: NameServers, count: int) -> None:
    """BIND's own limit is 100 of a type."""
    addresses = frozenset(f"10.1.{n >> 8}.{n & 255}" for n in range(count))
    for part in dns_records.batches({WEB: addresses}, 30_000):
        await servers.update(ADDRESS, ZONE, part)
    assert await held(servers) == {WEB: addresses}
