"""Rules as nft text: a whole table in one transaction, or only what differs from what is there."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from itertools import islice

from minikctl.plan.proxy import TABLE, Chain, Compiled, Ruleset

ELEMENTS_PER_LINE = 500


def family(table: str) -> str:
    """Return how commands name a table of ours."""
    return f"inet {table}"


def remove(table: str) -> str:
    """Return the transaction after which there is no such table."""
    return f"table {family(table)} {{}}\ndelete table {family(table)}\n"


def replace(rules: Ruleset) -> str:
    """Return the transaction after which the table holds these rules and nothing else."""
    return remove(rules.table) + refresh(rules, flush=False)


def refresh(rules: Ruleset, *, flush: bool = True) -> str:
    """Return the transaction that sets these rules anew but keeps remembered clients.

    Chains that are not of these rules stay, unreferenced.
    """
    table = family(rules.table)
    lines = [f"add table {table}"]
    # Chains come first: nft 1.0.6 moves the elements of a map of ranges up to where the map is declared.
    for name, chain in rules.chains.items():
        lines.append(declare_chain(table, name, chain))
        if flush:
            lines.append(f"flush chain {table} {name}")
    lines += [declare_map(name, rules) for name in rules.maps]
    lines += [declare_set(name, rules) for name in rules.sets]
    lines += [declare_clients(table, name, seconds) for name, seconds in rules.clients.items()]
    if flush:
        lines += [f"flush map {table} {name}" for name in rules.maps]
        lines += [f"flush set {table} {name}" for name in rules.sets]
    for name, chain in rules.chains.items():
        lines += chain_rules(table, name, chain)
    for name, verdicts in rules.maps.items():
        lines += add_elements(table, name, (f"{key} : {verdict}" for key, verdict in verdicts.items()))
    for name, keys in rules.sets.items():
        lines += add_elements(table, name, sorted(keys))
    return ended(lines)


def delta(old: Ruleset, new: Ruleset) -> str:
    """Return the transaction that turns ``old`` into ``new``, "" if they are equal.

    Chains and client sets that are not needed any more are emptied, not deleted (see ``prune``): kernels
    before 6.2 refuse to delete a chain together with the map element that led to it.
    """
    table = family(new.table)
    lines: list[str] = []
    for name, seconds in new.clients.items():
        if name not in old.clients:
            lines.append(declare_clients(table, name, seconds))
    changed = {name: chain for name, chain in new.chains.items() if old.chains.get(name) != chain}
    lines += [declare_chain(table, name, chain) for name, chain in changed.items()]
    lines += [f"flush chain {table} {name}" for name in changed]
    for name, chain in changed.items():
        lines += chain_rules(table, name, chain)
    for name, verdicts in new.maps.items():
        lines += changed_verdicts(table, name, old.maps.get(name, {}), verdicts)
    for name, keys in new.sets.items():
        before = old.sets.get(name, frozenset())
        lines += delete_elements(table, name, sorted(before - keys))
        lines += add_elements(table, name, sorted(keys - before))
    lines += [f"flush chain {table} {name}" for name in old.chains if name not in new.chains]
    return ended(lines)


def leftover(old: Ruleset, new: Ruleset) -> tuple[frozenset[str], frozenset[str]]:
    """Return the (chains, client sets) that ``delta`` leaves behind without use."""
    return frozenset(old.chains) - frozenset(new.chains), frozenset(old.clients) - frozenset(new.clients)


def prune(chains: Iterable[str], clients: Iterable[str]) -> str:
    """Return the transaction that deletes unused chains and client sets."""
    table = family(TABLE)
    lines = [f"delete chain {table} {name}" for name in sorted(chains)]
    lines += [f"delete set {table} {name}" for name in sorted(clients)]
    return ended(lines)


def purge_commands(old: Compiled, new: Compiled) -> tuple[tuple[str, ...], ...]:
    """Return the command that forgets UDP flows to endpoints that stopped serving, or were never led to one.

    A UDP flow has no end of its own: without this it would go to a dead endpoint, or past the rules that were
    not there when it began, for as long as its client keeps sending.
    """
    words = []
    for frontend, answers in old.udp.items():
        for gone in sorted(answers - new.udp.get(frontend, frozenset())):
            words.append(f"{forget_flows(frontend)} --reply-src {gone.ip} --reply-port-src {gone.port}")
    # Packets for an address of ours are rejected while nobody serves there, so that no flow begins.
    ranges = [ipaddress.IPv4Network(one) for one in new.ranges]
    words += [
        forget_flows(frontend)
        for frontend in new.udp
        if frontend not in old.udp and not any(_within(frontend[0], one) for one in ranges)
    ]
    return quietly(words)


def stray_commands(rules: Compiled) -> tuple[tuple[str, ...], ...]:
    """Return the command that forgets UDP flows which began while rules were missing: they lead nowhere."""
    return quietly([f"{forget_flows(one)}{f' --reply-src {one[0]}' if one[0] else ''}" for one in rules.udp])


def _within(address: str, network: ipaddress.IPv4Network) -> bool:
    return bool(address) and ipaddress.IPv4Address(address) in network


def sweep_commands(rules: Compiled) -> tuple[tuple[str, ...], ...]:
    """Return the command that forgets all UDP flows to Services: where nobody knows what made them."""
    return quietly([forget_flows(frontend) for frontend in rules.udp])


def forget_flows(frontend: tuple[str, int]) -> str:
    """Return the command that forgets the flows to a UDP frontend."""
    address, port = frontend
    wanted = f"--orig-dst {address} " if address else ""
    return f"conntrack -D -p udp {wanted}--orig-port-dst {port}"


def quietly(words: list[str]) -> tuple[tuple[str, ...], ...]:
    """Return the commands as one that always succeeds, nothing if there are none."""
    if not words:
        return ()
    # conntrack exits with 1 when there was no such flow, which is fine.
    return (("sh", "-c", "{ " + "; ".join(words) + "; } >/dev/null 2>&1; true"),)


def changed_verdicts(table: str, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the lines that turn the elements of a verdict map into others."""
    dropped = [f"{key} : {verdict}" for key, verdict in old.items() if new.get(key) != verdict]
    added = [f"{key} : {verdict}" for key, verdict in new.items() if old.get(key) != verdict]
    return [*delete_elements(table, name, dropped), *add_elements(table, name, added)]


