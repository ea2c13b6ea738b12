"""ADD, DEL, CHECK and the rest of a whole list of plugins, in the order and with the results that the spec asks for."""

from __future__ import annotations

from collections.abc import Iterable

from minikctl.drivers.cni import Place, Plugins
from minikctl.plan.cni import protocol
from minikctl.plan.cni.conflist import Json, NetworkList


async def add(
    plugins: Plugins, place: Place, network: NetworkList, target: protocol.Target, runtime: Json
) -> Json:
    """Return the last plugin's result; ``PluginError`` from the first that refuses."""
    result: Json | None = None
    for index in range(len(network.plugins)):
        result = await _call(plugins, place, network, index, "ADD", target, runtime, result)
    if not result or not protocol.address(result):
        raise protocol.PluginError(f'network "{network.name}" gave {protocol.INTERFACE} no IPv4 address')
    return result


async def delete(
    plugins: Plugins,
    place: Place,
    network: NetworkList,
    target: protocol.Target,
    runtime: Json,
    result: Json | None,
) -> None:
    """Undo ADD, also one that failed half-way: each plugin from the last to the first, with the final result."""
    for index in reversed(range(len(network.plugins))):
        await _call(plugins, place, network, index, "DEL", target, runtime, result)


async def check(
    plugins: Plugins, place: Place, network: NetworkList, target: protocol.Target, runtime: Json, result: Json
) -> None:
    """Raise ``PluginError`` when an attachment is not any more what ADD made; lists may forbid to ask."""
    if network.checks:
        for index in range(len(network.plugins)):
            await _call(plugins, place, network, index, "CHECK", target, runtime, result)


async def collect(plugins: Plugins, place: Place, network: NetworkList, valid: Iterable[str]) -> None:
    """Have plugins that know GC free what belongs to no sandbox in ``valid``; nobody may ADD or DEL meanwhile."""
    if not network.collects or network.disable_gc:
        return
    kept = [{"containerID": each, "ifname": protocol.INTERFACE} for each in valid]
    for index, plugin in enumerate(network.plugins):
        text = protocol.stdin(network, index, {}, None, {"cni.dev/valid-attachments": kept})
        kind = str(plugin["type"])
        protocol.result(await plugins.call(place, kind, protocol.bare("GC"), text), kind, "GC")


async def status(plugins: Plugins, place: Place, network: NetworkList) -> None:
    """Raise ``PluginError`` when a plugin that knows STATUS says that it cannot ADD."""
    for index, plugin in enumerate(network.plugins if network.collects else ()):
        kind, text = str(plugin["type"]), protocol.stdin(network, index, {}, None)
        protocol.result(await plugins.call(place, kind, protocol.bare("STATUS"), text), kind, "STATUS")


async def versions(plugins: Plugins, place: Place, network: NetworkList) -> None:
    """Raise ``PluginError`` when a plugin is missing or does not speak the list's version."""
    for plugin in network.plugins:
        kind = str(plugin["type"])
        text = f'{{"cniVersion": "{network.version}"}}'
        answer = await plugins.call(place, kind, protocol.bare("VERSION"), text)
        found = protocol.result(answer, kind, "VERSION")
        if not protocol.supported(found, network.version):
            known = ", ".join(found.get("supportedVersions") or ())
            raise protocol.PluginError(
                f'plugin type="{kind}" does not support cniVersion {network.version}, which "{network.name}" is '
                f"written for; it supports {known}"
            )


async def _call(
    plugins: Plugins,
    place: Place,
    network: NetworkList,
    index: int,
    command: str,
    target: protocol.Target,
    runtime: Json,
    previous: Json | None,
) -> Json:
    kind = str(network.plugins[index]["type"])
    text = protocol.stdin(network, index, runtime, previous)
    answer = await plugins.call(place, kind, protocol.environment(command, target), text)
    return protocol.result(answer, kind, command)
