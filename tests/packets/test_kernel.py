"""The kernel's own word on the generated rules: nft takes every transaction and ends in the same table."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from minikctl.plan import proxy, proxy_nft, publisher
from tests.plan.proxy.cases import FACTS, endpoint, endpoint_slice, service

UDP = [{"port": 53, "protocol": "UDP"}]


def namespaces() -> bool:
    """Tell whether this machine lets us try nft in a network namespace of its own."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nft"))):
        return False
    words = ["unshare", "--net", "nft", "list", "ruleset"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not namespaces(), reason="needs root, nft and network namespaces"),
    pytest.mark.timeout(60),
]


def compiled(*parts: Any) -> proxy.Ruleset:
    services = [part for part in parts if "spec" in part]
    return proxy.compile_pods(services, [part for part in parts if "spec" not in part], FACTS).ruleset


STATES = {
    "nothing": compiled(),
    "plain": compiled(
        service("a"), endpoint_slice("a", "10.1.0.2", "10.1.0.3"), service("b", "10.96.0.21", type="NodePort")
    ),
    "other": compiled(
        service("c"),
        endpoint_slice("c", "10.1.0.2"),
        service("d", "10.96.0.22", ports=UDP),
        endpoint_slice("d", "10.1.0.2", "10.1.0.4", ports=UDP),
    ),
    "guarded": compiled(
        service(
            "a",
            type="LoadBalancer",
            loadBalancerSourceRanges=["10.1.0.0/29", "192.0.2.1/32"],
            internalTrafficPolicy="Local",
            status=[{"ip": "127.0.1.5"}],
        ),
        endpoint_slice("a", endpoint("10.1.0.2", node="there")),
    ),
    "sticky": compiled(service("a", sessionAffinity="ClientIP"), endpoint_slice("a", "10.1.0.2", "10.1.0.3")),
    "less sticky": compiled(service("a", sessionAffinity="ClientIP"), endpoint_slice("a", "10.1.0.3")),
    "publisher": publisher.compile_rules(service("a"), [endpoint_slice("a", "10.1.0.2")]).ruleset,
}


def table(*texts: str) -> list[str]:
    """Return what the kernel holds after these transactions, one after the other, as sorted lines."""
    script = (
        "for text do printf '%s' \"$text\" | nft -f - || exit 1; done; nft -j -s list table inet minikctl"
    )
    words = ["unshare", "--net", "sh", "-c", script, "sh", *texts]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(json.dumps(neutral(item), sort_keys=True) for item in json.loads(done.stdout)["nftables"])


def neutral(item: Any) -> Any:
    """Return the item without what only tells of its history; elements in one order."""
    if isinstance(item, dict):
        kept = {key: neutral(value) for key, value in item.items() if key not in ("handle", "metainfo")}
        if isinstance(kept.get("elem"), list):
            kept["elem"].sort(key=json.dumps)
        return kept
    return [neutral(one) for one in item] if isinstance(item, list) else item


PODS = [name for name in STATES if name != "publisher"]


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(PODS, 2)))
def test_a_delta_ends_in_the_same_table(old: str, new: str) -> None:
    before, after = STATES[old], STATES[new]
    swept = proxy_nft.prune(*proxy_nft.leftover(before, after))
    texts = [proxy_nft.replace(before), proxy_nft.delta(before, after), swept]
    assert table(*filter(None, texts)) == table(proxy_nft.replace(after))


@pytest.mark.parametrize("state", STATES)
def test_replacing_and_refreshing_can_be_repeated(state: str) -> None:
    whole, again = proxy_nft.replace(STATES[state]), proxy_nft.refresh(STATES[state])
    assert table(whole, whole) == table(whole, again) == table(again) == table(whole)


def test_other_tables_are_left_alone() -> None:
    foreign = "add table ip foreign\nadd chain ip foreign own\nadd rule ip foreign own accept\n"
    script = 'printf "%s" "$1" | nft -f - && printf "%s" "$2" | nft -f - && nft list table ip foreign'
    words = ["unshare", "--net", "sh", "-c", script, "sh", foreign, proxy_nft.replace(STATES["plain"])]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "accept" in done.stdout
