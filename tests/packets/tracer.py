"""Virtual packets through compiled rules: what becomes of the first packet of a connection.

It reads the nft text itself, and knows exactly the grammar that is generated: any other rule is an error.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclass(frozen=True)
class Packet:
    """A packet that a pod sends; ``source`` matters for affinity only."""

    address: str
    port: int
    protocol: str = "tcp"
    source: str = "10.1.0.9"


@dataclass(frozen=True)
class Fate:
    """What became of it: "sent" to an address, "rejected" or "dropped", and after how many chains."""

    verdict: str
    address: str = ""
    port: int = 0
    chains: int = 0


@dataclass
class Table:
    """A table as the text describes it, applied line by line and refusing dangling references."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    sets: dict[str, set[str]] = field(default_factory=dict)
    remembered: dict[str, set[str]] = field(default_factory=dict)
    name: str = "minikctl"
    there: bool = False
    ranges: set[str] = field(default_factory=set)

    def apply(self, text: str) -> Table:
        """Apply a transaction."""
        for line in text.splitlines():
            self._line(line)
        for name in self._references():
            assert name in self.chains, f"no chain {name}"
        return self

    def _references(self) -> list[str]:
        texts = [verdict for verdicts in self.maps.values() for verdict in verdicts.values()]
        texts += [rule for rules in self.chains.values() for rule in rules]
        return [name for text in texts for name in re.findall(r"goto (\S+?),?(?= |$)", text)]

    def _line(self, line: str) -> None:
        head, _, rest = line.partition(" inet ")
        table, _, rest = rest.strip().partition(" ")
        name, _, body = rest.strip().partition(" ")
        if table != self.name:
            assert table in ("minikctl", "minikctl-policy"), line
            return
        match head:
            case "table" | "add table":
                self.there = True
            case "delete table":
                self.__init__(name=self.name)  # type: ignore[misc]
            case "add map":
                self.maps.setdefault(name, {})
                if "flags interval" in body:
                    self.ranges.add(name)
            case "add set" if "dynamic" in body:
                self.remembered.setdefault(name, set())
            case "add set":
                self.sets.setdefault(name, set())
            case "add chain":
                self.chains.setdefault(name, [])
                if body:
                    self.hooks[name] = body
            case "add rule":
                self.chains[name].append(body)
            case "flush chain":
                self.chains[name].clear()
            case "flush map" | "flush set":
                (self.maps[name] if name in self.maps else self.sets[name]).clear()
            case "delete chain":
                assert not self.chains.pop(name)
                assert name not in self._references(), f"{name} is in use"
            case "delete set":
                del self.remembered[name]
            case "add element" | "delete element":
                self._elements(head.split()[0], name, body)
            case _:
                raise AssertionError(f"unknown line: {line}")

    def _elements(self, verb: str, name: str, body: str) -> None:
        for element in body.strip("{} ").split(", "):
            key, _, verdict = element.partition(" : ")
            if name in self.maps and verb == "add":
                assert self.maps[name].setdefault(key, verdict) == verdict, f"{key} is there"
            elif name in self.maps:
                assert self.maps[name].pop(key) == verdict, f"{key} is not there"
            elif verb == "add":
                self.sets[name].add(key)
            else:
                self.sets[name].remove(key)


