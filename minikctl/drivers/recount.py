"""A network that the engine keeps for endpoints that are gone is made removable while the engine runs.

Docker (20.10 at least) keeps the number of a network's endpoints in objects that changes under way share:
when many containers leave at once, one that has to try again may write over what others have subtracted.
A count that is too high stays, and keeps the network from being removed, until the engine is started anew.

The same weakness brings the count down: with a container's new name Docker writes the count as it was just
before, so who joins meanwhile is not counted.  Containers of our own join while others get new names, then
leave one after the other, which is counted well.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from minikctl import errors

IN_USE = "has active endpoints"
"""How the engine words that it does not remove a network."""
JOINING, RENAMED = 6, 3
"""How many containers join, and how many get new names meanwhile: each time about one is not counted."""
PATIENCE = 60.0
"""For so many seconds that is tried."""
IMAGE = "minikctl-infra:latest"
LOOKS = 3
LOOK_SECONDS = 0.2


class Call(Protocol):
    """A request to the engine's API; refusals are ``errors.DriverError``."""

    async def __call__(
        self, method: str, path: str, *, params: Mapping[str, str] = ..., body: Mapping[str, Any] = ...
    ) -> Any:
        """Return what the engine answers."""
        ...


async def remove(call: Call, network: str) -> None:
    """Remove a network that exists; a refusal says who is on it, or what frees it."""
    for look in range(LOOKS):
        if look:
            # A count from before the last container left may be shown for a moment.
            await asyncio.sleep(LOOK_SECONDS)
        refusal = await _refusal(call, network)
        if not refusal:
            return
        found = await call("GET", f"/networks/{network}")
        if found["Containers"]:
            names = ", ".join(sorted(str(one.get("Name")) for one in found["Containers"].values()))
            text = f"network {network} {IN_USE}: {names}; remove these containers or disconnect them first"
            raise errors.DriverError(text, refusal)
    try:
        is_removed = await _lowered(call, network, found.get("Labels") or {})
    except errors.DriverError as error:
        raise _kept(network, f" ({error})", refusal) from error
    if not is_removed:
        raise _kept(network, "", refusal)


def _kept(network: str, why: str, refusal: str) -> errors.DriverError:
    text = (
        f"network {network} {IN_USE}, says Docker, but no container is on it: it has lost count{why}. "
        f"Restart Docker, then: docker network rm {network}"
    )
    return errors.DriverError(text, refusal)


async def _refusal(call: Call, network: str) -> str:
    """Remove the network, or return in which words the engine keeps it for what is on it."""
    try:
        await call("DELETE", f"/networks/{network}")
    except errors.DriverError as error:
        if IN_USE not in error.output:
            raise
        return error.output
    return ""


async def _lowered(call: Call, network: str, labels: Mapping[str, str]) -> bool:
    """Lower the engine's count until the network can be removed; tell if it was."""
    helpers = Helpers(call, network, labels)
    try:
        await helpers.start()
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            await helpers.meet()
            if not await _refusal(call, network):
                return True
        return False
    finally:
        await helpers.remove()


class Helpers:
    """Containers of our own that join the network, get new names, and leave."""

    def __init__(self, call: Call, network: str, labels: Mapping[str, str]) -> None:
        self._call = call
        self._network = network
        self._labels = dict(labels)
        self.joining: list[str] = []
        self.renamed: list[str] = []

    async def start(self) -> None:
        """Have all of them run, off the network."""
        await asyncio.gather(*(self._start(self.joining) for _ in range(JOINING)))
        await asyncio.gather(*(self._start(self.renamed) for _ in range(RENAMED)))
        await self.turn("disconnect", *self.joining, *self.renamed)

    async def _start(self, group: list[str]) -> None:
        host = {"NetworkMode": self._network}
        body = {"Image": IMAGE, "Entrypoint": ["/pause"], "Labels": self._labels, "HostConfig": host}
        made = str((await self._call("POST", "/containers/create", params=self._name(), body=body))["Id"])
        group.append(made)
        await self._call("POST", f"/containers/{made}/start")

    async def meet(self) -> None:
        """Have some join while others get new names; then all leave."""
        await self.turn("connect", *self.renamed)
        await self.jostle("connect")
        await self.turn("disconnect", *self.joining, *self.renamed)

    async def jostle(self, what: str) -> None:
        """Have some join or leave at once while others get new names."""
        over = asyncio.Event()
        renames = (self._rename(one, over) for one in self.renamed)
        # All have ended before a failure is told, so that nobody gets a name who is being removed.
        for found in await asyncio.gather(self._move(what, over), *renames, return_exceptions=True):
            if found is not None:
                raise found

    async def _move(self, what: str, over: asyncio.Event) -> None:
        try:
            await asyncio.gather(*(self.turn(what, one) for one in self.joining))
        finally:
            over.set()

    async def turn(self, what: str, *containers: str) -> None:
        """Have containers join or leave, one after the other."""
        for one in containers:
            await self._call("POST", f"/networks/{self._network}/{what}", body={"Container": one})

    async def _rename(self, container: str, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._call("POST", f"/containers/{container}/rename", params=self._name())

    @staticmethod
    def _name() -> Mapping[str, str]:
        return {"name": f"mk_recount_{uuid.uuid4().hex[:12]}"}

    async def remove(self) -> None:
        """Take them away."""
        made = (*self.joining, *self.renamed)
        await asyncio.gather(
            *(self._call("DELETE", f"/containers/{one}", params={"force": "1"}) for one in made)
        )