def declare_map(name: str, rules: Ruleset) -> str:
    """Return the line that makes a verdict map."""
    ranges = " flags interval;" if name in rules.ranges else ""
    return f"add map {family(rules.table)} {name} {{ type {rules.types[name]} : verdict;{ranges} }}"


def declare_set(name: str, rules: Ruleset) -> str:
    """Return the line that makes a set."""
    return f"add set {family(rules.table)} {name} {{ type {rules.types[name]}; }}"


def declare_clients(table: str, name: str, seconds: int) -> str:
    """Return the line that makes a set in which clients are remembered for a time."""
    return f"add set {table} {name} {{ type ipv4_addr; flags dynamic,timeout; timeout {seconds}s; }}"


def declare_chain(table: str, name: str, chain: Chain) -> str:
    """Return the line that makes a chain."""
    declaration = f" {{ {chain.hook} }}" if chain.hook else ""
    return f"add chain {table} {name}{declaration}"


def chain_rules(table: str, name: str, chain: Chain) -> list[str]:
    """Return the lines that put the rules into a chain."""
    return [f"add rule {table} {name} {rule}" for rule in chain.rules]


def add_elements(table: str, name: str, elements: Iterable[str]) -> list[str]:
    """Return the lines that add elements to a map or set."""
    return _element_lines("add", table, name, elements)


def delete_elements(table: str, name: str, elements: Iterable[str]) -> list[str]:
    """Return the lines that delete elements from a map or set."""
    return _element_lines("delete", table, name, elements)


def _element_lines(verb: str, table: str, name: str, elements: Iterable[str]) -> list[str]:
    left = iter(elements)
    lines = []
    while piece := list(islice(left, ELEMENTS_PER_LINE)):
        lines.append(f"{verb} element {table} {name} {{ {', '.join(piece)} }}")
    return lines


def ended(lines: Iterable[str]) -> str:
    """Return the lines as one text."""
    return "".join(line + "\n" for line in lines)
