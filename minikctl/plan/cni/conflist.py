"""A CNI network configuration list, read and judged: CNI specification, section 1.

Files of a single plugin (``*.conf``, ``*.json``) are taken as lists of one, as libcni takes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minikctl import errors

Json = dict[str, Any]
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Of the specification, those whose results say which address belongs to which interface."""
NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$")
CHECKS, COLLECTS = "0.4.0", "1.1.0"


@dataclass(frozen=True)
class NetworkList:
    """A valid list; ``plugins`` are as they were written, but for ``capabilities``, which are apart."""

    name: str
    version: str
    plugins: tuple[Json, ...]
    capabilities: tuple[frozenset[str], ...]
    disable_check: bool = False
    disable_gc: bool = False

    @property
    def checks(self) -> bool:
        """Tell whether plugins may be asked to CHECK."""
        return not self.disable_check and order(self.version) >= order(CHECKS)

    def state_of(self, node: str) -> str:
        """Return where plugins keep what they have lent on a node, as a path below a directory for all nodes.

        Each node has a place of its own, as a machine has, if each is told its own range; otherwise they have
        one range in common, and have to know what the others lent.
        """
        told = any("ipRanges" in each for each in self.capabilities)
        return f"nodes/{node}" if told and node else "shared"

    @property
    def collects(self) -> bool:
        """Tell whether plugins know GC and STATUS."""
        return order(self.version) >= order(COLLECTS)


def order(version: str) -> tuple[int, ...]:
    """Return a version as something that compares."""
    return tuple(int(part) for part in version.split("."))


def default(name: str) -> str:
    """Return the list that a cluster has when its user gives none."""
    ipam = {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": ipam,
        "capabilities": {"ipRanges": True},
    }
    portmap = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    bandwidth = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
    return json.dumps(
        {"cniVersion": "1.0.0", "name": name, "plugins": [bridge, portmap, bandwidth]}, indent=2
    )


def parse(text: str, path: str) -> NetworkList:
    """Return the list; a ``UsageError`` names file, line and field of what is wrong."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise errors.UsageError(f"error: {path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(found, dict):
        raise errors.UsageError(f"error: {path}:1: a CNI network configuration is an object")
    single = "plugins" not in found and "type" in found
    whole = {**found, "plugins": [found]} if single else found
    reading = _Reading(text, path)
    plugins = reading.plugins(whole, single=single)
    return NetworkList(
        name=reading.name(whole),
        version=reading.version(whole),
        plugins=tuple({k: v for k, v in plugin.items() if k != "capabilities"} for plugin in plugins),
        capabilities=tuple(
            frozenset(key for key, wanted in (plugin.get("capabilities") or {}).items() if wanted)
            for plugin in plugins
        ),
        disable_check=reading.truth(whole, "disableCheck"),
        disable_gc=reading.truth(whole, "disableGC"),
    )


class _Reading:
    """Judges one file's content field by field."""

    def __init__(self, text: str, path: str) -> None:
        self._text, self._path = text, path

    def refuse(self, field: str, words: str, nth: int = 0) -> errors.UsageError:
        """Return the refusal of a field, with the line of its key's ``nth`` place in the file."""
        key = field.rpartition(".")[2]
        places = [match.start() for match in re.finditer(rf'"{re.escape(key)}"\s*:', self._text)]
        line = self._text.count("\n", 0, places[nth]) + 1 if nth < len(places) else 1
        return errors.UsageError(f"error: {self._path}:{line}: {field}: {words}")

    def name(self, found: Json) -> str:
        """Return the network's name."""
        name = found.get("name")
        if not isinstance(name, str) or not NAME.match(name):
            raise self.refuse("name", f"{_shown(name)} is no name of a network ([a-zA-Z0-9][a-zA-Z0-9_.-]*)")
        return name

    def version(self, found: Json) -> str:
        """Return the highest version that we know of those that the list is written for.

        ``cniVersions`` names further ones; which is taken is specification 1.1.0's and libcni's rule.
        """
        version, others = found.get("cniVersion"), found.get("cniVersions", [])
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise self.refuse("cniVersions", f"{_shown(others)} is not a list of versions")
        known = [one for one in VERSIONS if one == version or one in others]
        if not known:
            field, wrong = ("cniVersions", others) if others else ("cniVersion", version)
            raise self.refuse(field, f"{_shown(wrong)} is not supported: it is {', '.join(VERSIONS)}")
        return known[-1]

    def truth(self, found: Json, field: str) -> bool:
        """Return a yes or no, which older writers put into quotes."""
        value = found.get(field, False)
        if value not in (True, False, "true", "false"):
            raise self.refuse(field, f"{_shown(value)} is not true or false")
        return value in (True, "true")

    def plugins(self, found: Json, *, single: bool) -> list[Json]:
        """Return the plugins, of which there must be one at least."""
        plugins = found.get("plugins")
        if not isinstance(plugins, list) or not plugins:
            raise self.refuse("plugins", "a list of at least one plugin is needed")
        for index, plugin in enumerate(plugins):
            self._plugin(plugin, "" if single else f"plugins[{index}].", index)
        return plugins

    def _plugin(self, plugin: Any, prefix: str, index: int) -> None:
        if not isinstance(plugin, dict):
            raise self.refuse(prefix.rstrip("."), f"{_shown(plugin)} is not an object")
        kind = plugin.get("type")
        if not isinstance(kind, str) or not kind or "/" in kind or kind.startswith("."):
            raise self.refuse(f"{prefix}type", f"{_shown(kind)} is no name of a plugin's program", index)
        wanted = plugin.get("capabilities")
        if wanted is not None and not _are_switches(wanted):
            raise self.refuse(f"{prefix}capabilities", "it maps names of capabilities to true or false")
        ipam = plugin.get("ipam")
        if ipam is not None and not isinstance(ipam, dict):
            raise self.refuse(f"{prefix}ipam", f"{_shown(ipam)} is not an object")


def _are_switches(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, bool) for each in value.values())


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value)
