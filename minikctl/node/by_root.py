"""What a node does as root where its process is not: by a container of the infrastructure image."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.model.containers import ContainerSpec, Mount
from minikctl.node import files
from minikctl.node.files import Gift, Missing
from minikctl.plan.pod import names
from minikctl.runtime import clock as clocks

ROLE = "cleaner"
PLACE = "/place"
"""Where the container sees the directory that it is about."""
POLL_SECONDS = 0.05
MAX_NAME = 36


@dataclass(frozen=True)
class ByRoot:
    """Does it for a cluster; ``image`` is that of the infrastructure."""

    engine: engines.Engine
    cluster: str
    image: str
    clock: clocks.Clock

    async def remove(self, path: str) -> None:
        """Remove the directory with all it holds; ``DriverError`` when something of it stays."""
        parent, _, name = path.rpartition("/")
        command = ("/bin/rm", "-rf", f"{PLACE}/{name}")
        code = await self._run(name[:MAX_NAME], Mount(parent, PLACE), command)
        if code:
            raise errors.DriverError(f"{path} cannot be removed: rm ended with exit code {code}")

    async def settle(self, directory: str, wanted: Sequence[Gift | Missing]) -> None:
        """Make the directory if it is missing, and give what is in it to whom it is for.

        ``DriverError`` if something stays as it is.
        """
        for one in wanted:
            if isinstance(one, Missing):
                await (self._look(one) if one.type else self._make(one.path))
        gifts = [one for one in wanted if isinstance(one, Gift)]
        if gifts:
            await self._give(directory, gifts)

    async def _make(self, path: str) -> None:
        """Make a directory of the host, with those above it."""
        above, inside = _seen(path)
        code = await self._run(_short(path), Mount(above, PLACE), ("/bin/mkdir", "-p", inside))
        if code:
            raise errors.DriverError(f"{path} cannot be made: mkdir ended with exit code {code}")

    async def _look(self, one: Missing) -> None:
        """Make sure that something that this process cannot see is what it is to be."""
        above, inside = _seen(one.path)
        test = f"test {files.HIDDEN_TESTS[one.type]} {shlex.quote(inside)}"
        if await self._run(_short(one.path), Mount(above, PLACE), ("/bin/sh", "-c", test)):
            raise errors.DriverError(files.mistyped(one.path, one.type))

    async def _give(self, directory: str, gifts: Sequence[Gift]) -> None:
        script = " && ".join(["cd " + PLACE, *(_words(gift, directory) for gift in gifts)])
        code = await self._run(_short(directory), Mount(directory, PLACE), ("/bin/sh", "-c", script))
        if code:
            raise errors.DriverError(
                f"{directory} cannot be given to its users: sh ended with exit code {code}"
            )

    async def _run(self, name: str, mount: Mount, command: tuple[str, ...]) -> int | None:
        """Run a command in a container of its own, and return its exit code, None if that is not known."""
        spec = ContainerSpec(
            name=f"mk_{self.cluster}_{ROLE}_{name}",
            image=self.image,
            labels={names.CLUSTER: self.cluster, names.ROLE: ROLE},
            entrypoint=command,
            mounts=(mount,),
            network="none",
        )
        for left in await self.engine.list(spec.labels):
            if left.name == spec.name:  # of a control plane that was killed
                await self.engine.remove(left.id)
        made = await self.engine.create(spec)
        try:
            await self.engine.start(made)
            while (found := await self.engine.inspect(made)) is not None and found.status == "running":
                await self.clock.sleep(POLL_SECONDS)
        finally:
            await self.engine.remove(made)
        return found.exit_code if found is not None else None


def _seen(path: str) -> tuple[str, str]:
    """Return the nearest directory above that is seen from here, and where the container has the path."""
    above = os.path.dirname(path)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    return above, os.path.join(PLACE, os.path.relpath(path, above))


def _short(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:12]


def _words(gift: Gift, directory: str) -> str:
    """Return the shell's words that give a path to its users."""
    path = shlex.quote(os.path.join(".", os.path.relpath(gift.path, directory)))
    owner = f"{'' if gift.uid is None else gift.uid}:{'' if gift.gid is None else gift.gid}"
    if gift.mode is not None:
        return f"chown -h {owner} {path} && chmod {gift.mode:o} {path}"
    directories = f"find {path} -type d -exec chmod ug+rwx,g+s {{}} +"
    return f"chown -hR {owner} {path} && {directories} && find {path} -type f -exec chmod ug+rw {{}} +"
