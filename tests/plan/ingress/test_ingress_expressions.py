"""Expressions of many hosts are shared out among maps, and each request is tried against its host's only."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from minikctl.plan import ingress_expressions, ingress_haproxy
from minikctl.plan.ingress_routes import Routing

LINE = re.compile(r"map_reg\((?P<file>.*?)\) ?(?P<condition>.*)")


def routing(expressions: Mapping[str, tuple[str, ...]], exact: Mapping[str, str] | None = None) -> Routing:
    """Return routes with these expressions of hosts, each to a backend of its own name."""
    keys = {f"^{re.escape(host)}(?i){one}": host for host, own in expressions.items() for one in own}
    return Routing(regexes={key: f"to-{key}" for key in keys}, regex_hosts=keys, exact=exact or {})


def tried(found: Routing, host: str) -> list[str]:
    """Return the expressions that the rules have a request of this host tried against, in order."""
    maps = ingress_expressions.maps(found)
    groups = dict(line.split() for line in maps.get(ingress_expressions.GROUPS, "").splitlines())
    files = []
    for line in ingress_expressions.lookups(found, "var(txn.host)", ""):
        match = LINE.search(line)
        if match and match["condition"] in ("", f"if {{ var(txn.group) -m int {groups.get(host)} }}"):
            files.append(match["file"])
    return [line.split()[0] for file in files for line in maps[file].splitlines()]


def test_without_expressions_there_is_nothing() -> None:
    assert ingress_expressions.maps(Routing()) == {}
    assert list(ingress_expressions.lookups(Routing(), "var(txn.host)", "if x")) == []


def test_few_are_one_map_without_a_choice() -> None:
    few = routing({f"h{number}": ("/a",) for number in range(ingress_expressions.FEW)})
    assert list(ingress_expressions.maps(few)) == ["expressions-0.map"]
    (line,) = ingress_expressions.lookups(few, "var(txn.host)", "if x")
    assert line.endswith("var(txn.host),concat(,txn.path),map_reg(expressions-0.map) if x")


@pytest.mark.parametrize("hosts", [17, 100, 1000])
def test_a_request_is_tried_against_about_the_root_of_them(hosts: int) -> None:
    many = routing({f"h{number}": ("/abc", "/a", "/b") for number in range(hosts)})
    for host in ("h0", f"h{hosts - 1}"):
        found = tried(many, host)
        assert [one for one in found if one.startswith(f"^{host}(?i)")] == [
            f"^{host}(?i){path}" for path in ("/abc", "/a", "/b")
        ]
        assert len(found) <= max(ingress_expressions.FEW, (3 * hosts) ** 0.5)
    assert tried(many, "elsewhere") == []


def test_all_of_a_host_are_together_in_their_order() -> None:
    own = tuple(f"/p{number}" for number in range(40))
    found = tried(routing({"b": own, "a": ("/x",), "*.c": ("/y",)}), "b")
    assert found == [f"^b(?i){path}" for path in own]


def test_what_an_exact_path_has_found_is_not_looked_up_again() -> None:
    many = routing({f"h{number}": ("/a",) for number in range(20)}, exact={"h/e": "b"})
    lines = ingress_haproxy.lookups(many)
    choice = next(line for line in lines if ingress_expressions.GROUPS in line)
    assert choice.endswith("if !{ var(txn.backend) -m found }")
    order = [
        next(n for n, line in enumerate(lines) if name in line)
        for name in ("exact", "-hosts.map", "prefixes")
    ]
    assert order == sorted(order)
