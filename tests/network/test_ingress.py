"""The Ingress controller: what reaches the proxy, and what is told to the API."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers.fake_haproxy import FakeProxy
from minikctl.model import kinds, objects
from minikctl.network import certificates, ingress
from tests.network.bench import SETTINGS, Surroundings
from tests.plan.ingress.cases import OURS, make, path, rule
from tests.plan.proxy import cases

PEM = certificates.self_signed(Surroundings().clock)
OTHER = certificates.self_signed(Surroundings().clock)


def secret(name: str, pem: str = PEM) -> Any:
    chain, _, key = pem.partition("-----BEGIN PRIVATE KEY")
    data = {"tls.crt": chain, "tls.key": "-----BEGIN PRIVATE KEY" + key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "default", "name": name},
        "data": {part: base64.b64encode(text.encode()).decode() for part, text in data.items()},
    }


def proxy_pod(container: str = "c1", **metadata: Any) -> Any:
    status = {"name": "haproxy", "state": {"running": {}}, "containerID": f"docker://{container}"}
    labels = {"app.kubernetes.io/name": "ingress"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "kube-system", "name": "ingress", "labels": labels, **metadata},
        "status": {"containerStatuses": [{"name": "other"}, status] if container else []},
    }


class World(Surroundings):
    """Surroundings with an Ingress proxy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.proxy = FakeProxy()
        self.controller = ingress.IngressController(self.tools, self.proxy, SETTINGS)
        self.client.put({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", **OURS})
        self.serve("10.1.0.2")
        self.controller.prepare()

    def serve(self, *addresses: str) -> None:
        self.client.put(cases.service("a"))
        piece = cases.endpoint_slice("a", *addresses)
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})

    def address(self, name: str = "web") -> Any:
        found = self.client.find(kinds.INGRESS, "default", name)
        assert found is not None
        return (objects.status(found).get("loadBalancer") or {}).get("ingress")


WEB = make("web", rule("h", path("/", "a")))


async def test_before_the_proxy_runs_there_is_a_configuration_that_it_can_start_with() -> None:
    world = World()
    assert "no rule of any Ingress matches" in world.proxy.files["haproxy.cfg"]
    first = dict(world.proxy.files)
    ingress.IngressController(world.tools, world.proxy, SETTINGS).prepare()
    assert world.proxy.files == first


async def test_what_another_version_kept_is_made_to_fit_and_goes_on_serving() -> None:
    world = World()
    kept = world.proxy.files["haproxy.cfg"].replace("/haproxy/run/", "/ingress/run/")
    world.proxy.files["haproxy.cfg"] = kept + "# its routes\n"
    ingress.IngressController(world.tools, world.proxy, SETTINGS).prepare()
    now = world.proxy.files["haproxy.cfg"]
    assert "stats socket /haproxy/run/admin.sock mode 666" in now
    assert "/ingress/run" not in now
    assert now.endswith("# its routes\n")


async def test_routes_reach_the_proxy_and_the_address_the_ingress() -> None:
    world = World()
    world.client.put(WEB)
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.proxy.loads == []
        assert world.address() is None
        world.client.put(proxy_pod())
        await world.turn()
        assert "h/ default_a_80\n" in world.proxy.files["prefixes.map"]
        assert world.address() == [{"ip": "127.0.1.1"}]


async def test_endpoints_change_without_a_reload() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        count = len(world.proxy.loads)
        world.serve("10.1.0.2", "10.1.0.3")
        await world.turn()
        assert len(world.proxy.loads) == count
        assert "set server default_a_80/s2 addr 10.1.0.3 port 8080" in world.proxy.commands
        assert "10.1.0.3:8080" in world.proxy.files["haproxy.cfg"]


async def test_a_restarted_control_plane_does_not_reload_what_is_right() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
    loads = len(world.proxy.loads)
    later = Surroundings(client=world.client, clock=world.clock)
    controller = ingress.IngressController(later.tools, world.proxy, SETTINGS)
    controller.prepare()
    async with later.running(controller.run()):
        await later.turn()
        assert len(world.proxy.loads) == loads


async def test_commands_that_fail_end_in_a_reload() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        count = len(world.proxy.loads)
        world.proxy.answers = False
        world.serve("10.1.0.3")
        await world.turn(1)
        world.proxy.answers = True
        await world.turn(5)
        assert len(world.proxy.loads) == count + 1
        assert "10.1.0.3:8080" in world.proxy.files["haproxy.cfg"]


async def test_a_certificate_is_renewed_without_a_reload() -> None:
    world = World()
    world.client.put(secret("s"))
    world.client.put(make("web", rule("h", path("/", "a")), tls=[{"hosts": ["h"], "secretName": "s"}]))
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        count = len(world.proxy.loads)
        world.client.put(secret("s", OTHER))
        world.client.put(secret("unrelated"))
        await world.turn()
        assert world.proxy.certificates == ["certs/default_s.pem"]
        assert len(world.proxy.loads) == count


