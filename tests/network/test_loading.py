"""What a proxy runs and what is kept of it: whoever is killed between the two is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.fake_haproxy import FakeProxy
from minikctl.drivers.haproxy import HaproxyContainer
from minikctl.network.loading import LoadedProxy
from minikctl.plan.haproxy import CONFIG, Rendered
from minikctl.plan.proxy_view import Target
from tests.fakes.clock import FakeClock


def rendered(structure: str, *addresses: str) -> Rendered:
    slots = {"web": tuple(Target(address, 8080) for address in addresses)}
    return Rendered({CONFIG: f"{structure} {addresses}"}, slots, structure, {}, {})


async def brought(proxy: FakeProxy, *steps: Rendered) -> LoadedProxy:
    loaded = LoadedProxy(proxy)
    loaded.meet("c1")
    for step in steps:
        await loaded.bring(step)
    return loaded


async def test_what_an_earlier_control_plane_has_loaded_is_not_loaded_again() -> None:
    proxy = FakeProxy()
    await brought(proxy, rendered("a", "10.1.0.2"))
    await brought(proxy, rendered("a", "10.1.0.2"))
    assert len(proxy.loads) == 1


class Killed(Exception):
    """The process ends here."""


class Mortal(FakeProxy):
    """Whoever speaks to it is killed once the files are switched, or once the commands are given."""

    async def load(self, container_id: str, files: object, *, looked_at: bool = True) -> None:
        self.files = dict(files)  # type: ignore[call-overload]
        raise Killed

    def keep(self, files: object) -> None:
        raise Killed


async def test_a_control_plane_that_was_killed_before_the_reload_leaves_no_old_routes() -> None:
    proxy = Mortal()
    with pytest.raises(Killed):
        await brought(proxy, rendered("a"))
    found = FakeProxy()
    found.files, found.doubted = proxy.files, proxy.doubted
    await brought(found, rendered("a"))
    assert len(found.loads) == 1
    await brought(found, rendered("a"))
    assert len(found.loads) == 1, "once is enough"


async def test_endpoints_that_were_given_and_not_kept_are_found_out() -> None:
    proxy = Mortal()
    proxy.files = dict(rendered("a", "10.1.0.2").files)
    with pytest.raises(Killed):
        await brought(proxy, rendered("a", "10.1.0.2"), rendered("a", "10.1.0.3"))
    found = FakeProxy()
    found.files, found.doubted = proxy.files, proxy.doubted
    await brought(found, rendered("a", "10.1.0.2"))
    assert len(found.loads) == 1


async def test_on_a_full_disk_endpoints_go_on_following() -> None:
    proxy = FakeProxy()
    loaded = await brought(proxy, rendered("a", "10.1.0.2"))
    proxy.room = False
    await loaded.bring(rendered("a", "10.1.0.3"))
    await loaded.bring(rendered("a", "10.1.0.4"))
    assert "set server web/s1 addr 10.1.0.4 port 8080" in proxy.commands
    assert len(proxy.loads) == 1
    assert proxy.doubted


async def test_a_doubt_is_kept_beside_the_files(tmp_path: Path) -> None:
    engine = FakeEngine(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path))
    proxy.keep({CONFIG: "global\n"})
    proxy.doubt()
    assert HaproxyContainer(engine, str(tmp_path)).doubted
    assert proxy.held() == {CONFIG: "global\n"}
    proxy.settle()
    proxy.settle()
    assert not proxy.doubted
    missing = HaproxyContainer(engine, str(tmp_path / "missing"))
    missing.doubt()
    assert not missing.doubted
    await engine.close()


async def test_a_refusal_is_told_and_what_was_loaded_stays() -> None:
    proxy = FakeProxy()
    loaded = await brought(proxy, rendered("a"))
    proxy.refuses = lambda _: "no"
    with pytest.raises(errors.DriverError):
        await loaded.bring(rendered("b"))
    assert proxy.files == rendered("a").files
