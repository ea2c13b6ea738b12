"""ADD, DEL, CHECK and the rest of a list of plugins, in the order that the specification asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from minikctl.drivers.cni import Place, Plugins
from minikctl.plan.cni import protocol
from minikctl.plan.cni.conflist import Json, NetworkList


@dataclass(frozen=True)
class Calls:
    """The plugins of one list on one node."""

    plugins: Plugins
    place: Place
    network: NetworkList

    async def add(self, target: protocol.Target, runtime: Json) -> Json:
        """Return the last plugin's result; ``PluginError`` from the first that refuses."""
        result: Json | None = None
        for index in range(len(self.network.plugins)):
            result = await self._call(index, protocol.environment("ADD", target), _Told(runtime, result))
        if not result or not protocol.address(result):
            raise protocol.PluginError(
                f'network "{self.network.name}" gave {protocol.INTERFACE} no IPv4 address'
            )
        return result

    async def delete(self, target: protocol.Target, runtime: Json, result: Json | None) -> None:
        """Undo ADD, even half of one: from the last plugin to the first, with the final result."""
        for index in reversed(range(len(self.network.plugins))):
            await self._call(index, protocol.environment("DEL", target), _Told(runtime, result))

    async def check(self, target: protocol.Target, runtime: Json, result: Json) -> None:
        """Raise ``PluginError`` when an attachment is not what ADD made any more; lists may forbid to ask."""
        if self.network.checks:
            for index in range(len(self.network.plugins)):
                await self._call(index, protocol.environment("CHECK", target), _Told(runtime, result))

    async def collect(self, valid: Iterable[str]) -> None:
        """Have plugins that know GC free what belongs to no sandbox in ``valid``; no ADD or DEL meanwhile."""
        if not self.network.collects or self.network.disable_gc:
            return
        kept = [{"containerID": each, "ifname": protocol.INTERFACE} for each in valid]
        for index in range(len(self.network.plugins)):
            told = _Told(more={"cni.dev/valid-attachments": kept})
            await self._call(index, {"CNI_COMMAND": "GC"}, told)

    async def status(self) -> None:
        """Raise ``PluginError`` when a plugin that knows STATUS says that it cannot ADD."""
        for index in range(len(self.network.plugins) if self.network.collects else 0):
            await self._call(index, {"CNI_COMMAND": "STATUS"}, _Told())

    async def versions(self) -> None:
        """Raise ``PluginError`` when a plugin is missing or does not speak the list's version."""
        for index, plugin in enumerate(self.network.plugins):
            found = await self._call(index, {"CNI_COMMAND": "VERSION"}, _Told())
            if not protocol.supported(found, self.network.version):
                known = ", ".join(found.get("supportedVersions") or ())
                raise protocol.PluginError(
                    f'plugin type="{plugin["type"]}" does not support cniVersion {self.network.version}, '
                    f'which network "{self.network.name}" is written for; it supports {known}'
                )

    async def _call(self, index: int, parameters: dict[str, str], told: _Told) -> Json:
        kind = str(self.network.plugins[index]["type"])
        text = protocol.stdin(self.network, index, told.runtime, told.previous, told.more)
        place = replace(self.place, state=self.network.state_of(self.place.node))
        answer = await self.plugins.call(place, kind, parameters, text)
        return protocol.result(answer, kind, parameters["CNI_COMMAND"])


@dataclass(frozen=True)
class _Told:
    """What a plugin is told besides its configuration."""

    runtime: Json = field(default_factory=dict)
    previous: Json | None = None
    more: Json | None = None
