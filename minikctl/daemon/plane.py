"""The control plane of one cluster: store, API server, controllers, and the world that they act on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minikctl
from minikctl import errors
from minikctl.apiserver import (
    aggregation,
    auth,
    bootstrap,
    expiry,
    frontproxy,
    http,
    http_metrics,
    jws,
    pki,
    signer,
)
from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.registry import Settings as RegistrySettings
from minikctl.client import kubeconfig
from minikctl.client.home import ClusterHome
from minikctl.client.informer import Informers
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import process, relay, server
from minikctl.daemon.core import Core
from minikctl.daemon.late import LateStreams
from minikctl.drivers import dialing, listening
from minikctl.model import objects
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder
from minikctl.store import retention
from minikctl.store.store import Store

if TYPE_CHECKING:
    from minikctl.daemon import actors

logger = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]
END_SECONDS = 10.0
"""What has not ended so long after it was asked to is given up; nothing is lost, the store is on disk."""


async def run(home: ClusterHome, settings: ClusterSettings, stop: asyncio.Event) -> None:
    """Run the control plane until ``stop``; containers go on without it."""
    sock = server.listen(settings.api_port)
    settings = home.save(replace(settings, api_port=sock.getsockname()[1]))
    keys = pki.ensure(home, settings)
    streams, meter = LateStreams(), http_metrics.LateMeter()
    async with opened(home, settings, keys) as (store, core):
        issuer = core.issuer
        authenticate = auth.any_of((auth.TokenAuthenticator(keys.token), issuer, signer.authenticate))
        others = aggregation.Aggregation(core.registry, frontproxy.ensure(home))
        others.start()
        app = http.build_app(
            core.registry,
            authenticate=authenticate,
            streams=streams,
            meter=meter,
            issuer=issuer,
            aggregation=others,
        )
        api = server.Server(app, sock, keys, home.socket, relay.socket_path(home), others.covers)
        await bootstrap.bootstrap(core.registry)
        await frontproxy.publish(core.registry, frontproxy.config(home, keys.ca_pem))
        announcement = Announcement(home, api.address, keys, core.clock)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(api.run(announcement.publish), name="api server")
            await announcement.made.wait()
            acting = await _load_actors(core, keys)
            streams.set(acting.streams)
            meter.target = acting.world.meter
            works = {**acting.works, **_upkeep(store, core)}
            works["aggregation"] = others.run()
            works["state directory"] = _end_without_state(core, stop)
            works["announcement"] = announcement.keep()
            background = [group.create_task(work, name=name) for name, work in works.items()]
            await stop.wait()
            logger.info("stopping")
            process.end_within(END_SECONDS)
            home.remove("daemon.json")
            await tasks.end(background)
            await core.registry.close()  # open watches end, so that the server need not wait for them
            api.stop()
            await serving
        await acting.world.close()


async def _load_actors(core: Core, keys: pki.Pki) -> actors.Actors:
    """Return what acts on the cluster, loaded beside the requests that the API answers already."""
    await asyncio.to_thread(importlib.import_module, "minikctl.daemon.actors")
    from minikctl.daemon import actors

    gc.freeze()
    return actors.build(core, keys)


def _upkeep(store: Store, core: Core) -> dict[str, Work]:
    return {
        "event expiry": expiry.expire_events(core.registry),
        "old changes": expiry.settle_changes(core.registry),
        "retention": retention.keep(store, retention.Retention()),
    }


async def _end_without_state(core: Core, stop: asyncio.Event) -> None:
    """Ask for the end when the state directory is removed: nothing written from then on would be kept."""
    await process.state_is_gone(core.home, core.clock)
    logger.error("the state directory %s is gone: this control plane ends", core.home.path)
    stop.set()


def _refuse_a_loss(home: ClusterHome) -> None:
    """Raise ``StoreError`` when the store is gone or empty, but the cluster has served before.

    An empty store says that nothing is wanted: all that runs would be removed.
    """
    try:
        is_empty = os.path.getsize(home.store) == 0
        state = "empty"
    except FileNotFoundError:
        is_empty, state = True, "gone"
    if is_empty and os.path.exists(home.kubeconfig):
        raise errors.StoreError(
            f"the cluster's store {home.store} is {state}: with a new one all that runs would be removed; "
            "restore a copy, or delete the cluster"
        )


@contextlib.asynccontextmanager
async def opened(
    home: ClusterHome, settings: ClusterSettings, keys: pki.Pki
) -> AsyncIterator[tuple[Store, Core]]:
    """Have the store open and the API's registry filled during the block."""
    clock = clocks.SystemClock()
    _refuse_a_loss(home)
    store = await Store.open(Path(home.store))
    try:
        ways = dialing.Ways()
        asked = RegistrySettings(settings.service_cidr, clock=clock, dialer=ways)
        if settings.runtime == "docker":
            asked = replace(asked, busy=listening.is_held)
        registry = Registry(store, asked)
        await registry.start()
        try:
            client = LocalClient(registry)
            informers = Informers(client)
            recorder = Recorder(client, clock, host=f"minikctl-{settings.name}")
            executor = ApiExecutor(client, recorder, clock, informers.known)
            issuer = Issuer(
                registry, jws.SigningKey(keys.accounts), f"https://kubernetes.default.svc.{settings.domain}"
            )
            parts = (registry, client, informers, recorder, executor, issuer, ways)
            yield store, Core(home, settings, clock, *parts)
        finally:
            await registry.close()
    finally:
        await store.close()


@dataclass(frozen=True)
class Announcement:
    """Tells clients where the API is, once it answers."""

    home: ClusterHome
    address: str
    keys: pki.Pki
    clock: clocks.Clock
    made: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self) -> None:
        """Write the kubeconfig and ``daemon.json``, and set ``made``."""
        self._write_kubeconfig()
        self.home.write_json(
            "daemon.json",
            {
                "cluster": self.home.name,
                "pid": os.getpid(),
                "address": self.address,
                "version": minikctl.__version__,
                "started": objects.timestamp(self.clock.now()),
            },
        )
        logger.info("cluster %s: the API answers at %s", self.home.name, self.address)
        self.made.set()

    async def keep(self) -> None:
        """Write both files again when one is deleted: without them nobody finds this control plane."""
        while True:
            await self.clock.sleep(process.STATE_CHECK_SECONDS)
            lost = [
                path
                for path in (self.home.kubeconfig, self.home.file("daemon.json"))
                if not os.path.exists(path)
            ]
            if lost and os.path.exists(self.home.lock):
                logger.warning("%s is gone: it is written again", ", ".join(lost))
                try:
                    self.publish()
                except (OSError, errors.MinikctlError) as error:
                    logger.warning("it cannot be written yet: %s", error)

    def _write_kubeconfig(self) -> None:
        """Bring our entries up to date; what the user did to the file besides stays."""
        own = kubeconfig.for_cluster(self.home.name, self.address, self.keys.ca_pem, self.keys.token)

        def change(found: kubeconfig.Config) -> kubeconfig.Config:
            merged = kubeconfig.merge_into(found, own)
            merged["contexts"] = [_with_namespace(entry, found) for entry in merged["contexts"]]
            return {**merged, "current-context": found.get("current-context") or own["current-context"]}

        kubeconfig.edit(self.home.kubeconfig, change)


def _with_namespace(entry: dict[str, Any], before: kubeconfig.Config) -> dict[str, Any]:
    for known in before.get("contexts") or ():
        namespace = (known.get("context") or {}).get("namespace")
        if known["name"] == entry["name"] and namespace:
            return {**entry, "context": {**entry["context"], "namespace": namespace}}
    return entry
