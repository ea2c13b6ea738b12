"""An engine whose sandboxes get their network from CNI plugins: ADD when they start, DEL before they go.

Its users see what an engine with a network of its own shows: a sandbox that has started has an address.
A sandbox that runs without a valid attachment is shown as ended, so that it is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from minikctl import errors
from minikctl.drivers import cni, cni_calls
from minikctl.drivers import engine as engines
from minikctl.drivers.cni_records import Attachment, Records
from minikctl.model.containers import Container, ContainerSpec
from minikctl.network.cni_nodes import NodeContainers
from minikctl.plan.cni import protocol

log = logging.getLogger(__name__)

NODE = "minikctl.dev/cni-node"
"""A label of sandboxes that plugins attach: the node on which they do."""
_POD = ("minikctl.dev/pod-namespace", "minikctl.dev/pod-name", "minikctl.dev/pod-uid")
_ENDED = 137
Containers = Sequence[Container]
Names = list[str]


class CniEngine:
    """Fits ``engines.Engine``: all that is not here is the engine's own."""

    def __init__(
        self, engine: engines.Engine, plugins: cni.Plugins, nodes: NodeContainers, records: Records
    ) -> None:
        self._engine = engine
        self._plugins = plugins
        self._nodes = nodes
        self._records = records
        self._wanted: dict[str, ContainerSpec] = {}
        self._starting: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Return what the engine itself does."""
        return getattr(self._engine, name)

    async def create(self, spec: ContainerSpec) -> str:
        """Create a container; a sandbox without network if plugins are to attach it."""
        if not spec.network.startswith(protocol.PLUGINS):
            return await self._engine.create(spec)
        labels = {**spec.labels, NODE: spec.network.removeprefix(protocol.PLUGINS)}
        made = await self._engine.create(dataclasses.replace(spec, network="none", ports=(), labels=labels))
        self._wanted[made] = dataclasses.replace(spec, labels=labels)
        return made

    async def start(self, container_id: str) -> None:
        """Start a container and attach it; ``DriverError`` in the words of the plugin that refused."""
        spec = self._wanted.pop(container_id, None)
        if spec is None:
            await self._engine.start(container_id)
            return
        self._starting.add(container_id)
        try:
            await self._engine.start(container_id)
            found = await self._engine.inspect(container_id)
            if found is None or not found.pid:
                raise errors.DriverError("the sandbox ended before it had a network")
            await self._add(found, spec)
        finally:
            self._starting.discard(container_id)

    async def _add(self, container: Container, spec: ContainerSpec) -> None:
        node = spec.labels[NODE]
        namespace, name, uid = (spec.labels.get(label, "") for label in _POD)
        host = await self._nodes.ready(node)
        network = self._nodes.network
        runtime = protocol.runtime(
            self._nodes.range_of(node), spec.ports, spec.ingress_rate, spec.egress_rate
        )
        attachment = Attachment(
            container.id, namespace, name, uid, node, host.container_id, self._nodes.config, runtime
        )
        # Kept before the first plugin runs: whatever happens from here on, DEL follows.
        self._records.keep(attachment)
        target = attachment.target(_netns(container))
        try:
            result = await cni_calls.Calls(self._plugins, host, network).add(target, runtime)
        except protocol.PluginError as error:
            with contextlib.suppress(errors.DriverError):
                # What refuses is tried again by ``collect``.
                await self._delete(attachment, target.netns)
            raise errors.DriverError(
                f'failed to setup network for sandbox "{container.id}": {error}'
            ) from error
        self._records.keep(dataclasses.replace(attachment, result=result))
        await self._announce(container, protocol.address(result))

    async def _announce(self, container: Container, address: str) -> None:
        """Have those nearby forget who had the address before: to that one they would send for seconds."""
        place = cni.Place(container.id, container.pid)
        with contextlib.suppress(errors.DriverError):
            await self._plugins.prepare(
                place, [("arping", "-q", "-U", "-c", "1", "-I", protocol.INTERFACE, address)]
            )

    async def remove(self, container_id: str) -> None:
        """Detach the container, then remove it; ``DriverError`` when a plugin refuses: try again."""
        self._wanted.pop(container_id, None)
        attachment = self._records.all().get(container_id)
        if attachment is not None:
            found = await self._engine.inspect(container_id)
            await self._delete(attachment, _netns(found) if found is not None and found.pid else "")
        await self._engine.remove(container_id)

    async def _delete(self, attachment: Attachment, netns: str) -> None:
        host = await self._nodes.ready(attachment.node)
        target = attachment.target(netns)
        try:
            await cni_calls.Calls(self._plugins, host, attachment.network).delete(
                target, attachment.runtime, attachment.result
            )
        except protocol.PluginError as error:
            raise errors.DriverError(
                f'failed to destroy network for sandbox "{attachment.container_id}": {error}'
            ) from error
        self._records.drop(attachment.container_id)

    async def inspect(self, container_id: str) -> Container | None:
        """Return the container, with the address that plugins gave it."""
        found = await self._engine.inspect(container_id)
        return self._shown(found) if found is not None else None

    async def list(self, labels: Mapping[str, str]) -> Containers:
        """Return the containers with these labels, with the addresses that plugins gave them."""
        return [self._shown(found) for found in await self._engine.list(labels)]

    def _shown(self, found: Container) -> Container:
        if NODE not in found.labels or found.status != "running":
            return found
        if found.id in self._starting:
            return dataclasses.replace(found, status="created", pid=0)
        attachment = self._records.all().get(found.id)
        if attachment is None or not attachment.ip or self._nodes.lost(attachment.host):
            return dataclasses.replace(found, status="exited", pid=0, exit_code=_ENDED)
        return dataclasses.replace(found, ip=attachment.ip)

    def attached(self) -> Names:
        """Return the containers that are attached."""
        return list(self._records.all())

    async def check(self) -> None:
        """Ask the plugins about all attachments; one that is not what was made any more loses its sandbox.

        A plugin that crashes has not judged: Debian's ``bandwidth`` 1.1.1 does at every pod without limits.
        """
        for attachment in list(self._records.all().values()):
            found = await self._engine.inspect(attachment.container_id)
            if found is None or not found.pid or not attachment.result:
                continue
            host, target = await self._nodes.ready(attachment.node), attachment.target(_netns(found))
            try:
                await cni_calls.Calls(self._plugins, host, attachment.network).check(
                    target, attachment.runtime, attachment.result
                )
            except protocol.PluginError as error:
                whose = f"{attachment.namespace}/{attachment.name}"
                if not error.told:
                    words = str(error).partition("\n")[0]
                    log.info("whether the network of %s is as it was cannot be told: %s", whose, words)
                    continue
                log.warning("network of %s is broken: %s", whose, error)
                await self._engine.kill(attachment.container_id)

    async def collect(self) -> None:
        """Detach what has no container any more; what a plugin refuses is tried again at the next call."""
        for attachment in list(self._records.all().values()):
            if attachment.container_id in self._starting:
                continue
            if await self._engine.inspect(attachment.container_id) is None:
                try:
                    await self._delete(attachment, "")
                except errors.DriverError as error:
                    log.warning("%s", error)

    async def reset(self, node: str) -> None:
        """End the sandboxes of a node whose own container was replaced: nothing connects them any more."""
        found = await self._engine.list({NODE: node})
        lost = [each.id for each in found if each.status == "running" and each.id not in self._starting]
        await asyncio.gather(*map(self._engine.kill, lost), return_exceptions=True)


def _netns(container: Container) -> str:
    return f"/proc/{container.pid}/ns/net"
