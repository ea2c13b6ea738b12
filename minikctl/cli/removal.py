"""Deleting a cluster, whether or not its control plane still works: by the labels on what it made."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil

from minikctl import errors
from minikctl.cli.session import Io
from minikctl.client import kubeconfig, launcher
from minikctl.client.home import ClusterHome
from minikctl.drivers import docker, ownership


def remove(home: ClusterHome, io: Io) -> None:
    """Stop the control plane, remove the cluster's containers and network, then its state."""
    launcher.stop(home, io.warn)
    if home.settings().runtime == "docker":
        try:
            asyncio.run(_remove_from_engine(home))
        except errors.EngineUnavailable as error:
            if home.exists():
                raise errors.UsageError(
                    f"error: the containers of cluster {home.name} cannot be removed: {error}"
                ) from error
            io.warn(f"{error}; there is no such cluster")
        except errors.DriverError as error:
            io.warn(f"nothing was removed from the engine: {error}")
    for path in filter(None, (home.memory, home.path)):
        shutil.rmtree(path, ignore_errors=True)
    _forget_context(home.name)


async def _remove_from_engine(home: ClusterHome) -> None:
    engine = docker.DockerEngine(home.name)
    labels = {ownership.CLUSTER_LABEL: home.name}
    try:
        ownership.refuse_other(await engine.networks(labels), home.name, home.path)
        found = await engine.list(labels)
        # Apps first: a pause that goes before them would only take their network away.
        pauses = [c.id for c in found if c.labels.get("minikctl.dev/role") == "pause"]
        others = [c.id for c in found if c.id not in pauses]
        await asyncio.gather(*(engine.remove(container) for container in others))
        await asyncio.gather(*(engine.remove(container) for container in pauses))
        for network in await engine.networks(labels):
            await engine.remove_network(network.name)
    finally:
        await engine.close()


def _forget_context(name: str) -> None:
    """Take the context out of the user's kubeconfig, if it was merged there."""
    for path in kubeconfig.default_paths():
        if not os.path.exists(path):
            continue
        with contextlib.suppress(errors.UsageError):
            kubeconfig.edit(path, lambda found: kubeconfig.without(found, name))
