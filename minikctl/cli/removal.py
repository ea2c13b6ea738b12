"""Deleting a cluster, whether or not its control plane still works: by the labels on what it made."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping

from minikctl import errors
from minikctl.cli.session import Io
from minikctl.client import kubeconfig, launcher, running
from minikctl.client.home import ClusterHome
from minikctl.drivers import docker, images, ownership
from minikctl.drivers.engine import LEAVING, Engine
from minikctl.model.containers import Container
from minikctl.node import by_root
from minikctl.runtime import clock

ROUNDS = 15
PAUSE_SECONDS = 0.2
"""How often, and how far apart, containers are looked for that are being started."""


def remove(home: ClusterHome, io: Io) -> bool:
    """Stop the control plane, remove the cluster's containers and network, then its state; tell if there was any."""
    found = home.exists()
    launcher.stop(home, io.warn)
    if home.settings().runtime == "docker":
        try:
            found |= asyncio.run(_remove_from_engine(home))
        except errors.EngineUnavailable as error:
            if home.exists():
                raise errors.UsageError(
                    f"error: the containers of cluster {home.name} cannot be removed: {error}"
                ) from error
            io.warn(str(error))
        except errors.DriverError as error:
            io.warn(f"not all of it could be removed from the engine: {error}")
    for path in filter(None, (home.memory, home.path)):
        shutil.rmtree(path, ignore_errors=True)
        if os.path.isdir(path):
            _remove_by_root(home.name, path, io)
    _forget_context(home.name)
    return found


def _remove_by_root(cluster: str, path: str, io: Io) -> None:
    """Remove what containers wrote as root, and who deletes the cluster may not."""

    async def work() -> None:
        engine = docker.DockerEngine(cluster)
        try:
            await by_root.ByRoot(engine, cluster, f"{images.INFRA}:latest", clock.SystemClock()).remove(path)
        finally:
            await engine.close()

    try:
        asyncio.run(work())
    except errors.DriverError as error:
        io.warn(f"not all files of the cluster could be removed: {error}")


async def _remove_from_engine(home: ClusterHome) -> bool:
    engine = docker.DockerEngine(home.name)
    labels = {ownership.CLUSTER_LABEL: home.name}
    try:
        networks = await engine.networks(labels)
        ownership.refuse_other(networks, home.name, home.path, running.rivals(home))
        return await clear(engine, labels)
    finally:
        await engine.close()


async def clear(engine: Engine, labels: Mapping[str, str]) -> bool:
    """Remove the containers with these labels, then the networks; tell if there was any.

    A control plane that was stopped may have been starting some. The engine goes on with that, and what is removed
    in the midst of its start stays counted in its network for ever: it is removed once it runs.
    """
    is_any = False
    for left in range(ROUNDS, -1, -1):
        found = await engine.list(labels)
        if not found:
            break
        is_any = True
        # Apps first: a pause that goes before them would only take their network away.
        settled = [each for each in found if not left or not await _may_be_starting(engine, each)]
        pauses = [each.id for each in settled if each.labels.get("minikctl.dev/role") == "pause"]
        others = [each.id for each in settled if each.id not in pauses]
        await asyncio.gather(*(engine.remove(container) for container in others))
        await _leave(engine, pauses)
        if len(settled) < len(found):
            await asyncio.sleep(PAUSE_SECONDS)
    for network in await engine.networks(labels):
        is_any = True
        await engine.remove_network(network.name)
    return is_any


async def _leave(engine: Engine, pauses: Iterable[str]) -> None:
    turns = asyncio.Semaphore(LEAVING)

    async def leave(container: str) -> None:
        async with turns:
            await engine.remove(container)

    await asyncio.gather(*(leave(container) for container in pauses))


async def _may_be_starting(engine: Engine, container: Container) -> bool:
    """Tell whether the engine may be about to start the container; of one that it could not start it knows why."""
    if container.status != "created":
        return False
    found = await engine.inspect(container.id)
    return found is not None and found.status == "created" and not (found.error or found.exit_code)


def _forget_context(name: str) -> None:
    """Take the context out of the user's kubeconfig, if it was merged there."""
    for path in kubeconfig.default_paths():
        if not os.path.exists(path):
            continue
        with contextlib.suppress(errors.UsageError):
            kubeconfig.edit(path, lambda found: kubeconfig.without(found, name))
