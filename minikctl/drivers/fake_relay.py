"""The relay of a simulated world, in which nothing listens anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from minikctl import errors
from minikctl.drivers.relay import PortConnection


class FakeRelay:
    """Refuses every connection and says why."""

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Be ready for connections during the block."""
        yield

    async def connect(self, sandbox: str, pid: int, port: int) -> PortConnection:  # noqa: ARG002
        """Refuse: simulated containers listen on no port."""
        raise errors.DriverError(
            f"connection refused: pods of a simulated cluster listen on no port ({port})"
        )
