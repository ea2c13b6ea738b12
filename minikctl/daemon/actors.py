"""Everything that acts on the cluster through the API: controllers, the node, its network.

A module of its own because loading it takes as long as loading the API server: the API answers first.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from minikctl import controllers
from minikctl.apiserver import http, pki
from minikctl.apiserver.streams import NodeStreams
from minikctl.daemon import nodes, world
from minikctl.daemon.core import Core
from minikctl.plan.storage import provisioning

Work = Coroutine[Any, Any, None]


@dataclass(frozen=True)
class Actors:
    """The work of each by its name, and what the API asks of the node."""

    works: dict[str, Work]
    streams: NodeStreams
    world: world.World


def build(core: Core, keys: pki.Pki) -> Actors:
    """Return all actors; nothing happens before their work is run."""
    there = world.build(core)
    served = core.registry.served
    served.subscribe(lambda table: core.informers.retain({kind.resource for kind in table.all}))
    volumes = core.home.file(provisioning.DIRECTORY)
    node = controllers.Settings(
        nodes.places(core.settings),
        http.VERSION,
        keys.ca_pem.decode(),
        there.facts,
        there.subscribe,
        there.known,
        volumes,
        served,
        there.meter.measure,
        keys.authority,
        core.issuer,
    )
    loops = controllers.build(core.client, core.informers, core.executor, core.clock, node)
    works: dict[str, Work] = {f"controller {loop.controller.name}": loop.run() for loop in loops}
    works["informers"] = core.informers.run()
    works["events"] = core.recorder.run()
    works["world"] = there.run()
    return Actors(works, there.streams, there)
