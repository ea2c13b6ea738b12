"""The simulated nft beyond what the contract holds it to: blocks, and the whole state."""

from __future__ import annotations

import pytest

from minikctl.drivers import fake_netns, fake_nft, netns

BLOCK = """
table inet a { # ours
    map services {
        type ipv4_addr . inet_service : verdict
        elements = { 10.0.0.1 . 80 : goto web, 10.0.0.2 . 80 : drop }
    }
    set known { type ipv4_addr; flags dynamic; }
    chain web {
        dnat to numgen random mod 2 map { 0 : 10.1.0.1, 1 : 10.1.0.2 }
    }
    chain output {
        type nat hook output priority -100; policy accept;
        ip daddr @known accept
        ip daddr . tcp dport vmap @services
    }
}
"""


def test_a_block_is_what_its_commands_are() -> None:
    rules = fake_nft.Rules()
    rules.apply(BLOCK)
    table = rules.tables["inet a"]
    assert table.maps == {"services": {"10.0.0.1 . 80": "goto web", "10.0.0.2 . 80": "drop"}}
    assert table.sets == {"known": {}}
    assert table.bases == {"output": "{ type nat hook output priority -100; policy accept; }"}
    assert table.chains["output"] == ["ip daddr @known accept", "ip daddr . tcp dport vmap @services"]


def test_a_table_is_replaced_in_one_transaction() -> None:
    rules = fake_nft.Rules()
    rules.apply(BLOCK)
    rules.apply("add table inet a\ndelete table inet a\ntable inet a { chain only { accept; } }")
    assert rules.tables["inet a"].chains == {"only": ["accept"]}
    rules.apply("destroy table inet a; destroy table inet a")
    assert rules.tables == {}


def test_a_refused_transaction_changes_nothing() -> None:
    rules = fake_nft.Rules()
    rules.apply(BLOCK)
    before = rules.tables
    with pytest.raises(fake_nft.Refused):
        rules.apply("flush chain inet a web\nadd rule inet a web jump nowhere")
    assert rules.tables is before
    assert before["inet a"].chains["web"]


def test_elements_come_and_go() -> None:
    rules = fake_nft.Rules()
    rules.apply(BLOCK)
    rules.apply(
        "delete element inet a services { 10.0.0.2 . 80 }\nadd element inet a known { 10.0.0.3, 10.0.0.4 }"
    )
    rules.apply("flush set inet a known; insert rule inet a web counter")
    table = rules.tables["inet a"]
    assert (table.maps["services"], table.sets["known"]) == ({"10.0.0.1 . 80": "goto web"}, {})
    assert table.chains["web"][0] == "counter"


@pytest.mark.parametrize(
    "text",
    [
        "add map inet a bare",
        "add set inet a services { type ipv4_addr; }",
        "create chain inet a web",
        "delete rule inet a web handle 4",
        "frobnicate inet a web",
        "add chain inet a",
        "delete map inet a services",
        "add element inet a services { 10.0.0.1 . 80 : drop }",
    ],
)
def test_what_nft_refuses_is_refused(text: str) -> None:
    rules = fake_nft.Rules()
    rules.apply(BLOCK)
    with pytest.raises(fake_nft.Refused, match="Error"):
        rules.apply(text)


async def test_a_simulated_cluster_has_its_rules_taken_unread() -> None:
    change = netns.NetnsChange("sandbox", 1, (("no-such",),), "nonsense")
    assert await fake_netns.FakeNetns(checking=False).apply([change]) == {}
    assert await fake_netns.FakeNetns().apply([change]) != {}
