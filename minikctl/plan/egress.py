"""The baseline of clusters without egress: nothing leaves the cluster's own network."""

from __future__ import annotations


def rules(subnet: str) -> tuple[str, ...]:
    """Return the filter rules that let pass loopback and the cluster's subnet, its gateway included, only.

    A rule for each range: while rules change, the kernel may find a set of ranges empty.
    """
    return (
        'oifname "lo" accept',
        "ip daddr 127.0.0.0/8 accept",
        f"ip daddr {subnet} accept",
        "goto rejected",
    )
