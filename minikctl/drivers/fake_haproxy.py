"""Proxies in memory, for tests and the simulated runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from minikctl import errors
from minikctl.drivers.haproxy import Refused


class FakeProxy:
    """Fits ``haproxy.Proxy``; ``refuses`` returns the words against a configuration, "" for none."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.loads: list[dict[str, str]] = []
        self.commands: list[str] = []
        self.certificates: list[str] = []
        self.refuses: Callable[[Mapping[str, str]], str] = lambda _: ""
        self.answers = True
        self.room = True
        self.doubted = False
        self.up = False
        """A process listens, whatever is known of its container."""

    def held(self) -> Mapping[str, str]:
        """Return the files in use."""
        return dict(self.files)

    def keep(self, files: Mapping[str, str]) -> None:
        """Keep the files for the next start."""
        if not self.room:
            raise errors.DriverError("the proxy's files cannot be written: No space left on device")
        self.files = dict(files)

    def doubt(self) -> None:
        """Note that what runs is about to be changed."""
        self.doubted = True

    def settle(self) -> None:
        """Note that what runs is what is held."""
        self.doubted = False

    async def is_up(self) -> bool:
        """Tell whether a process listens."""
        return self.up

    async def load(self, container_id: str, files: Mapping[str, str], *, looked_at: bool = True) -> None:
        """Switch to these files."""
        self._reach(container_id)
        if words := self.refuses(files):
            if not looked_at:
                raise Refused("the proxy could not load its configuration", "")
            raise Refused(f"the configuration is refused: {words}", words)
        self.files = dict(files)
        self.loads.append(dict(files))

    async def command(self, lines: Sequence[str]) -> None:
        """Note the commands."""
        self._reach("")
        self.commands += lines

    async def certificate(self, file: str, pem: str) -> None:
        """Note the certificate."""
        self._reach(pem)
        self.certificates.append(file)

    def _reach(self, what: str) -> None:
        if not self.answers:
            raise errors.DriverError(f"the proxy does not answer ({len(what)})")
