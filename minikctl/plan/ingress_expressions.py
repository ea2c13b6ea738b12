"""Regular expressions of paths as HAProxy maps: a request is tried against those of its host's group only.

HAProxy tries the expressions of a map one after the other.  With many of them the hosts are shared out among
maps, about as many as each has expressions: what a request costs grows with the square root of their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from minikctl.plan.ingress_routes import Routing

FEW = 16
"""So many expressions are not worth a choice among maps."""
GROUPS = "expression-hosts.map"


def maps(routing: Routing) -> dict[str, str]:
    """Return the map files: hosts with the numbers of their groups, and a file for each group."""
    groups = _groups(routing)
    found = {_file(number): _text(group) for number, group in enumerate(groups)}
    if len(groups) > 1:
        numbers = {routing.regex_hosts[key]: number for number, group in enumerate(groups) for key in group}
        found[GROUPS] = "".join(f"{host} {number}\n" for host, number in sorted(numbers.items()))
    return found


def lookups(routing: Routing, host: str, condition: str) -> Iterator[str]:
    """Yield the rules that set a request's backend on this condition; ``host`` is the sample to look up."""
    groups = _groups(routing)
    end = f" {condition}" if condition else ""
    if len(groups) == 1:
        yield f"http-request set-var(txn.backend) {_table(host, 0)}{end}"
        return
    if groups:
        yield f"http-request set-var(txn.group) {host},map_str_int({GROUPS}){end}"
    for number in range(len(groups)):
        chosen = f"if {{ var(txn.group) -m int {number} }}"
        yield f"http-request set-var(txn.backend) {_table(host, number)} {chosen}"


def _file(number: int) -> str:
    return f"expressions-{number}.map"


def _table(host: str, number: int) -> str:
    return f"{host},concat(,txn.path),map_reg({_file(number)})"


def _text(group: Mapping[str, str]) -> str:
    """Return a map file in the order of the expressions, as the first that matches counts."""
    return "".join(f"{key} {name}\n" for key, name in group.items())


def _groups(routing: Routing) -> list[dict[str, str]]:
    """Return the expressions with their backends, all of a host in one group, in their order."""
    of_hosts: dict[str, dict[str, str]] = {}
    for key, name in routing.regexes.items():
        of_hosts.setdefault(routing.regex_hosts[key], {})[key] = name
    size = max(FEW, math.isqrt(len(routing.regexes)))
    groups: list[dict[str, str]] = []
    for _, own in sorted(of_hosts.items()):
        if not groups or len(groups[-1]) + len(own) > size:
            groups.append({})
        groups[-1].update(own)
    return groups
