"""The name server's configuration from the ConfigMaps ``coredns`` and ``coredns-custom``.

Another configuration means other pods: the Deployment rolls, and the old server answers until the new one has
all names.
"""

from __future__ import annotations

import asyncio
import logging

from minikctl import errors
from minikctl.client import home as homes
from minikctl.client.base import Client
from minikctl.model import kinds, objects
from minikctl.model.actions.api import RecordEvent
from minikctl.model.objects import Object
from minikctl.network import dns, system
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import corefile, dns_forwarding
from minikctl.plan.dns_forwarding import CONFIG_MAP, CUSTOM, Forwarding

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.2
RETRY_SECONDS = 1.0
COMPONENT = "cluster-dns"


class DnsConfig:
    """Installs the system's pods with what the ConfigMaps say, at first and whenever that changes."""

    def __init__(self, client: Client, home: homes.ClusterHome, settings: NetworkSettings) -> None:
        self._client = client
        self._home = home
        self._settings = settings

    async def install(self) -> None:
        """Have the system's pods in the API."""
        found = [await self._get(name) for name in (CONFIG_MAP, CUSTOM)]
        try:
            forwarding = self._read(*found)
        except corefile.Malformed as error:
            log.warning("the ConfigMap %s: %s", CONFIG_MAP, error)
            forwarding = Forwarding(system.host_servers(self._settings))
        await self._apply(forwarding)

    async def follow(self, tools: Tools) -> None:
        """Install again whenever the ConfigMaps have changed; tell on them what is not done."""
        maps = tools.informers.of(kinds.CONFIG_MAP)
        changed = asyncio.Event()

        def note(old: Object | None, new: Object | None) -> None:
            if objects.key(new or old or {}) in ((system.NAMESPACE, CONFIG_MAP), (system.NAMESPACE, CUSTOM)):
                changed.set()

        maps.subscribe(note)
        await maps.synced()
        applied: Forwarding | None = None
        while True:
            await changed.wait()
            await tools.clock.sleep(COALESCE_SECONDS)
            changed.clear()
            found = [maps.get(system.NAMESPACE, name) for name in (CONFIG_MAP, CUSTOM)]
            try:
                forwarding = self._read(*found)
                self._tell_ignored(tools, found[0], forwarding)
                if forwarding != applied:
                    await self._apply(forwarding)
                    applied = forwarding
            except corefile.Malformed as error:
                text = f"{error}; cluster DNS goes on with what it was told before"
                self._tell(tools, found[0], "InvalidCorefile", text)
            except (errors.MinikctlError, OSError) as error:
                log.warning("configuring cluster DNS: %s", error)
                changed.set()
                await tools.clock.sleep(RETRY_SECONDS)

    async def _get(self, name: str) -> Object | None:
        try:
            return await self._client.get(kinds.CONFIG_MAP, name, system.NAMESPACE)
        except errors.StatusError as error:
            if error.code != 404:
                raise
            return None

    def _read(self, main: Object | None, custom: Object | None) -> Forwarding:
        host = system.host_servers(self._settings)
        data, more = ((one or {}).get("data") or {} for one in (main, custom))
        return dns_forwarding.read(data, more, host, dns.zones(self._settings))

    async def _apply(self, forwarding: Forwarding) -> None:
        values = {"dns_hash": system.write_dns_files(self._home, self._settings, forwarding)}
        await system.ensure(self._client, system.manifests(self._settings, values))

    def _tell_ignored(self, tools: Tools, main: Object | None, forwarding: Forwarding) -> None:
        if forwarding.ignored:
            listed = ", ".join(forwarding.ignored)
            self._tell(tools, main, "NotEnforced", f"cluster DNS is BIND and has no counterpart of: {listed}")

    def _tell(self, tools: Tools, main: Object | None, reason: str, text: str) -> None:
        if main is not None:
            tools.recorder.record(RecordEvent(main, "Warning", reason, text, COMPONENT))
