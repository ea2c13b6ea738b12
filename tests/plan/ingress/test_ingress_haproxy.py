"""The rendered configuration: what needs a reload, and what does not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minikctl.plan import haproxy, ingress, ingress_haproxy
from minikctl.plan.haproxy import Rendered
from minikctl.plan.ingress_values import PREFIX
from minikctl.plan.proxy_view import Target
from tests.plan.ingress.cases import certificate, make, path, rule, view

PLACE = ingress_haproxy.Place()

REGEX = {f"{PREFIX}use-regex": "true"}


def targets(*numbers: int) -> tuple[Target, ...]:
    return tuple(Target(f"10.1.0.{number}", 8080) for number in numbers)


def render(*ingresses: Any, slots: Any = None, certificates: Any = ()) -> Rendered:
    found = view(*ingresses, certificates=certificates)
    routes = ingress.routing(found)
    return ingress_haproxy.render(routes, found.certificates, "default pem\n", slots or {}, PLACE)


def with_endpoints(one: Any, slots: Any, *numbers: int) -> Rendered:
    found = view(one)
    routes = ingress.routing(found)
    backends = {
        name: dataclasses.replace(each, targets=targets(*numbers)) for name, each in routes.backends.items()
    }
    routes = dataclasses.replace(routes, backends=backends)
    return ingress_haproxy.render(routes, {}, "default pem\n", slots, PLACE)


WEB = make("i", rule("h", path("/", "a")))


def test_it_has_as_many_threads_as_its_place_says() -> None:
    found = view(WEB)
    place = dataclasses.replace(PLACE, threads=3)
    assert (
        "nbthread 3"
        in ingress_haproxy.render(ingress.routing(found), {}, "pem", {}, place).files[haproxy.CONFIG]
    )


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ((), (), (None,) * 4),
        ((), (2, 3), (2, 3, None, None)),
        ((2, 3, None, None), (3, 4), (4, 3, None, None)),
        ((2, 3, None, None), (), (None,) * 4),
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5)),
        ((2, None, None, None), (3, 4, 5, 6, 7), (3, 4, 5, 6, 7, None, None, None)),
    ],
)
def test_servers_keep_their_slots(before: Any, wanted: Any, after: Any) -> None:
    def row(numbers: Any) -> tuple[Target | None, ...]:
        return tuple(targets(number)[0] if number else None for number in numbers)

    assert haproxy.assign(row(before), targets(*wanted)) == row(after)


def test_endpoints_change_by_commands() -> None:
    one = with_endpoints(WEB, {}, 2, 3)
    two = with_endpoints(WEB, one.slots, 3, 4, 5)
    assert one.structure == two.structure
    assert haproxy.commands(one.slots, two.slots) == (
        "set server default_a_80/s1 state maint",
        "set server default_a_80/s1 addr 10.1.0.4 port 8080",
        "set server default_a_80/s1 state ready",
        "set server default_a_80/s3 addr 10.1.0.5 port 8080",
        "set server default_a_80/s3 state ready",
    )
    assert haproxy.commands(two.slots, with_endpoints(WEB, two.slots, 3).slots) == (
        "set server default_a_80/s1 state maint",
        "set server default_a_80/s3 state maint",
    )
    assert "server s2 10.1.0.3:8080\n" in two.files["haproxy.cfg"]
    assert "server s4 127.0.0.1:9 disabled\n" in two.files["haproxy.cfg"]


def test_more_endpoints_than_slots_need_a_reload() -> None:
    one = with_endpoints(WEB, {}, 2)
    assert with_endpoints(WEB, one.slots, 2, 3, 4, 5, 6).structure != one.structure


@pytest.mark.parametrize(
    "other",
    [
        make("i", rule("other", path("/", "a"))),
        make("i", rule("h", path("/x", "a"))),
        make("i", rule("h", path("/", "a", "Exact"))),
        make("i", rule("h", path("/", "b"))),
        make(
            "i", rule("h", path("/", "a")), defaultBackend={"service": {"name": "b", "port": {"number": 80}}}
        ),
    ],
)
def test_other_routes_need_a_reload(other: Any) -> None:
    assert render(WEB).structure != render(other).structure


def test_equal_input_gives_equal_files() -> None:
    two = make("j", rule("*.w", path("/a", "b"), path("/b", "c")))
    assert render(WEB, two) == render(two, WEB)


def test_a_renewed_certificate_needs_no_reload_and_another_one_does() -> None:
    def secured(name: str) -> Any:
        return make("i", rule("h", path("/", "a")), tls=[{"hosts": ["h"], "secretName": name}])

    old = render(secured("s"), certificates=[certificate("s")])
    renewed = dataclasses.replace(certificate("s"), pem="new\n")
    new = render(secured("s"), certificates=[renewed])
    assert old.structure == new.structure
    assert old.certificates["certs/default_s.pem"] != new.certificates["certs/default_s.pem"]
    assert new.files["certs/default_s.pem"] == "new\n"
    assert render(secured("t"), certificates=[certificate("t")]).structure != old.structure
    assert old.files["crt-list.txt"] == "default.pem\ncerts/default_s.pem h\n"


def test_maps_hold_the_routes() -> None:
    found = render(
        make(
            "i",
            rule("h", path("/", "a"), path("/e", "b", "Exact")),
            rule("*.w", path("/x", "c")),
            rule("", path("/any", "a")),
        )
    )
    assert found.files["hosts.map"] == "h h\n"
    assert found.files["wildcards.map"] == "w *.w\n"
    assert found.files["exact.map"] == "h/e default_b_80\n"
    assert found.files["prefixes.map"] == "*.w/x/ default_c_80\n*/any/ default_a_80\nh/ default_a_80\n"


def test_only_the_lookups_that_routes_need_are_made() -> None:
    plain = render(WEB).files["haproxy.cfg"]
    assert not [name for name in ("hosts.map", "wildcards.map", "exact.map", "str(*)") if name in plain]
    whole = render(make("i", rule("*.w", path("/", "a", "Exact")), rule("", path("/", "b")))).files[
        "haproxy.cfg"
    ]
    assert all(name in whole for name in ("hosts.map", "wildcards.map", "exact.map", "str(*)"))
    bare = render(make("i", rule("", path("/", "b")))).files["haproxy.cfg"]
    assert "str(*)" in bare
    assert "wildcards.map" not in bare


def test_a_wildcard_alone_does_not_mean_any_host() -> None:
    found = render(make("i", rule("*.w", path("/", "a")))).files["haproxy.cfg"]
    assert "wildcards.map" in found
    assert "str(*)" not in found


@pytest.mark.parametrize(
    ("kinds", "conditional"),
    [
        (("Prefix",), ()),
        (("Exact",), ("prefixes",)),
        (("ImplementationSpecific",), ("prefixes",)),
        (("Exact", "ImplementationSpecific"), ("expressions-0", "prefixes")),
    ],
)
def test_a_lookup_is_made_unless_an_earlier_one_found(
    kinds: tuple[str, ...], conditional: tuple[str, ...]
) -> None:
    one = make("i", *(rule("h", path(f"/{kind}", "a", kind)) for kind in kinds), annotations=REGEX)
    if kinds == ("Prefix",):
        one = WEB
    lines = [line.strip() for line in render(one).files["haproxy.cfg"].splitlines() if "txn.backend)" in line]
    found = [line for line in lines if line.endswith("if !{ var(txn.backend) -m found }")]
    assert tuple(line.partition(".map")[0].rpartition("(")[2] for line in found) == conditional


def test_scripts_are_loaded_for_whom_needs_them_among_others() -> None:
    plain = render(WEB).files["haproxy.cfg"]
    assert "lua" not in plain
    assert "httpclient" not in plain
    limited = make("l", rule("l", path("/", "b")), annotations={f"{PREFIX}proxy-body-size": "1k"})
    asked = make("q", rule("q", path("/", "c")), annotations={f"{PREFIX}auth-url": "http://1.2.3.4/"})
    found = render(WEB, limited, asked).files["haproxy.cfg"]
    assert "lua-load-per-thread body-limit.lua" in found
    assert "lua-load-per-thread external-auth.lua" in found
    assert "httpclient" in found


def test_the_largest_head_that_an_ingress_asks_for_holds_for_all() -> None:
    asked = [
        make(size, rule(size, path("/", "a")), annotations={f"{PREFIX}proxy-buffer-size": size})
        for size in ("8k", "128k", "64k")
    ]
    assert f"  tune.bufsize {129 << 10}\n" in render(*asked).files["haproxy.cfg"]
    for few in ((), (WEB, asked[0])):
        assert "tune.bufsize" not in render(*few).files["haproxy.cfg"]


def test_the_script_that_counts_bodies_is_loaded_where_a_limit_asks_for_it() -> None:
    plain = render(WEB).files
    notes = {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"}
    limited = render(make("i", rule("h", path("/", "a")), annotations=notes)).files
    for files, wanted in ((plain, False), (limited, True)):
        assert ("lua-load-per-thread body-limit.lua" in files["haproxy.cfg"]) is wanted
        assert ("body-limit.lua" in files) is wanted


def test_a_refusal_is_traced_to_the_ingresses_behind_it() -> None:
    tls = [{"hosts": ["h"], "secretName": "s"}]
    one, two = make("one", rule("h", path("/", "a")), tls=tls), make("two", rule("i", path("/", "b")))
    found = render(one, two, certificates=[certificate("s")])
    words = "unable to load certificate from file '/ingress/config-1/certs/default_s.pem'."
    assert haproxy.culprits(words, found) == {("default", "one")}
    assert haproxy.culprits("parsing: backend 'default_b_80'", found) == {("default", "two")}
    assert haproxy.culprits("out of memory", found) == frozenset()


def test_a_configuration_of_another_version_has_its_sockets_here() -> None:
    kept = "global\n  stats socket /old/place/admin.sock mode 666\n  bind unix@/old/place/plain.sock\n  bind *:80\n"
    assert haproxy.adopted(kept, "/run/new") == (
        "global\n  stats socket /run/new/admin.sock mode 666\n  bind unix@/run/new/plain.sock\n  bind *:80\n"
    )
