"""The files that the node writes on its host: for real, or for containers that are not there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Protocol

from minikctl.model.actions.node import MakeContainer, RunContainer, Volume
from minikctl.node import files
from minikctl.plan.pod.view import EnvFile

Prepared = tuple[dict[str, str], tuple[str, ...]]
"""The real paths of sub-paths, and security options with profiles in the place of their names."""


class HostFiles(Protocol):
    """The files of pods; every failure is an ``OSError`` or a ``NodeFailure``."""

    async def write(self, volume: Volume) -> list[files.Gift | files.Missing]:
        """Bring the volume to the wanted state; return what only root may do."""
        ...

    async def prepare(self, action: MakeContainer | RunContainer) -> Prepared:
        """Write the container's files; return what its spec needs of the host."""
        ...

    async def remove(self, paths: Iterable[str]) -> list[str]:
        """Remove the directories; return those that others' files keep from being removed."""
        ...

    async def missing(self, paths: Iterable[str]) -> set[str]:
        """Return those of the directories that are not there."""
        ...

    async def tail(self, path: str, limit: int) -> str:
        """Return the last bytes of a file as text, "" if there is none."""
        ...

    async def read_env(self, wanted: Iterable[EnvFile]) -> dict[EnvFile, str]:
        """Return the texts of those files that there are, within their volumes."""
        ...


class RealFiles:
    """Files on this machine, written in threads."""

    async def write(self, volume: Volume) -> list[files.Gift | files.Missing]:
        """Bring the volume to the wanted state; return what only root may do."""
        return await asyncio.to_thread(files.write_volume, volume)

    async def prepare(self, action: MakeContainer | RunContainer) -> Prepared:
        """Write the container's files; return what its spec needs of the host."""

        def prepare() -> Prepared:
            files.write_host_files(action.files)
            sub_paths = action.sub_paths if isinstance(action, RunContainer) else ()
            return files.resolve_sub_paths(sub_paths), files.with_profiles(action.spec.security_opt)

        return await asyncio.to_thread(prepare)

    async def remove(self, paths: Iterable[str]) -> list[str]:
        """Remove the directories; return those that others' files keep from being removed."""
        return await asyncio.to_thread(files.remove, paths)

    async def missing(self, paths: Iterable[str]) -> set[str]:
        """Return those of the directories that are not there."""
        return await asyncio.to_thread(lambda: {path for path in paths if not os.path.isdir(path)})

    async def tail(self, path: str, limit: int) -> str:
        """Return the last bytes of a file as text, "" if there is none."""
        return await asyncio.to_thread(files.read_tail, path, limit)

    async def read_env(self, wanted: Iterable[EnvFile]) -> dict[EnvFile, str]:
        """Return the texts of those files that there are, within their volumes."""
        return await asyncio.to_thread(files.read_env, wanted)


class NoFiles:
    """For simulated containers: nobody would read what is written."""

    async def write(self, volume: Volume) -> list[files.Gift | files.Missing]:  # noqa: ARG002 - nothing is written
        """Write nothing."""
        return []

    async def prepare(self, action: MakeContainer | RunContainer) -> Prepared:
        """Write nothing; all paths are taken for real."""
        return {}, action.spec.security_opt

    async def remove(self, paths: Iterable[str]) -> list[str]:  # noqa: ARG002 - nothing was written
        """Remove nothing."""
        return []

    async def missing(self, paths: Iterable[str]) -> set[str]:  # noqa: ARG002 - none is looked for
        """None is."""
        return set()

    async def tail(self, path: str, limit: int) -> str:  # noqa: ARG002 - nothing was written
        """Return that nothing was left."""
        return ""

    async def read_env(self, wanted: Iterable[EnvFile]) -> dict[EnvFile, str]:  # noqa: ARG002 - nothing is there
        """There are none."""
        return {}
