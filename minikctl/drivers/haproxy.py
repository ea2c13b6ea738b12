"""A proxy's files and process: a configuration is switched whole, and only if it is accepted.

The directory is shared with the container.  Each configuration has a directory of its own; ``current`` is a
link to the one in use, so that the proxy also starts with the last good one while no control plane runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from minikctl import errors
from minikctl.drivers.engine import Engine
from minikctl.plan.haproxy import CONFIG

MOUNT = "/haproxy"
"""Where the container sees the directory."""
CURRENT = "current"
SOCKETS = "run"
DOUBT = "doubted"
TIMEOUT_SECONDS = 10.0
RELOAD_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""A question that meets the master as it begins anew may never be answered."""
AGAIN_SECONDS = 4.0
"""After so long without a sign of a reload the master is told once more: it may not have heard it."""
_UNSEEN = "Cannot open configuration file/directory"
"""How the program words that there is nothing where it is to read."""
_FAILURES = ("No such", "Invalid", "Permission denied", "Unknown", "Can't", "unable", "Error", "expects")


class Refused(errors.DriverError):
    """The proxy does not take a configuration; ``output`` is what it says."""


class Proxy(Protocol):
    """An HAProxy; failures are ``errors.DriverError``."""

    def held(self) -> Mapping[str, str]:
        """Return the files of the configuration in use, none if there is none yet."""
        ...

    def keep(self, files: Mapping[str, str]) -> None:
        """Make these the files that the proxy starts with next time; a running one does not notice."""
        ...

    @property
    def doubted(self) -> bool:
        """Whether what runs may differ from what is held: whoever was changing it did not ``settle``."""
        ...

    def doubt(self) -> None:
        """Note, for whoever comes next, that the running process is about to be changed."""
        ...

    def settle(self) -> None:
        """Note that the running process has what is held."""
        ...

    async def is_up(self) -> bool:
        """Tell whether a process listens at its sockets, be it that it only just begins."""
        ...

    async def load(self, container_id: str, files: Mapping[str, str], *, looked_at: bool = True) -> None:
        """Switch to this configuration without losing a request; ``Refused`` leaves everything as it was.

        To be ``looked_at`` before costs a process in the container; else a refusal has no words.
        """
        ...

    async def command(self, lines: Sequence[str]) -> None:
        """Give the running process these commands, in order."""
        ...

    async def certificate(self, file: str, pem: str) -> None:
        """Replace a certificate in the running process."""
        ...


class _Silent(errors.DriverError):
    """The process takes the connection and does not answer."""


