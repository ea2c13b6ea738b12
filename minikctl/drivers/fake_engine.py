"""A container engine in memory: what tests and the simulated runtime run on.

It refuses what Docker refuses, in Docker's words.  Images are there unless their names begin with
``missing/`` (which nobody has) or ``remote/`` (which must be pulled).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import re
import tarfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from minikctl import errors
from minikctl.drivers import engine, fake_container, fake_images, fake_network, fake_process, fake_session
from minikctl.drivers.fake_container import Box
from minikctl.drivers.fake_events import News

T = TypeVar("T")
Networks = list[engine.Network]  # named here, because in the class `list` is a method

_NAME = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NETWORK_CONFLICTS = (
    ("hostname", "hostname"),
    ("dns", "dns"),
    ("extra_hosts", "custom host-to-IP mapping"),
    ("ports", "port publishing"),
)


class FakeEngine:
    """An engine whose containers are simulated; ``clock`` tells and turns their time.

    ``available`` False makes every call fail and every event stream end, as when the engine goes away.
    ``fail`` makes the next calls of one method fail.
    """

    def __init__(self, clock: fake_container.Clock, *, cpus: int = 4, memory_bytes: int = 8 << 30) -> None:
        self._clock = clock
        self._info = engine.EngineInfo("sim", "1.41", "linux", "sim", "x86_64", cpus, memory_bytes, "sim")
        self._boxes: dict[str, Box] = {}
        self._names: dict[str, str] = {}
        self.images = fake_images.Images()
        self._networks = fake_network.Networks()
        self._ports = fake_network.HostPorts()
        self._news = News(_unavailable)
        self._failures: dict[str, list[errors.DriverError]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._serial = 0
        self._available = True

    # What only the simulated engine can do

    @property
    def available(self) -> bool:
        """Return whether the engine answers."""
        return self._available

    @available.setter
    def available(self, value: bool) -> None:
        self._available = value
        if not value:
            self._news.hang_up()

    def fail(self, method: str, *failures: errors.DriverError) -> None:
        """Let the next calls of a method fail, one with each failure."""
        self._failures.setdefault(method, []).extend(failures)

    def finish(self, container_id: str, exit_code: int, *, oom_killed: bool = False) -> None:
        """End a container's process from outside, as a crash does."""
        self._ended(self._box(container_id), exit_code, oom_killed=oom_killed)

    def disconnect(self, container_id: str) -> None:
        """Take a running container off its network, as a human's hand does."""
        self._leave(box := self._box(container_id))
        box.ip = ""

    def write_log(self, container_id: str, data: bytes, stream: int = 1) -> None:
        """Write output in the name of the container's process."""
        self._box(container_id).write(stream, data, self._clock.now())

    def files(self, container_id: str) -> dict[str, bytes]:
        """Return the container's files, which its simulated programs see and change."""
        return self._box(container_id).files

    def spec(self, container_id: str) -> engine.ContainerSpec:
        """Return what the container was created from."""
        return self._box(container_id).spec

    # The protocol

    async def info(self) -> engine.EngineInfo:
        """Return the engine's version and the machine's size."""
        await self._enter("info")
        return self._info

    async def list(self, labels: Mapping[str, str]) -> list[engine.Container]:
        """Return all containers, stopped ones too, that carry all these labels."""
        await self._enter("list")
        return [box.view() for box in self._boxes.values() if labels.items() <= box.spec.labels.items()]

    async def inspect(self, container_id: str) -> engine.Container | None:
        """Return the container, or None when there is none."""
        await self._enter("inspect")
        try:
            return self._box(container_id).view()
        except errors.NoSuchContainer:
            return None

    async def written(self, container_id: str) -> int:
        """Return nothing: what is simulated writes no files."""
        await self._enter("written")
        self._box(container_id)
        return 0

    async def create(self, spec: engine.ContainerSpec) -> str:
        """Create a container and return its id; a container of that name is an error."""
        await self._enter("create")
        image = self.images.find(spec.image)
        if image is None:
            raise _refusal(errors.ImageMissing, f"No such image: {fake_images.normalised(spec.image)}")
        holder = self._names.get(spec.name)
        if holder is not None:
            words = f'Conflict. The container name "/{spec.name}" is already in use by container "{holder}".'
            raise _refusal(errors.DriverError, words)
        if not _NAME.fullmatch(spec.name):
            words = f"Invalid container name ({spec.name}), only {_NAME.pattern[:-1]} are allowed"
            raise _refusal(errors.DriverError, words)
        self._check_network(spec)
        box = Box(self._new_id(), spec, image, self._clock.now())
        if spec.stdin:
            box.stdin = fake_process.Input()
        self._boxes[box.id] = box
        self._names[spec.name] = box.id
        self._tell("create", box)
        return box.id

    def _check_network(self, spec: engine.ContainerSpec) -> None:
        mode, _, other = spec.network.partition(":")
        if mode != "container":
            self._networks.find(spec.network)
            return
        self._box(other)
        for name, words in _NETWORK_CONFLICTS:
            if getattr(spec, name):
                kind = "container type network mode" if name in ("ports", "extra_hosts") else "network mode"
                kind = "the " + kind
                raise _refusal(errors.DriverError, f"conflicting options: {words} and {kind}")

    async def resize(self, container_id: str, limits: engine.Limits) -> None:
        """Accept the limits of a container that is there; nothing here is held to them."""
        await self._enter("resize")
        self._box(container_id).limits = limits

    async def start(self, container_id: str) -> None:
        """Start it; harmless when it runs."""
        await self._enter("start")
        box = self._box(container_id)
        if box.running:
            return
        self._join_network(box)
        if fake_process.unknown_program(box.argv):
            self._release(box)
            program = box.argv[0] if box.argv else ""
            words = (
                "failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
                f'container process: exec: "{program}": executable file not found in $PATH: unknown'
            )
            box.exit_code, box.error = 127, words
            raise _refusal(errors.DriverError, words)
        self._serial += 1
        box.pid = 1000 + self._serial
        box.status, box.exit_code, box.error, box.oom_killed = "running", 0, "", False
        box.started_at, box.finished_at = self._clock.now(), None
        box.task = self._spawn(self._live(box))
        self._tell("start", box)

    def _join_network(self, box: Box) -> None:
        mode, _, other = box.spec.network.partition(":")
        if mode == "container":
            if not self._box(other).running:
                words = f"cannot join network of a non running container: {self._box(other).id}"
                raise _refusal(errors.DriverError, words)
            return
        try:
            box.ip = self._networks.lend(box.spec.network, box.spec.ip, box.id)
            box.ports = self._ports.take(box.spec.ports, box.id)
        except errors.DriverError:
            self._release(box)
            raise

    async def _live(self, box: Box) -> None:
        world = box.world(lambda stream, data: box.write(stream, data, self._clock.now()), self._clock.sleep)
        self._ended(box, await fake_process.run(box.argv, box.env(), world))

    def _ended(self, box: Box, exit_code: int, *, oom_killed: bool = False) -> None:
        if not box.running:
            return
        box.status, box.exit_code, box.oom_killed = "exited", exit_code, oom_killed
        box.finished_at = self._clock.now()
        self._release(box)
        if box.task is not None and box.task is not asyncio.current_task():
            box.task.cancel()
        if oom_killed:
            self._tell("oom", box)
        self._tell("die", box)
        box.hang_up()

    def _leave(self, box: Box) -> None:
        self._networks.give_back(box.id)
        if box.ip:
            self._news.departures(box.spec.network).tell(box.id)

    def _release(self, box: Box) -> None:
        self._leave(box)
        self._ports.give_back(box.id)
        box.pid, box.ip, box.ports = 0, "", ()

    async def stop(self, container_id: str, grace_seconds: int) -> None:
        """Send the stop signal, after the grace period SIGKILL; returns once it has ended."""
        await self._enter("stop")
        box = self._box(container_id)
        if not box.running:
            return
        self._signal(box, "TERM")
        if box.running and grace_seconds > 0:
            with contextlib.suppress(TimeoutError):
                await self._within(grace_seconds, self._until_stopped(box))
        if box.running:
            self._signal(box, "KILL")
        self._tell("stop", box)

    async def _until_stopped(self, box: Box) -> None:
        while box.running:
            await box.changed()

    async def _within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns; ``TimeoutError`` when the clock passes the time before."""
        working, timer = asyncio.ensure_future(work), asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((working, timer), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise TimeoutError
        finally:
            working.cancel()
            timer.cancel()
            await asyncio.gather(working, timer, return_exceptions=True)

    def _signal(self, box: Box, name: str) -> None:
        name = name.removeprefix("SIG")
        self._tell("kill", box)
        if name in ("KILL", "9"):
            self._ended(box, 137)
        elif name in ("TERM", "INT", "QUIT", "15", "2", box.spec.stop_signal.removeprefix("SIG") or "TERM"):
            code = fake_process.heeds_stop(box.argv, init=box.spec.init)
            if code is not None:
                self._ended(box, code)

    async def kill(self, container_id: str, signal: str = "KILL") -> None:
        """Send a signal; harmless when it does not run."""
        await self._enter("kill")
        box = self._box(container_id)
        if box.running:
            self._signal(box, signal)

    async def remove(self, container_id: str) -> None:
        """Remove it with its anonymous volumes, by force; harmless when it is gone."""
        await self._enter("remove")
        try:
            box = self._box(container_id)
        except errors.NoSuchContainer:
            return
        self._ended(box, 137)
        del self._boxes[box.id]
        del self._names[box.spec.name]
        self._tell("destroy", box)
        box.wake()

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[engine.EngineEvent]:
        """Yield events of containers with these labels from now on; ends with ``EngineUnavailable``."""
        wanted = labels.items()
        return self._news.events.listen(
            lambda event: wanted <= event.labels.items(), available=self._available
        )

    def departures(self, network: str) -> AsyncIterator[str]:
        """Yield the ids of containers that leave the network from now on, by their end or by hand."""
        return self._news.departures(network).listen(lambda _: True, available=self._available)

    async def image(self, reference: str) -> engine.Image | None:
        """Return the local image of that name, digest or id, or None."""
        await self._enter("image")
        return self.images.find(reference)

    async def image_names(self) -> tuple[str, ...]:
        """Return the names, with tags, of all local images."""
        await self._enter("image_names")
        return tuple(self.images.names())

    async def pull(
        self,
        reference: str,
        auth: Mapping[str, str] | None = None,  # noqa: ARG002
        watch: engine.Watch | None = None,  # noqa: ARG002
    ) -> None:
        """Fetch an image; ``ImageMissing`` says in the engine's words why it could not be had."""
        await self._enter("pull")
        self.images.pull(reference)

    async def load_filesystem(self, archive: str, reference: str, changes: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Import the tar file at path ``archive`` as an image with Dockerfile ``changes``; return its id."""
        await self._enter("load_filesystem")
        image = fake_images.made(fake_images.normalised(reference), changes)
        self.images.add(image)
        return image.id

    async def build_image(self, context: bytes, reference: str, labels: Mapping[str, str]) -> str:
        """Build an image from a tar with a Dockerfile; ``DriverError`` has the builder's words."""
        await self._enter("build_image")
        with tarfile.open(fileobj=io.BytesIO(context)) as tar:
            lines = tar.extractfile("Dockerfile")
            changes = lines.read().decode().splitlines() if lines else []
        image = fake_images.made(fake_images.normalised(reference), changes, labels)
        self.images.add(image)
        return image.id

    async def tag_image(self, reference: str, name: str) -> None:
        """Give an image another name, taking it from whichever had it."""
        await self._enter("tag_image")
        self.images.tag(reference, name)

    async def remove_image(self, reference: str) -> None:
        """Remove an image; harmless when it is gone."""
        await self._enter("remove_image")
        self.images.remove(reference)

    async def create_network(
        self,
        name: str,
        subnet: str,
        labels: Mapping[str, str],
        *,
        internal: bool = False,  # noqa: ARG002
        pool: str = "",  # noqa: ARG002 - addresses are lent from the start of the subnet
    ) -> engine.Network:
        """Create a bridge network; ``DriverError`` when the subnet overlaps with another."""
        await self._enter("create_network")
        return self._networks.create(name, subnet, labels, self._new_id())

    async def networks(self, labels: Mapping[str, str] | None = None) -> Networks:
        """Return the engine's networks, those with all these labels."""
        await self._enter("networks")
        wanted = (labels or {}).items()
        return [network for network in self._networks.all() if wanted <= network.labels.items()]

    async def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is gone."""
        await self._enter("remove_network")
        self._networks.remove(name)

    async def logs(self, container_id: str, options: engine.LogOptions) -> AsyncIterator[bytes]:
        """Yield log bytes, stdout and stderr as they came, until the end (or for ever with follow)."""
        await self._enter("logs")
        box = self._box(container_id)
        seen = len(box.log)
        if text := fake_container.rendered(box.log, options):
            yield text
        later = dataclasses.replace(options, tail=None, since=None)
        while options.follow and box.running:
            if len(box.log) == seen:
                await box.changed()
            fresh, seen = box.log[seen:], len(box.log)
            if fresh:
                yield fake_container.rendered(fresh, later)

    async def exec(
        self, container_id: str, argv: Sequence[str], options: engine.ExecOptions
    ) -> fake_session.FakeSession:
        """Start a command in a running container."""
        await self._enter("exec")
        box = self._box(container_id)
        if not box.running:
            raise _refusal(errors.DriverError, f"Container {box.id} is not running")
        stdin = fake_process.Input(closed=not options.stdin)
        session = fake_session.FakeSession(stdin, tty=options.tty)
        box.execs = [*(other for other in box.execs if not other.ended), session]
        world = dataclasses.replace(box.world(session.feed, self._clock.sleep), stdin=stdin)
        session.task = self._spawn(self._exec(session, argv, box.env() | dict(options.env), world))
        return session

    async def _exec(
        self,
        session: fake_session.FakeSession,
        argv: Sequence[str],
        env: Mapping[str, str],
        world: fake_process.World,
    ) -> None:
        if fake_process.unknown_program(argv):
            words = (
                f'unable to start container process: exec: "{argv[0]}": executable file not found in $PATH'
            )
            world.write(1, f"OCI runtime exec failed: exec failed: {words}: unknown\r\n".encode())
            session.end(126)
            return
        session.end(await fake_process.run(argv, env, world, unknown=0))

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> fake_session.FakeSession:
        """Connect to the container's own process."""
        await self._enter("attach")
        box = self._box(container_id)
        session = fake_session.FakeSession(box.stdin if stdin else fake_process.Input(closed=True), tty=tty)
        if box.running or box.status == "created":
            box.attached.append(session)
        else:
            session.end(box.exit_code)
        return session

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        """Run a command to its end; (exit code, output cut at 10 KiB); ``TimeoutError`` past the time."""
        session = await self.exec(container_id, argv, engine.ExecOptions())
        try:
            return await self._within(timeout_seconds, fake_session.gathered(session))
        finally:
            await session.close()

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        """Unpack a tar into a directory of the container."""
        await self._enter("put_archive")
        box = self._box(container_id)
        for name, data in fake_container.untar(tar):
            box.files[f"{path.rstrip('/')}/{name}"] = data

    async def export(self, container_id: str) -> AsyncIterator[bytes]:
        """Yield a tar of the files that were put into the container."""
        await self._enter("export")
        box = self._box(container_id)
        yield fake_container.tar({name.lstrip("/"): data for name, data in box.files.items()})

    async def get_archive(self, container_id: str, path: str) -> bytes:
        """Return a tar of that path of the container; ``DriverError`` when there is no such path."""
        await self._enter("get_archive")
        box = self._box(container_id)
        parent, _, _ = path.rstrip("/").rpartition("/")
        below = f"{path.rstrip('/')}/"
        found = {name: data for name, data in box.files.items() if name == path or name.startswith(below)}
        if not found:
            words = f"Could not find the file {path} in container {box.id}"
            raise _refusal(errors.DriverError, words)
        return fake_container.tar({name.removeprefix(f"{parent}/"): data for name, data in found.items()})

    async def close(self) -> None:
        """Free connections and threads."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Helpers

    async def _enter(self, method: str) -> None:
        # One turn of the loop, as any real engine takes: callers must not count on an answer at once.
        await asyncio.sleep(0)
        if not self._available:
            raise _unavailable()
        if self._failures.get(method):
            raise self._failures[method].pop(0)

    def _box(self, container_id: str) -> Box:
        found = self._boxes.get(container_id)
        if found is None and container_id:
            found = next((box for box in self._boxes.values() if box.is_called(container_id)), None)
        if found is None:
            raise _refusal(errors.NoSuchContainer, f"No such container: {container_id}")
        return found

    def _new_id(self) -> str:
        self._serial += 1
        return hashlib.sha256(str(self._serial).encode()).hexdigest()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _tell(self, action: str, box: Box) -> None:
        self._news.events.tell(engine.EngineEvent(action, box.id, dict(box.spec.labels), self._clock.now()))


def _refusal(kind: type[errors.DriverError], words: str) -> errors.DriverError:
    return kind(words, words)


def _unavailable() -> errors.EngineUnavailable:
    return errors.EngineUnavailable("no Docker engine answers: the simulated one is away")
