"""Configuration lists: what is read from them, and where what is wrong is said to be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minikctl import errors
from minikctl.plan.cni import conflist

GOOD: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "net",
    "plugins": [
        {"type": "bridge", "ipam": {"type": "host-local"}, "capabilities": {"ipRanges": True, "mac": False}}
    ],
}


def test_a_list_is_read_with_its_capabilities_apart() -> None:
    found = conflist.parse(json.dumps(GOOD), "x")
    assert (found.name, found.version) == ("net", "1.0.0")
    assert found.plugins == ({"type": "bridge", "ipam": {"type": "host-local"}},)
    assert found.capabilities == (frozenset({"ipRanges"}),)
    assert found.checks
    assert not found.collects


def test_a_single_plugin_is_a_list_of_one() -> None:
    found = conflist.parse('{"cniVersion": "0.3.1", "name": "net", "type": "ptp"}', "x")
    assert [plugin["type"] for plugin in found.plugins] == ["ptp"]
    assert not found.checks


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"cniVersions": ["0.4.0", "1.1.0"]}, "1.1.0"),
        ({"cniVersions": ["0.4.0", "9.9.9"]}, "1.0.0"),
        ({"cniVersion": "9.9.9", "cniVersions": ["0.3.1", "0.4.0"]}, "0.4.0"),
        ({"cniVersion": None, "cniVersions": ["0.4.0"]}, "0.4.0"),
        ({"cniVersions": []}, "1.0.0"),
    ],
)
def test_of_several_versions_the_highest_that_is_known_is_taken(given: dict[str, Any], wanted: str) -> None:
    assert conflist.parse(json.dumps({**GOOD, **given}), "x").version == wanted


def test_checks_can_be_turned_off_in_quotes() -> None:
    found = conflist.parse(json.dumps({**GOOD, "cniVersion": "1.1.0", "disableCheck": "true"}), "x")
    assert not found.checks
    assert found.collects


def test_the_built_in_list_is_valid() -> None:
    found = conflist.parse(conflist.default("minikctl-a"), "x")
    assert [plugin["type"] for plugin in found.plugins] == ["bridge", "portmap", "bandwidth"]


def test_a_node_keeps_what_it_lent_by_itself_unless_all_lend_of_one_range() -> None:
    own = conflist.parse(conflist.default("minikctl-a"), "x")
    assert (own.state_of("n1"), own.state_of("")) == ("nodes/n1", "shared")
    single = conflist.parse('{"cniVersion": "1.0.0", "name": "one", "type": "macvlan"}', "x")
    assert single.state_of("n1") == "shared"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a b"}, '4: name: "a b" is no name of a network'),
        ({"name": None}, "4: name: nothing is no name"),
        ({"cniVersion": "9.9.9"}, '3: cniVersion: "9.9.9" is not supported'),
        ({"cniVersion": "9.9.9", "cniVersions": ["8.0.0"]}, '17: cniVersions: ["8.0.0"] is not supported'),
        ({"cniVersions": "1.0.0"}, '17: cniVersions: "1.0.0" is not a list of versions'),
        ({"cniVersions": [1]}, "17: cniVersions: [1] is not a list of versions"),
        ({"plugins": []}, "5: plugins: a list of at least one plugin"),
        ({"plugins": ["x"]}, '1: plugins[0]: "x" is not an object'),
        ({"plugins": [{"type": "a"}, {"type": "b/c"}]}, '10: plugins[1].type: "b/c" is no name'),
        ({"plugins": [{"type": "a", "ipam": 3}]}, "8: plugins[0].ipam: 3 is not an object"),
        ({"plugins": [{"type": "a", "capabilities": {"b": 1}}]}, "8: plugins[0].capabilities: it maps"),
        ({"disableCheck": "maybe"}, '7: disableCheck: "maybe" is not true or false'),
    ],
)
def test_a_refusal_names_file_line_and_field(change: dict[str, Any], words: str) -> None:
    whole = {"x": 1, **GOOD, "plugins": [], **change} if "plugins" in change else {"x": 1, **GOOD, **change}
    if "disableCheck" in change:
        whole["plugins"] = [{"type": "a"}]
        text = json.dumps(whole, indent=1).replace('[\n  {\n   "type": "a"\n  }\n ]', '[{"type": "a"}\n ]')
    else:
        text = json.dumps(whole, indent=1)
    with pytest.raises(errors.UsageError) as caught:
        conflist.parse(text, "/etc/x.conflist")
    assert str(caught.value).startswith(f"error: /etc/x.conflist:{words}")


def test_what_is_not_json_is_refused_with_its_line() -> None:
    with pytest.raises(errors.UsageError, match="x:2: not JSON"):
        conflist.parse('{\n"name": }', "x")


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(errors.UsageError, match="x:1: a CNI network configuration is an object"):
        conflist.parse("[]", "x")
