"""The simulated engine's networks and host ports: what running containers hold, nobody else gets."""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Mapping

from minikctl import errors
from minikctl.drivers import engine

_BUILT_IN = ("bridge", "host", "none")
_FIRST_FREE_PORT = 32768


class Networks:
    """All networks of the engine and who holds which address."""

    def __init__(self) -> None:
        bridge = engine.Network("net-bridge", "bridge", "172.17.0.0/16", "172.17.0.1", {})
        self._networks = {"bridge": bridge}
        self._networks |= {name: engine.Network(f"net-{name}", name, "", "", {}) for name in ("host", "none")}
        self._held: dict[tuple[str, str], str] = {}
        self._holders: dict[str, list[tuple[str, str]]] = {}
        self._fresh: dict[str, int] = {}
        self._freed: dict[str, list[int]] = {}

    def all(self) -> list[engine.Network]:
        """Return every network."""
        return list(self._networks.values())

    def find(self, name: str) -> engine.Network:
        """Return the network of that name or id."""
        for network in self._networks.values():
            if name in (network.name, network.id):
                return network
        raise errors.DriverError(f"network {name} not found", f"network {name} not found")

    def create(self, name: str, subnet: str, labels: Mapping[str, str], identity: str) -> engine.Network:
        """Make a network."""
        if name in self._networks:
            raise _refused(f"network with name {name} already exists")
        wanted = ipaddress.ip_network(subnet)
        for other in self._networks.values():
            if other.subnet and wanted.overlaps(ipaddress.ip_network(other.subnet)):
                raise _refused("Pool overlaps with other one on this address space")
        gateway = str(next(wanted.hosts()))
        self._networks[name] = engine.Network(identity, name, str(wanted), gateway, dict(labels))
        return self._networks[name]

    def remove(self, name: str) -> None:
        """Remove a network that nobody is connected to."""
        found = next((item for item in self.all() if name in (item.name, item.id)), None)
        if found is None:
            return
        if found.name in _BUILT_IN:
            raise _refused(f"{found.name} is a pre-defined network and cannot be removed")
        if any(network == found.name for network, _ in self._held):
            raise _refused(f"error while removing network: network {name} id {found.id} has active endpoints")
        del self._networks[found.name]

    def lend(self, name: str, address: str, holder: str) -> str:
        """Return an address of the network for a container that starts, the wanted one if it is free."""
        network = self.find(name)
        if not network.subnet:
            return ""
        if address:
            if name == "bridge":
                raise _refused("user specified IP address is supported on user defined networks only")
            if (network.name, address) in self._held:
                raise _refused("Address already in use")
        else:
            address = self._lowest(network)
        self._held[network.name, address] = holder
        self._holders.setdefault(holder, []).append((network.name, address))
        return address

    def _lowest(self, network: engine.Network) -> str:
        """Return the lowest free address; thousands of containers may hold the others."""
        subnet, freed = ipaddress.ip_network(network.subnet), self._freed.setdefault(network.id, [])
        while True:
            if freed:
                number = heapq.heappop(freed)
            else:
                number = self._fresh.get(network.id, 1)
                self._fresh[network.id] = number + 1
            if number >= subnet.num_addresses - 1:
                raise _refused(f"no available IPv4 addresses on this network's address pools: {network.name}")
            address = str(subnet[number])
            if address != network.gateway and (network.name, address) not in self._held:
                return address

    def give_back(self, holder: str) -> None:
        """Free what a container held."""
        for name, address in self._holders.pop(holder, ()):
            del self._held[name, address]
            network = self._networks[name]
            number = int(ipaddress.ip_address(address)) - int(ipaddress.ip_network(network.subnet)[0])
            if number < self._fresh.get(network.id, 1):
                heapq.heappush(self._freed.setdefault(network.id, []), number)


class HostPorts:
    """The host ports that running containers publish."""

    def __init__(self) -> None:
        self._held: dict[engine.PortBinding, str] = {}

    def take(self, wanted: tuple[engine.PortBinding, ...], holder: str) -> tuple[engine.PortBinding, ...]:
        """Return the bindings with their host ports; ``PortTaken`` if one of them is in use."""
        given: list[engine.PortBinding] = []
        for port in wanted:
            number = port.host_port or self._free(port)
            binding = engine.PortBinding(
                port.container_port, port.protocol, port.host_ip or "0.0.0.0", number
            )
            if any(_clash(binding, other) for other in self._held):
                self.give_back(holder)
                words = f"Bind for {binding.host_ip}:{number} failed: port is already allocated"
                raise errors.PortTaken(words, words)
            self._held[binding] = holder
            given.append(binding)
        return tuple(given)

    def _free(self, port: engine.PortBinding) -> int:
        used = {held.host_port for held in self._held if held.protocol == port.protocol}
        return next(number for number in range(_FIRST_FREE_PORT, 65536) if number not in used)

    def give_back(self, holder: str) -> None:
        """Free what a container held."""
        self._held = {key: owner for key, owner in self._held.items() if owner != holder}


def _clash(one: engine.PortBinding, other: engine.PortBinding) -> bool:
    if (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    return one.host_ip == other.host_ip or "0.0.0.0" in (one.host_ip, other.host_ip)


def _refused(words: str) -> errors.DriverError:
    return errors.DriverError(words, words)