async def test_a_refused_ingress_is_left_out_and_told_until_it_changes() -> None:
    world = World()
    bad = make("bad", rule("i", path("/", "b")))
    world.proxy.refuses = lambda files: "default_b_80" if "i/ " in files["prefixes.map"] else ""
    world.client.put(WEB)
    world.client.put(bad)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.proxy.files["prefixes.map"] == "h/ default_a_80\n"
        assert world.events.reasons("bad").count("Refused") == 1
        assert (world.address("web"), world.address("bad")) == ([{"ip": "127.0.1.1"}], None)
        mended = make("bad", rule("j", path("/", "b")))
        mended["metadata"]["generation"] = 2
        world.client.put(mended)
        await world.turn()
        assert world.address("bad") == [{"ip": "127.0.1.1"}]


@pytest.mark.parametrize("what", ["annotations", "uid"])
async def test_a_refused_ingress_is_tried_again_when_its_annotations_change_or_another_takes_its_name(
    what: str,
) -> None:
    world = World()
    bad = make("bad", rule("i", path("/", "b")))
    bad["metadata"]["generation"] = 1
    world.proxy.refuses = lambda files: "default_b_80" if "i/ " in files["prefixes.map"] else ""
    world.client.put(bad)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        world.proxy.refuses = lambda _: ""
        world.client.put(WEB)
        await world.turn()
        assert world.address("bad") is None, "nobody asked for anything else"
        changed = {"annotations": {"a": "b"}, "uid": "another"}[what]
        world.client.put({**bad, "metadata": {**bad["metadata"], what: changed}})
        await world.turn()
        assert world.address("bad") == [{"ip": "127.0.1.1"}]


async def test_a_refused_certificate_is_done_without_until_there_is_another() -> None:
    """Its Ingress is served meanwhile; a certificate of a like name is none of it."""
    world = World()
    for name, pem in (("weak.pem", PEM), ("weak", OTHER)):
        world.client.put(secret(name, pem))
        world.client.put(make(name, rule(name, path("/", "a")), tls=[{"hosts": [name], "secretName": name}]))

    def refuses(files: Any) -> str:
        return "unable to load SSL certificate 'certs/default_weak.pem.pem'." if PEM in files.values() else ""

    world.proxy.refuses = refuses
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.address("weak") == world.address("weak.pem") == [{"ip": "127.0.1.1"}]
        assert "weak.pem/ default_a_80\n" in world.proxy.files["prefixes.map"]
        assert world.proxy.files["crt-list.txt"].splitlines()[1:] == ["certs/default_weak.pem weak"]
        assert world.events.reasons("weak.pem") == ["CertificateUnusable"]
        assert world.events.reasons("weak") == []
        world.client.put(secret("weak.pem", OTHER))
        await world.turn()
        assert "certs/default_weak.pem.pem weak.pem" in world.proxy.files["crt-list.txt"].splitlines()


async def test_a_refusal_that_nobody_is_to_blame_for_keeps_the_last_good_routes() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        good = dict(world.proxy.files)
        world.proxy.refuses = lambda _: "out of memory"
        world.client.put(make("more", rule("i", path("/", "a"))))
        await world.turn(2)
        assert world.proxy.files == good
        world.proxy.refuses = lambda _: ""
        await world.turn(5)
        assert "i/ default_a_80\n" in world.proxy.files["prefixes.map"]


async def test_problems_are_told_once() -> None:
    world = World()
    world.client.put(make("web", rule("h", path("/", "missing"))))
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        world.serve("10.1.0.9")
        await world.turn()
        assert world.events.reasons("web") == ["ServiceNotFound"]


async def test_a_new_proxy_is_given_everything_and_one_that_ends_nothing() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    async with world.running(world.controller.run()):
        await world.turn()
        world.client.put(proxy_pod(deletionTimestamp="2026-01-01T00:00:00Z"))
        world.client.put(make("more", rule("i", path("/", "a"))))
        count = len(world.proxy.loads)
        await world.turn()
        assert len(world.proxy.loads) == count
        world.client.put(proxy_pod("c2"))
        await world.turn()
        assert "i/ default_a_80\n" in world.proxy.files["prefixes.map"]