class Tracer:
    """Sends packets through a table; ``choose(n)`` stands for the random number."""

    def __init__(self, table: Table, choose: Callable[[int], int] = lambda _: 0) -> None:
        self.table = table
        self.choose = choose

    def send(self, packet: Packet) -> Fate:
        """Return what becomes of a packet that a process of the namespace sends."""
        return self._through(packet, "output")

    def forward(self, packet: Packet) -> Fate:
        """Return what becomes of a packet that arrives from outside."""
        return self._through(packet, "prerouting", "forward")

    def _through(self, packet: Packet, *hooks: str) -> Fate:
        self.count = 0
        translated = packet
        for hook in hooks:
            bases = [name for name, text in self.table.hooks.items() if f"hook {hook} " in text]
            for name in sorted(bases, key=self._priority):
                outcome = self._chain(name, translated, was=packet)
                if outcome == "drop":
                    return Fate("dropped", chains=self.count)
                if outcome == "reject" or (outcome is None and "policy drop" in self.table.hooks[name]):
                    return Fate("rejected", chains=self.count)
                if isinstance(outcome, Packet):
                    translated = outcome
        return Fate("sent", translated.address, translated.port, self.count)

    def _priority(self, name: str) -> int:
        found = re.search(r"priority (-?\d+);", self.table.hooks[name])
        assert found is not None
        return int(found.group(1))

    def _chain(self, name: str, packet: Packet, was: Packet) -> Packet | str | None:
        self.count += 1
        for rule in self.table.chains[name]:
            outcome = self._rule(rule, packet, was)
            if outcome is not None:
                return outcome
        return None

    def _rule(self, rule: str, packet: Packet, was: Packet) -> Packet | str | None:
        text = rule
        while text:
            match = next(filter(None, (self._match(text, *one) for one in self._matches(packet, was))), None)
            if match is None:
                return self._verdict(text, packet, was)
            length, holds = match
            if not holds:
                return None
            text = text[length:].lstrip()
        return None

    @staticmethod
    def _match(text: str, pattern: str, holds: Callable[[re.Match[str]], bool]) -> tuple[int, bool] | None:
        found = re.match(pattern, text)
        return (found.end(), holds(found)) if found else None

    def _matches(self, packet: Packet, was: Packet) -> list[tuple[str, Callable[[re.Match[str]], bool]]]:
        frontend = f"{packet.address} . {packet.protocol} . {packet.port}"
        return [
            (r"meta l4proto (tcp|udp|sctp)(?= )", lambda m: m[1] == packet.protocol),
            (r"ip daddr (\d\S+)", lambda m: within(packet.address, m[1])),
            (r"ip daddr \. meta l4proto \. th dport @(\S+)", lambda m: frontend in self.table.sets[m[1]]),
            (r"ip saddr \{ ([^}]+) \}", lambda m: any(within(packet.source, c) for c in m[1].split(", "))),
            (r"ip saddr @(\S+)", lambda m: packet.source in self.table.remembered[m[1]]),
            (r'oifname "lo"', lambda _: packet.address in (packet.source, "127.0.0.1")),
            (r"ct status dnat", lambda _: packet != was),
            (r"ct state established", lambda _: False),  # what is traced is a connection's first packet
            (r"update @(\S+) \{ ip saddr \}", lambda m: self._remember(m[1], packet)),
        ]

    def _remember(self, name: str, packet: Packet) -> bool:
        self.table.remembered[name].add(packet.source)
        return True

    def _verdict(self, text: str, packet: Packet, was: Packet) -> Packet | str | None:
        if text.startswith("reject"):
            return "reject"
        if text == "drop":
            return "drop"
        if text in ("accept", "masquerade"):
            return "accept"
        if found := re.fullmatch(r"goto (\S+)", text):
            return self._chain(found[1], packet, was)
        if found := re.fullmatch(r"(?:ip daddr \. )?meta l4proto \. th dport vmap @(\S+)", text):
            head = f"{packet.address} . " if "daddr" in text else ""
            verdict = self.table.maps[found[1]].get(f"{head}{packet.protocol} . {packet.port}")
            return self._verdict(verdict, packet, was) if verdict else None
        if found := re.fullmatch(r"numgen random mod (\d+) vmap \{ (.+) \}", text):
            return self._verdict(self._choice(found), packet, was)
        if found := re.fullmatch(r"dnat ip to numgen random mod (\d+) map \{ (.+) \}", text):
            address, port = self._choice(found).split(" . ")
            return replace(packet, address=address, port=int(port))
        if found := re.fullmatch(r"dnat ip to ([\d.]+):(\d+)", text):
            return replace(packet, address=found[1], port=int(found[2]))
        raise AssertionError(f"unknown rule: {text}")

    def _choice(self, found: re.Match[str]) -> str:
        choices = dict(entry.split(" : ") for entry in found[2].split(", "))
        assert list(choices) == [str(number) for number in range(int(found[1]))]
        return choices[str(self.choose(len(choices)))]


def within(address: str, cidr: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)
