"""What a cluster is made with: judged before anything is made, and fixed from then on."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from minikctl import errors

if TYPE_CHECKING:
    from minikctl.client.home import ClusterHome
    from minikctl.client.settings import ClusterSettings

MOST_NODES = 5000


def settle(home: ClusterHome, asked: dict[str, Any]) -> None:
    """Keep what was asked in the settings of a new cluster; those of an existing one cannot be changed.

    ``UsageError`` says what is wrong, or which setting would be another.
    """
    if asked.get("runtime", "docker") not in ("docker", "sim"):
        raise errors.UsageError(f"error: unknown runtime {asked['runtime']!r}: it is docker or sim")
    _check_nodes(asked)
    settings = home.settings()
    wanted = replace(settings, **asked)
    if wanted.pod_network != "docker":
        _check_plugins(wanted)
    _check_mode(wanted)
    if home.exists() and wanted != settings:
        changed = ", ".join(key for key in asked if getattr(settings, key) != asked[key])
        raise errors.UsageError(
            f"error: {changed}: fixed when cluster {home.name} was made; "
            "delete the cluster to choose again, or use another --cluster name"
        )
    if not home.exists():
        home.save(wanted)


def _check_plugins(wanted: ClusterSettings) -> None:
    """Refuse a network that plugins could not make: none is installed, or what they are told is wrong."""
    from minikctl.drivers import cni_files
    from minikctl.plan.cni import ranges

    if wanted.pod_network != "cni" or wanted.runtime == "sim":
        raise errors.UsageError(
            "error: --network is docker or cni, and simulated pods have no network that plugins could make"
        )
    if not any(os.path.isdir(path) for path in wanted.cni_path.split(":")):
        raise errors.UsageError(
            f"error: there are no CNI plugins in {wanted.cni_path}: install them with "
            "`apt-get install containernetworking-plugins`, or name their directory with --cni-path"
        )
    cni_files.read(wanted.cni_conf, wanted.network)
    ranges.split(wanted.pod_cidr or f"10.0.0.0/{ranges.prefix(wanted.nodes)}", wanted.nodes)


def _check_mode(wanted: ClusterSettings) -> None:
    if wanted.proxy_mode not in ("nftables", "userspace"):
        raise errors.UsageError(
            f"error: unknown proxy mode {wanted.proxy_mode!r}: it is nftables or userspace"
        )
    if wanted.proxy_mode == "userspace" and wanted.runtime == "sim":
        raise errors.UsageError("error: simulated pods make no connections that a proxy could take")


def _check_nodes(asked: dict[str, Any]) -> None:
    if not 1 <= asked.get("nodes", 1) <= MOST_NODES:
        raise errors.UsageError(f"error: --nodes is a number from 1 to {MOST_NODES}")
    if "node_capacity" in asked:
        from minikctl.model import capacities

        capacities.parse(asked["node_capacity"])
