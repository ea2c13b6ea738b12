"""From one policy table to the next: the transaction, and which UDP flows are to be forgotten.

Pods that come, go or change labels change elements of maps; ranges of addresses change with policies only,
and then the table is replaced as a whole, in one transaction like everything else.
"""

from __future__ import annotations

from minikctl.plan import proxy_nft
from minikctl.plan.netpol import TABLE
from minikctl.plan.netpol_view import EGRESS, INGRESS
from minikctl.plan.proxy import Ruleset

PEER_PURGES = 50
_FLOWS = {
    INGRESS: ("--orig-dst {ip}", "--orig-src {peer}"),
    EGRESS: ("--orig-src {ip}", "--reply-src {peer}"),
}


def whole(table: Ruleset | None) -> str:
    """Return the transaction after which a namespace has exactly this table, whatever it had."""
    return proxy_nft.replace(table) if table is not None else proxy_nft.remove(TABLE)


def change(old: Ruleset | None, new: Ruleset | None) -> str:
    """Return the transaction from one known table to another, "" when there is nothing to do."""
    if old == new:
        return ""
    if old is None or new is None or _frame(old) != _frame(new):
        return whole(new)
    return proxy_nft.delta(old, new)


def _frame(table: Ruleset) -> object:
    """Return what only changes with policies: directions and ranges."""
    return set(table.maps), {name: table.maps[name] for name in table.ranges}


def purge_commands(old: Ruleset | None, new: Ruleset | None, ip: str) -> tuple[tuple[str, ...], ...]:
    """Return the command that forgets UDP flows which may not be allowed any more.

    UDP knows no connections: without this a client that keeps its port would go on for ever.  TCP and SCTP
    connections stay, as Kubernetes leaves open.
    """
    words: list[str] = []
    if new is not None and new is not old:
        for direction, (all_flows, of_peer) in _FLOWS.items():
            peers = _tightened(direction.lower(), old, new)
            head = f"conntrack -D -p udp {all_flows.format(ip=ip)}"
            if peers is None or len(peers) > PEER_PURGES:
                words.append(head)
            else:
                words += [f"{head} {of_peer.format(peer=peer)}" for peer in peers]
    return proxy_nft.quietly(words)


def _tightened(name: str, old: Ruleset | None, new: Ruleset) -> list[str] | None:
    """Return the pods that may have lost something, None when anybody may have."""
    pods, blocks = f"{name}-pods", f"{name}-blocks"
    if pods not in new.maps:
        return []
    if old is None or pods not in old.maps or old.maps[blocks] != new.maps[blocks]:
        return None
    return [peer for peer, verdict in old.maps[pods].items() if new.maps[pods].get(peer) != verdict]
