"""Name servers in memory, for tests and the simulated runtime."""

from __future__ import annotations

from minikctl import errors
from minikctl.drivers.bind import Restarted
from minikctl.plan.dns_records import RecordKey, Records


class FakeNameServers:
    """Fits ``bind.NameServers``: any address has a server with any zone, except those in ``down``."""

    def __init__(self) -> None:
        self.zones: dict[tuple[str, str], dict[RecordKey, frozenset[str]]] = {}
        self.down: set[str] = set()
        self.updates: list[tuple[str, str, Records]] = []

    def restart(self, address: str) -> None:
        """Let the server lose what it holds."""
        self.zones = {key: zone for key, zone in self.zones.items() if key[0] != address}

    def lookup(self, address: str, name: str, type: str) -> frozenset[str]:
        """Return the data of a record set, whatever its zone."""
        held = [zone for (server, _), zone in self.zones.items() if server == address]
        return next((zone[name, type] for zone in held if (name, type) in zone), frozenset())

    async def records(self, address: str, zone: str) -> Records:
        """Return the zone's records."""
        return dict(self._zone(address, zone))

    async def update(
        self, address: str, zone: str, changes: Records, expected: tuple[RecordKey, str] | None = None
    ) -> None:
        """Replace each of these record sets."""
        held = self._zone(address, zone)
        if expected is not None and expected[1] not in held.get(expected[0], frozenset()):
            raise Restarted(f"name server {address} was started anew")
        self.updates.append((address, zone, changes))
        for key, data in changes.items():
            held.pop(key, None)
            if data:
                held[key] = data

    def _zone(self, address: str, zone: str) -> dict[RecordKey, frozenset[str]]:
        if address in self.down:
            raise errors.DriverError(f"name server {address}: connection refused")
        return self.zones.setdefault((address, zone), {})
