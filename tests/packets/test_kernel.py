"""The kernel's own word on the generated rules: nft takes every transaction and ends in the same table."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from minikctl.model import objects
from minikctl.plan import proxy, proxy_nft, publisher
from tests.plan.proxy.cases import FACTS, endpoint, endpoint_slice, service

UDP = [{"port": 53, "protocol": "UDP"}]
SCTP = [{"port": 38, "protocol": "SCTP"}]


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
        service("e", "10.96.0.23", ports=SCTP, sessionAffinity="ClientIP"),
        endpoint_slice("e", "10.1.0.2", "10.1.0.4", ports=SCTP),
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


SENDING = """
import socket, subprocess, sys, threading
for words in ("link add here type veth peer name there", "link set here up", "link set there up",
              "addr add 10.1.0.2/20 dev here",
              "neigh add 10.1.0.3 lladdr 02:00:00:00:00:03 dev here"):
    subprocess.run(["ip", *words.split()], check=True)
rules = sys.stdin.buffer.read()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def write(times):
    for _ in range(times):
        subprocess.run(["nft", "-f", "-"], input=rules, check=True)

write(1)
writer = threading.Thread(target=write, args=(10,))
writer.start()
sent = refused = 0
while writer.is_alive():
    try:
        sender.sendto(b"?", ("10.1.0.3", 8080))
        sent += 1
    except PermissionError:
        refused += 1
print(sent, refused)
"""


def test_nothing_is_refused_while_rules_are_written_again() -> None:
    """Each datagram meets all rules, as nobody answers: some are in the midst of them when they change."""
    services = [service(f"s{number}", f"10.96.{number % 250}.{number // 250 + 1}") for number in range(200)]
    slices = [endpoint_slice(objects.name(one), "10.1.0.2", "10.1.0.3") for one in services]
    rules = proxy.compile_pods(services, slices, dataclasses.replace(FACTS, egress=False)).ruleset
    words = ["unshare", "--net", sys.executable, "-c", SENDING]
    done = subprocess.run(words, input=proxy_nft.replace(rules), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    sent, refused = map(int, done.stdout.split())
    assert sent > 100
    assert refused == 0
