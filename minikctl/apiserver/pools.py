"""Pools of cluster addresses and node ports, which never give the same thing twice.

Each pool has a low band that is kept for those who ask for a certain value, and is used for anything only
when the rest is gone, so that static choices rarely collide (the bands are sized as Kubernetes sizes them).
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import random
from collections.abc import Callable, Iterable


class Taken(Exception):
    """The value cannot be had; the text says why, in Kubernetes' words."""


class Exhausted(Exception):
    """Nothing is left."""


Choose = Callable[[int, int], int]
"""Picks a number from [low, high)."""


Busy = Callable[[int], bool]
"""Tells whether somebody else has a number at the moment."""


def nobody(number: int) -> bool:
    """Fits ``Busy``."""
    del number
    return False


class Pool:
    """Numbers from [0, size) that are handed out once each; ``band`` is the size of the low band."""

    def __init__(self, size: int, band: int, choose: Choose) -> None:
        self._size = size
        self._band = band if band < size else 0
        self._choose = choose
        self._used: set[int] = set()

    def take(self, number: int) -> bool:
        """Take this number; False if it is taken."""
        if number in self._used:
            return False
        self._used.add(number)
        return True

    def take_any(self, busy: Busy = nobody) -> int:
        """Take some number, above the low band while there is one; a busy one if there is no other."""
        for shunned in (busy, nobody):
            for low, high in ((self._band, self._size), (0, self._band)):
                found = self._free(low, high, shunned)
                if found is not None:
                    self._used.add(found)
                    return found
        raise Exhausted

    def _free(self, low: int, high: int, shunned: Busy) -> int | None:
        if high <= low:
            return None
        start = self._choose(low, high)
        numbers = itertools.chain(range(start, high), range(low, start))
        return next((n for n in numbers if n not in self._used and not shunned(n)), None)

    def release(self, number: int) -> None:
        """Give it back; harmless when it is free."""
        self._used.discard(number)


def _band(size: int, divisor: int, most: int) -> int:
    return min(max(16, size // divisor), most)


class AddressPool:
    """Cluster addresses of one IPv4 range, without its network and broadcast address."""

    def __init__(self, cidr: str, choose: Choose = random.randrange) -> None:
        self.network = ipaddress.IPv4Network(cidr)
        size = self.network.num_addresses - 2
        self._base = int(self.network.network_address) + 1
        self._pool = Pool(size, _band(size, 16, 256), choose)
        self._size = size

    @property
    def first(self) -> str:
        """Return the range's first address: that of the API itself."""
        return str(ipaddress.IPv4Address(self._base))

    def _number(self, address: str) -> int | None:
        number = int(ipaddress.IPv4Address(address)) - self._base
        return number if 0 <= number < self._size else None

    def has(self, address: str) -> bool:
        """Tell whether the address is one of the range's."""
        return self._number(address) is not None

    def take(self, address: str) -> None:
        """Take this address; raises ``Taken``."""
        number = self._number(address)
        if number is None:
            raise Taken(
                f"the provided IP ({address}) is not in the valid range. "
                f"The range of valid IPs is {self.network}"
            )
        if not self._pool.take(number):
            raise Taken("provided IP is already allocated")

    def take_any(self) -> str:
        """Take some free address; raises ``Exhausted``."""
        return str(ipaddress.IPv4Address(self._base + self._pool.take_any()))

    def release(self, address: str) -> None:
        """Give it back; harmless when it is free or foreign."""
        number = self._number(address)
        if number is not None:
            self._pool.release(number)


class AddressPools:
    """Cluster addresses of several ranges, which may lie within one another; the first is always there."""

    def __init__(self, cidr: str, choose: Choose = random.randrange) -> None:
        self._choose = choose
        self._default = AddressPool(cidr, choose)
        self._pools = {cidr: self._default}
        self._held: set[str] = set()

    @property
    def first(self) -> str:
        """Return the first range's first address: that of the API itself."""
        return self._default.first

    def admit(self, cidrs: Iterable[str]) -> None:
        """Give from these ranges after the first one, and from no other; what is held of others stays so."""
        before = self._pools
        self._pools = {str(self._default.network): self._default}
        for cidr in cidrs:
            if cidr not in self._pools:
                self._pools[cidr] = before.get(cidr) or self._filled(cidr)

    def _filled(self, cidr: str) -> AddressPool:
        made = AddressPool(cidr, self._choose)
        for address in self._held:
            with contextlib.suppress(Taken):
                made.take(address)
        return made

    def hold(self, address: str) -> None:
        """Count an IPv4 address as taken, in whatever range it is or will be; raises ``Taken``."""
        ipaddress.IPv4Address(address)
        if address in self._held:
            raise Taken("provided IP is already allocated")
        self._note(address)

    def _note(self, address: str) -> None:
        self._held.add(address)
        for pool in self._pools.values():
            with contextlib.suppress(Taken):
                pool.take(address)

    def take(self, address: str) -> None:
        """Take this address of one of the ranges; raises ``Taken``."""
        if address in self._held:
            raise Taken("provided IP is already allocated")
        if not any(pool.has(address) for pool in self._pools.values()):
            self._default.take(address)  # says what the range is
        self._note(address)

    def take_any(self) -> str:
        """Take some free address of the first range that has one; raises ``Exhausted``."""
        for pool in self._pools.values():
            with contextlib.suppress(Exhausted):
                found = pool.take_any()
                self._note(found)
                return found
        raise Exhausted

    def release(self, address: str) -> None:
        """Give it back; harmless when it is free or foreign."""
        self._held.discard(address)
        for pool in self._pools.values():
            pool.release(address)


class PortPool:
    """Node ports of one range, whatever their protocol.

    Who asks for any gets one that is not ``busy`` while there is such: nobody else of the machine has it.
    """

    def __init__(
        self, low: int = 30000, high: int = 32767, choose: Choose = random.randrange, busy: Busy = nobody
    ) -> None:
        self.low, self.high = low, high
        self._busy = busy
        size = high - low + 1
        self._pool = Pool(size, _band(size, 32, 128), choose)

    def take(self, port: int) -> None:
        """Take this port; raises ``Taken``."""
        if not self.low <= port <= self.high:
            raise Taken(
                f"provided port is not in the valid range. The range of valid ports is {self.low}-{self.high}"
            )
        if not self._pool.take(port - self.low):
            raise Taken("provided port is already allocated")

    def take_any(self) -> int:
        """Take some free port; raises ``Exhausted``."""
        return self.low + self._pool.take_any(lambda number: self._busy(self.low + number))

    def release(self, port: int) -> None:
        """Give it back; harmless when it is free or foreign."""
        if self.low <= port <= self.high:
            self._pool.release(port - self.low)
