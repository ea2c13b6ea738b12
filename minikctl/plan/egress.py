"""The baseline of clusters without egress: nothing leaves the cluster's own network."""

from __future__ import annotations


def rules(subnet: str) -> tuple[str, ...]:
    """Return the filter rules that let pass loopback and the cluster's subnet, its gateway included, only."""
    return (
        'oifname "lo" accept',
        f"ip daddr {{ 127.0.0.0/8, {subnet} }} accept",
        "goto rejected",
    )
