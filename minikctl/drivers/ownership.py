"""Which state directory a cluster's things in the engine belong to: several may use one engine."""

from __future__ import annotations

import os
from collections.abc import Iterable

from minikctl import errors
from minikctl.drivers import engine as engines

CLUSTER_LABEL = "minikctl.dev/cluster"
STATE_LABEL = "minikctl.dev/state"
"""On the network: the state directory of the cluster that made it."""


def labels(cluster: str, state: str) -> dict[str, str]:
    """Return the labels of a cluster's network."""
    return {CLUSTER_LABEL: cluster, STATE_LABEL: state}


def refuse_other(
    networks: Iterable[engines.Network], cluster: str, state: str, rivals: Iterable[str] = ()
) -> None:
    """Raise ``DriverError`` if the cluster of that name has its state elsewhere, where it still is.

    Two control planes of one name would take each other's containers for strays.  ``rivals`` are the states
    of those that run: one that was moved is not where its network says.  The state of another user, who does
    not let us look, counts as there.
    """
    for network in networks:
        if network.labels.get(CLUSTER_LABEL) != cluster:
            continue
        made_by = network.labels.get(STATE_LABEL) or state
        for owner in (*(() if made_by == state else (made_by,)), *rivals):
            if _may_be_there(owner):
                raise errors.DriverError(
                    f'this engine already has a cluster "{cluster}", with its state in {owner}: '
                    "choose another name with --cluster, or delete that one"
                )


def _may_be_there(state: str) -> bool:
    try:
        os.stat(os.path.join(state, "store.db"))
    except PermissionError:
        return True
    except OSError:
        return False
    return True