async def test_routes_that_a_proxy_is_still_to_be_given_are_not_denied() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())

    def fallback() -> bool:
        text = world.proxy.files["haproxy.cfg"]
        assert ("routes are awaited" in text) != ("no rule of any Ingress matches" in text)
        return "routes are awaited" in text

    async with world.running(world.controller.run()):
        await world.turn()
        world.client.put(proxy_pod(""))
        await world.turn()
        assert not fallback()
        world.client.put(make("more", rule("i", path("/", "a"))))
        await world.turn()
        assert fallback()
        world.client.put(proxy_pod("c2"))
        await world.turn()
        assert not fallback()
        world.proxy.answers = False
        world.client.put(make("last", rule("j", path("/", "a"))))
        await world.turn()
        assert fallback()
        world.proxy.answers = True
        await world.turn(ingress.RETRY_SECONDS)
        assert not fallback()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data.pop("tls.key"), "has no tls.key"),
        (lambda data: data.update({"tls.crt": "!"}), "is not base64"),
        (lambda data: data.update({"tls.crt": "eA=="}), "tls.crt is not a PEM certificate"),
        (lambda data: data.update({"tls.key": "eA=="}), "tls.key is not a PEM private key"),
        (lambda data: data.update(tls_of(OTHER)), "tls.key does not belong to tls.crt"),
        (lambda _: None, ""),
    ],
)
def test_secrets_are_checked(change: Any, problem: str) -> None:
    found = secret("s")
    change(found["data"])
    made = certificates.from_secret(found)
    assert problem in made.problem
    assert bool(made.pem) is not bool(problem)


def tls_of(pem: str) -> dict[str, str]:
    return {"tls.key": secret("x", pem)["data"]["tls.key"]}


async def test_an_unreachable_api_is_not_the_end() -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())
    refused = errors.StatusError(500, "InternalError", "not now")
    world.client.failures.append(lambda verb, *_: refused if verb == "patch status" else None)
    async with world.running(world.controller.run()):
        await world.turn(1)
        assert world.address() is None
        world.client.failures.clear()
        await world.turn(10)
        assert world.address() == [{"ip": "127.0.1.1"}]
        assert len(world.proxy.loads) == 1, "the proxy had nothing to do with it"


async def test_a_full_disk_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.client.put(WEB)
    world.client.put(proxy_pod())

    def full(*_: Any, **__: Any) -> Any:
        raise errors.DriverError("the proxy's files cannot be written: no space left on device")

    async with world.running(world.controller.run()):
        await world.turn()
        with monkeypatch.context() as disk:
            disk.setattr(world.proxy, "keep", full)
            disk.setattr(world.proxy, "load", full)
            world.client.put(make("more", rule("i", path("/", "a"))))
            await world.turn(1)
            assert "i/ " not in world.proxy.files["prefixes.map"]
        await world.turn(5)
        assert "i/ default_a_80\n" in world.proxy.files["prefixes.map"]


def kept(kind: str, name: str, **data: str) -> Any:
    texts = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}
    given = texts if kind == "Secret" else {key.replace("_", "-"): text for key, text in data.items()}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"namespace": "default", "name": name},
        "data": given,
    }


@pytest.mark.parametrize(
    ("note", "before", "after", "words"),
    [
        (
            "auth-tls-secret",
            kept("Secret", "s", ca_crt=PEM),
            kept("Secret", "s", ca_crt=OTHER),
            OTHER[60:100],
        ),
        (
            "auth-tls-secret",
            kept("Secret", "s", ca_crt="x"),
            kept("Secret", "s", ca_crt=OTHER),
            OTHER[60:100],
        ),
        ("auth-secret", kept("Secret", "s", auth="a:$5$s$x"), kept("Secret", "s", auth="b:$5$s$y"), "$5$s$y"),
        ("custom-headers", kept("ConfigMap", "s", X_A="one"), kept("ConfigMap", "s", X_A="two"), "X-A 'two'"),
    ],
    ids=["authorities", "mended", "users", "headers"],
)
async def test_what_an_annotation_names_is_followed(note: str, before: Any, after: Any, words: str) -> None:
    prefix = "nginx.ingress.kubernetes.io/"
    world, notes = World(), {f"{prefix}{note}": "default/s", f"{prefix}auth-type": "basic"}
    if note != "auth-secret":
        del notes[f"{prefix}auth-type"]
    for obj in (before, make("web", rule("h", path("/", "a")), annotations=notes), proxy_pod()):
        world.client.put(obj)
    async with world.running(world.controller.run()):
        await world.turn()
        assert not any(words in text for text in world.proxy.files.values())
        world.client.put(after)
        await world.turn()
        assert any(words in text for text in world.proxy.files.values())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ca_crt": PEM.partition("-----BEGIN PRIVATE")[0]}, ""),
        ({"ca_crt": "x"}, "ca.crt or ca.crl is not PEM"),
        ({"ca_crt": PEM, "ca_crl": "x"}, "ca.crt or ca.crl is not PEM"),
        ({"tls_crt": PEM}, "has no tls.key"),
        ({}, ""),
    ],
    ids=["good", "bad", "bad-list", "half", "none"],
)
def test_secrets_that_say_whom_to_believe_are_checked(given: dict[str, str], words: str) -> None:
    found = certificates.credentials(kept("Secret", "s", **given))
    assert words in found.problem
    assert bool(found.problem) == bool(words)
    assert certificates.credentials({**kept("Secret", "s"), "data": {"ca.crt": "ü"}}).problem