class HaproxyContainer:
    """Fits ``Proxy``: the process is reached through its sockets in the shared directory."""

    def __init__(self, engine: Engine, directory: str) -> None:
        self._engine = engine
        self._directory = Path(directory)

    def prepare(self) -> None:
        """Make the directories."""
        (self._directory / SOCKETS).mkdir(mode=0o755, parents=True, exist_ok=True)

    def held(self) -> Mapping[str, str]:
        """Return the files of the configuration in use, none if there is none yet."""
        base = self._directory / CURRENT
        found = {}
        with contextlib.suppress(OSError):
            for path in sorted(base.rglob("*")):
                if path.is_file():
                    found[str(path.relative_to(base))] = path.read_text(encoding="utf-8")
        return found

    def keep(self, files: Mapping[str, str]) -> None:
        """Make these the files that the proxy starts with next time; a running one does not notice."""
        with _written():
            self.prepare()
        self._switch(self._staged(files))

    @property
    def doubted(self) -> bool:
        """Whether what runs may differ from what is held."""
        return (self._directory / DOUBT).exists()

    def doubt(self) -> None:
        """Note that the running process is about to be changed; a full disk keeps nobody from that."""
        with contextlib.suppress(OSError):
            (self._directory / DOUBT).touch()

    def settle(self) -> None:
        """Note that the running process has what is held."""
        with contextlib.suppress(OSError):
            (self._directory / DOUBT).unlink()

    async def is_up(self) -> bool:
        """Tell whether a process listens at its sockets, be it that it only just begins."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._exchange("admin.sock", "show version")
        except TimeoutError:
            return True  # who keeps silent listens
        except OSError as error:
            return isinstance(error, ConnectionResetError)
        return True

    def _staged(self, files: Mapping[str, str]) -> str:
        with _written():
            return self._stage(files)

    def _stage(self, files: Mapping[str, str]) -> str:
        digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        name = f"config-{digest}"
        target = self._directory / name
        if target.exists():
            return name
        draft = self._directory / f".{name}"
        shutil.rmtree(draft, ignore_errors=True)
        for path, text in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        draft.rename(target)
        return name

    def _switch(self, name: str) -> None:
        link = self._directory / f".{CURRENT}"
        with _written():
            link.unlink(missing_ok=True)
            link.symlink_to(name)
            link.replace(self._directory / CURRENT)
        for path in self._directory.glob("config-*"):
            if path.name != name:
                shutil.rmtree(path, ignore_errors=True)

    async def load(self, container_id: str, files: Mapping[str, str], *, looked_at: bool = True) -> None:
        """Switch to this configuration without losing a request; ``Refused`` leaves everything as it was."""
        before = self.held()
        name = await asyncio.to_thread(self._staged, files)
        if looked_at:
            await self._look(container_id, name)
        await asyncio.to_thread(self._switch, name)
        try:
            await self._reload()
        except errors.DriverError:
            try:
                if not looked_at:
                    await self._judged(container_id, name)
            finally:
                if before:
                    await asyncio.to_thread(self.keep, before)
            raise

    async def _look(self, container_id: str, name: str) -> None:
        """Have the proxy's program judge a staged configuration; what it refuses is removed unless in use."""
        words = await self._judged(container_id, name)
        if words:
            if not self._is_current(name):
                shutil.rmtree(self._directory / name, ignore_errors=True)
            raise Refused(f"the configuration is refused: {_first_alert(words)}", words)

    async def _judged(self, container_id: str, name: str) -> str:
        """Return what the proxy's program has against a staged configuration, "" if nothing.

        A container that does not see it has another directory mounted, one that was deleted or moved: it is
        ended, so that the node starts one that sees ours.
        """
        argv = ("haproxy", "-c", "-f", f"{MOUNT}/{name}/{CONFIG}")
        try:
            code, output = await self._engine.run(container_id, argv, TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise errors.DriverError("checking the proxy's configuration took too long") from error
        words = output.decode(errors="replace").strip()
        if code != 0 and f"{_UNSEEN} {MOUNT}/{name}/" in words:
            await self._engine.kill(container_id)
            raise errors.DriverError(
                f"the proxy has another directory than {self._directory}: it is started anew"
            )
        return (words or f"exit code {code}") if code != 0 else ""

    def _is_current(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return os.readlink(self._directory / CURRENT) == name
        return False

    async def _reload(self) -> None:
        """Return once a new worker serves; the old one finishes what it has begun.

        A master that begins anew, as for the reload before, refuses connections, ends them unanswered or
        leaves them waiting: nothing is taken from that, and it is asked and told again.
        """
        time = asyncio.get_running_loop().time
        began, due = time(), 0.0
        before: Processes | None = None
        while time() < began + RELOAD_SECONDS:
            now = await self._processes(patient=before is not None or time() < began + LOOK_SECONDS)
            if before is None or now is None:
                before = before or now
            elif now.failed > before.failed:
                raise Refused("the proxy could not load its configuration", "")
            elif now.reloads > before.reloads and now.workers - before.workers:
                return
            if before is not None and time() >= due:
                with contextlib.suppress(errors.DriverError):
                    await self._ask("master.sock", "reload", LOOK_SECONDS)
                due = time() + AGAIN_SECONDS
            await asyncio.sleep(0.02)
        raise errors.DriverError("the proxy did not finish reloading in time")

    async def _processes(self, *, patient: bool) -> Processes | None:
        """Return what the master says of its processes, None if it does not answer at present.

        Unless the caller is patient a refused connection is an error: there is no such process.
        """
        try:
            return parse_processes(await self._ask("master.sock", "show proc", LOOK_SECONDS))
        except _Silent:
            return None
        except errors.DriverError:
            if not patient:
                raise
            return None

    async def command(self, lines: Sequence[str]) -> None:
        """Give the running process these commands, in order."""
        for batch in _batches(lines, 50):
            answer = await self._ask("admin.sock", "; ".join(batch))
            if any(word in answer for word in _FAILURES):
                raise errors.DriverError(f"the proxy refused a command: {answer.strip()}", answer)

    async def certificate(self, file: str, pem: str) -> None:
        """Replace a certificate in the running process."""
        body = "\n".join(line for line in pem.splitlines() if line.strip())
        answer = await self._ask("admin.sock", f"set ssl cert {file} <<\n{body}\n")
        answer += await self._ask("admin.sock", f"commit ssl cert {file}")
        if "Success" not in answer:
            await self._ask("admin.sock", f"abort ssl cert {file}")
            raise errors.DriverError(f"the proxy refused a certificate: {answer.strip()}", answer)

    async def _ask(self, socket: str, command: str, seconds: float = TIMEOUT_SECONDS) -> str:
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(socket, command)
        except TimeoutError as error:
            raise _Silent("the proxy does not answer in time") from error
        except OSError as error:
            raise errors.DriverError(f"the proxy does not answer: {error}", str(error)) from error

    async def _exchange(self, socket: str, command: str) -> str:
        with self._short_path(socket) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(command.encode() + b"\n")
            writer.write_eof()
            return (await reader.read(-1)).decode(errors="replace")
        finally:
            writer.close()

    @contextlib.contextmanager
    def _short_path(self, socket: str) -> Iterator[str]:
        """Give a path for a socket, whose path may have 107 characters only, below an open directory."""
        handle = os.open(self._directory / SOCKETS, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{handle}/{socket}"
        finally:
            os.close(handle)


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Have failures to write files during the block be the driver's."""
    try:
        yield
    except OSError as error:
        raise errors.DriverError(f"the proxy's files cannot be written: {error}", str(error)) from error


class Processes:
    """What ``show proc`` tells: counts of reloads, and the pids of the workers in use."""

    def __init__(self, reloads: int, failed: int, workers: frozenset[str]) -> None:
        self.reloads = reloads
        self.failed = failed
        self.workers = workers


def parse_processes(text: str) -> Processes | None:
    """Return what the master says of its processes, None if it says nothing of itself."""
    reloads = failed = -1
    workers: set[str] = set()
    for line in text.splitlines():
        words = line.replace("[failed:", "").replace("]", "").split()
        if len(words) > 3 and words[1] == "master":
            reloads, failed = int(words[2]), int(words[3])
        elif len(words) > 2 and words[1] == "worker":
            workers.add(words[0])
    return Processes(reloads, failed, frozenset(workers)) if reloads >= 0 else None


def _first_alert(words: str) -> str:
    alerts = [line.partition(": ")[2] for line in words.splitlines() if line.startswith("[ALERT]")]
    return alerts[0] if alerts else words


def _batches(lines: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
