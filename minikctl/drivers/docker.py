"""The Docker engine behind the ``Engine`` protocol."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker.utils

from minikctl import errors
from minikctl.drivers import docker_http, docker_session, docker_wire, engine, pull_meter, recount
from minikctl.drivers.docker_http import Request
from minikctl.drivers.usage import Usage

Networks = list[engine.Network]  # named here, because in the class `list` is a method

_RUN_OUTPUT_LIMIT = 10 * 1024
_GONE_SECONDS = 10.0
_KILLED = 137


class DockerEngine:
    """Docker through docker-py's low-level client, without blocking the event loop.

    It may be made before the engine runs: each call tries anew.  ``cluster_name`` names this user of the
    engine in errors that concern names.  ``base_url`` None follows DOCKER_HOST.
    """

    def __init__(self, cluster_name: str, base_url: str | None = None) -> None:
        self.cluster_name = cluster_name
        self._connection = docker_http.Connection(base_url)
        self._out_of_memory: set[str] = set()
        """Told in events; when the end of a container overtakes that, its own state never says so."""

        self._rootless, self._cgroups = False, True

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        return await self._connection.call(Request(method, path, **more))

    async def info(self) -> engine.EngineInfo:
        """Return the engine's version and the machine's size."""
        body = await self._call("GET", "/info")
        client = await self._connection.threads.quick(self._connection.client)
        found = docker_wire.info(body, client.api_version)
        self._rootless, self._cgroups = found.rootless, found.cgroups
        return found

    async def list(self, labels: Mapping[str, str]) -> list[engine.Container]:
        """Return all containers, stopped ones too, that carry all these labels."""
        params = {"all": "1", "filters": docker_wire.label_filters(labels)}
        found = await self._call("GET", "/containers/json", params=params)
        containers = await asyncio.gather(*(self._complete(entry) for entry in found))
        return [container for container in containers if container is not None]

    async def _complete(self, entry: Mapping[str, Any]) -> engine.Container | None:
        # Only a container that never ran has all that matters in the list answer: no pid, exit code or times.
        if entry["State"] == "created":
            return docker_wire.container_from_list(entry)
        return await self.inspect(entry["Id"])

    async def inspect(self, container_id: str) -> engine.Container | None:
        """Return the container, or None when there is none."""
        try:
            body = await self._call("GET", f"/containers/{container_id}/json")
        except errors.NoSuchContainer:
            return None
        found = docker_wire.container_from_inspect(body)
        if found.id in self._out_of_memory and found.exit_code == _KILLED:
            return dataclasses.replace(found, oom_killed=True)
        return found

    async def written(self, container_id: str) -> int:
        """Return the bytes that the container has written to its own file system; takes a while."""
        body = await self._call("GET", f"/containers/{container_id}/json", params={"size": "true"})
        return int(body.get("SizeRw") or 0)

    async def usage(self, container_id: str) -> Usage | None:
        """Return what a container uses, None if it does not run or nobody counts; asks once, at once."""
        if not self._cgroups:
            return None  # the engine would tell what the whole machine uses
        params = {"stream": "false", "one-shot": "true"}
        try:
            return docker_wire.usage(
                await self._call("GET", f"/containers/{container_id}/stats", params=params)
            )
        except errors.NoSuchContainer:
            return None

    async def create(self, spec: engine.ContainerSpec) -> str:
        """Create a container and return its id; a container of that name is an error."""
        if self._rootless and spec.pid_mode == "host":
            # Only the machine's root may mount a /proc of its processes, so what is there is shown instead.
            spec = dataclasses.replace(spec, mounts=(*spec.mounts, engine.Mount("/proc", "/proc")))
        config = docker_wire.container_config(spec)
        body = await self._call("POST", "/containers/create", params={"name": spec.name}, body=config)
        return str(body["Id"])

    async def resize(self, container_id: str, limits: engine.Limits) -> None:
        """Have a running container's limits changed without a restart; 0 in them leaves what there is."""
        body = docker_wire.limits(limits)
        await self._call("POST", f"/containers/{container_id}/update", body=body)

    async def start(self, container_id: str) -> None:
        """Start it; harmless when it runs."""
        await self._call("POST", f"/containers/{container_id}/start")

    async def stop(self, container_id: str, grace_seconds: int) -> None:
        """Send the stop signal, after the grace period SIGKILL; returns once it has ended."""
        params = {"t": str(max(grace_seconds, 0))}
        await self._call("POST", f"/containers/{container_id}/stop", params=params, patient=True)

    async def kill(self, container_id: str, signal: str = "KILL") -> None:
        """Send a signal; harmless when it does not run."""
        try:
            await self._call("POST", f"/containers/{container_id}/kill", params={"signal": signal})
        except errors.NoSuchContainer:
            raise
        except errors.DriverError as error:
            if "is not running" not in error.output:
                raise

    async def remove(self, container_id: str) -> None:
        """Remove it with its anonymous volumes, by force; harmless when it is gone."""
        try:
            await self._call("DELETE", f"/containers/{container_id}", params={"v": "1", "force": "1"})
        except errors.NoSuchContainer:
            return
        except errors.DriverError as error:
            if "already in progress" not in error.output:
                raise
            await self._await_removal(container_id)

    async def _await_removal(self, container_id: str) -> None:
        try:
            async with asyncio.timeout(_GONE_SECONDS):
                while await self.inspect(container_id) is not None:
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            text = f"the engine still removes container {container_id[:12]}"
            raise errors.DriverError(text, text) from error

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[engine.EngineEvent]:
        """Yield events of containers with these labels from now on; ends with ``EngineUnavailable``."""
        # From the moment of the call, not of the first read: what is listed in between is not missed.
        return self._events(labels, f"{time.time():.9f}")

    async def _events(self, labels: Mapping[str, str], since: str) -> AsyncGenerator[engine.EngineEvent]:
        filters = docker_wire.label_filters(labels, type=("container",), event=docker_wire.EVENT_ACTIONS)
        async with contextlib.aclosing(self._told(filters, since)) as bodies:
            async for body in bodies:
                event = docker_wire.event(body)
                if event.action == "oom":
                    self._out_of_memory.add(event.container_id)
                elif event.action == "destroy":
                    self._out_of_memory.discard(event.container_id)
                yield event

    def departures(self, network: str) -> AsyncIterator[str]:
        """Yield the ids of containers that leave the network from now on, by their end or by hand."""
        return self._departures(network, f"{time.time():.9f}")

    async def _departures(self, network: str, since: str) -> AsyncGenerator[str]:
        filters = docker_wire.label_filters({}, type=("network",), event=("disconnect",), network=(network,))
        async with contextlib.aclosing(self._told(filters, since)) as bodies:
            async for body in bodies:
                attributes = body["Actor"]["Attributes"]
                # The filter lets networks pass whose names begin so.
                if attributes.get("name") == network:
                    yield str(attributes.get("container", ""))

    async def _told(self, filters: str, since: str) -> AsyncGenerator[dict[str, Any]]:
        """Yield the engine's events as they come; ``EngineUnavailable`` when it tells no more."""
        lines = docker_wire.LineDecoder()
        request = Request("GET", "/events", params={"filters": filters, "since": since})
        async with contextlib.aclosing(self._connection.stream(request)) as chunks:
            async for chunk in chunks:
                for body in lines.feed(chunk):
                    yield body
        raise self._connection.unavailable("its event stream ended")

    async def image(self, reference: str) -> engine.Image | None:
        """Return the local image of that name, digest or id, or None."""
        try:
            return docker_wire.image_from_inspect(await self._call("GET", f"/images/{reference}/json"))
        except errors.ImageMissing:
            return None

    async def image_names(self) -> tuple[str, ...]:
        """Return the names, with tags, of all local images."""
        found = await self._call("GET", "/images/json")
        return tuple(sorted(name for image in found for name in image.get("RepoTags") or ()))

    async def pull(
        self,
        reference: str,
        auth: Mapping[str, str] | None = None,
        watch: pull_meter.Watch | None = None,
    ) -> None:
        """Fetch an image; ``ImageMissing`` says in the engine's words why it could not be had."""
        repository, tag = docker.utils.parse_repository_tag(reference)
        loop, meter = asyncio.get_running_loop(), pull_meter.PullMeter()

        def fetch() -> None:
            with self._connection.translated():
                client = self._connection.client()
                progress = client.pull(
                    repository,
                    tag or "latest",
                    stream=True,
                    decode=True,
                    auth_config=dict(auth) if auth else None,
                )
                for step in progress:
                    if "error" in step:
                        raise errors.ImageMissing(str(step["error"]), str(step["error"]))
                    if watch is not None and not loop.is_closed():
                        loop.call_soon_threadsafe(watch, meter.feed(step))

        try:
            await self._connection.threads.patient(fetch)
        except (errors.EngineUnavailable, errors.ImageMissing):
            raise
        except errors.DriverError as error:
            raise errors.ImageMissing(str(error), error.output) from error

    async def load_filesystem(self, archive: str, reference: str, changes: Sequence[str] = ()) -> str:
        """Import the tar file at path ``archive`` as an image with Dockerfile ``changes``; return its id."""
        repository, tag = docker.utils.parse_repository_tag(reference)
        params = {"fromSrc": "-", "repo": repository, "tag": tag or "latest", "changes": [*changes]}
        await self._call("POST", "/images/create", params=params, data=Path(archive), patient=True)
        return await self._image_id(reference)

    async def _image_id(self, reference: str) -> str:
        image = await self.image(reference)
        if image is None:
            raise errors.DriverError(f"the engine did not keep the image {reference}")
        return image.id

    async def build_image(self, context: bytes, reference: str, labels: Mapping[str, str]) -> str:
        """Build an image from a tar with a Dockerfile; ``DriverError`` has the builder's words."""
        params = {"t": reference, "labels": json.dumps(dict(labels)), "rm": "1", "forcerm": "1"}
        request = Request("POST", "/build", params=params, data=context)
        lines = docker_wire.LineDecoder()
        async with contextlib.aclosing(self._connection.stream(request)) as chunks:
            async for chunk in chunks:
                for step in lines.feed(chunk):
                    if "error" in step:
                        raise errors.DriverError(str(step["error"]).strip(), str(step["error"]).strip())
        return await self._image_id(reference)

    async def tag_image(self, reference: str, name: str) -> None:
        """Give an image another name, taking it from whichever had it."""
        repository, tag = docker.utils.parse_repository_tag(name)
        params = {"repo": repository, "tag": tag or "latest", "force": "1"}
        await self._call("POST", f"/images/{reference}/tag", params=params)

    async def remove_image(self, reference: str) -> None:
        """Remove an image; harmless when it is gone."""
        with contextlib.suppress(errors.ImageMissing):
            await self._call("DELETE", f"/images/{reference}")

    async def create_network(
        self, name: str, subnet: str, labels: Mapping[str, str], *, internal: bool = False, pool: str = ""
    ) -> engine.Network:
        """Create a bridge network; ``DriverError`` when the subnet overlaps with another."""
        body = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Internal": internal,
            "IPAM": {"Driver": "default", "Config": [docker_wire.pool(subnet, pool)]},
            "Labels": dict(labels),
        }
        made = await self._call("POST", "/networks/create", body=body)
        return docker_wire.network_from_inspect(await self._call("GET", f"/networks/{made['Id']}"))

    async def networks(self, labels: Mapping[str, str] | None = None) -> Networks:
        """Return the engine's networks, those with all these labels."""
        params = {"filters": docker_wire.label_filters(labels or {})}
        found = await self._call("GET", "/networks", params=params)
        return [docker_wire.network_from_inspect(body) for body in found]

    async def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is gone.

        One on which the engine counts endpoints that are gone takes some seconds.
        """
        try:
            await recount.remove(self._call, name)
        except errors.DriverError as error:
            if "not found" not in error.output:
                raise

    async def logs(self, container_id: str, options: engine.LogOptions) -> AsyncIterator[bytes]:
        """Yield log bytes, stdout and stderr as they came, until the end (or for ever with follow)."""
        inspected = await self._call("GET", f"/containers/{container_id}/json")
        decoder = None if inspected["Config"].get("Tty") else docker_wire.FrameDecoder()
        params = {
            "stdout": "1",
            "stderr": "1",
            "follow": "1" if options.follow else "0",
            "timestamps": "1" if options.timestamps else "0",
            "tail": "all" if options.tail is None else str(options.tail),
        }
        if options.since is not None:
            params["since"] = f"{options.since.timestamp():.9f}"
        request = Request("GET", f"/containers/{container_id}/logs", params=params)
        async with contextlib.aclosing(self._connection.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk if decoder is None else b"".join(data for _, data in decoder.feed(chunk))

    async def exec(
        self, container_id: str, argv: Sequence[str], options: engine.ExecOptions
    ) -> docker_session.DockerSession:
        """Start a command in a running container."""
        body: dict[str, Any] = {
            "Cmd": [*argv],
            "AttachStdin": options.stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": options.tty,
            "User": options.user,
            "Env": [f"{name}={value}" for name, value in options.env],
        }
        made = await self._call("POST", f"/containers/{container_id}/exec", body=body)
        path = f"/exec/{made['Id']}"
        start = {"Detach": False, "Tty": options.tty}
        stream = await docker_session.upgrade(self._connection, f"{path}/start", start)
        return docker_session.DockerSession(
            stream,
            tty=options.tty,
            runs=lambda: self._exec_runs(path),
            ask_exit=lambda: self._exec_exit(path),
            set_size=lambda width, height: self._resize(path, width, height),
        )

    async def _exec_runs(self, path: str) -> bool:
        try:
            return bool((await self._call("GET", f"{path}/json"))["Running"])
        except errors.DriverError:
            return False

    async def _exec_exit(self, path: str) -> int:
        while True:
            try:
                body = await self._call("GET", f"{path}/json")
            except errors.EngineUnavailable:
                raise
            except errors.DriverError:
                return _KILLED  # the engine forgets commands with their container
            # The engine closes the streams a moment before it notes the exit code.
            if not body["Running"] and body["ExitCode"] is not None:
                return int(body["ExitCode"])
            await asyncio.sleep(0.005)

    async def _resize(self, path: str, width: int, height: int) -> None:
        await self._call("POST", f"{path}/resize", params={"w": str(width), "h": str(height)})

    async def attach(self, container_id: str, *, stdin: bool, tty: bool) -> docker_session.DockerSession:
        """Connect to the container's own process."""
        path = f"/containers/{container_id}"
        query = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}"
        stream = await docker_session.upgrade(self._connection, f"{path}/attach?{query}")
        return docker_session.DockerSession(
            stream,
            tty=tty,
            runs=lambda: self._runs(container_id),
            ask_exit=lambda: self._wait(path),
            set_size=lambda width, height: self._resize(path, width, height),
        )

    async def _runs(self, container_id: str) -> bool:
        try:
            found = await self.inspect(container_id)
        except errors.DriverError:
            return False
        return found is not None and found.status in ("created", "running", "paused")

    async def _wait(self, path: str) -> int:
        return int((await self._call("POST", f"{path}/wait", patient=True))["StatusCode"])

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        """Run a command to its end; (exit code, output cut at 10 KiB); ``TimeoutError`` past the time.

        Docker cannot end a command that it started: past the time only the wait for it ends.
        """
        async with asyncio.timeout(timeout_seconds):
            session = await self.exec(container_id, argv, engine.ExecOptions())
            try:
                output = bytearray()
                async for _, data in session.output():
                    output += data[: _RUN_OUTPUT_LIMIT - len(output)]
                return await session.exit_code(), bytes(output)
            finally:
                await session.close()

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        """Unpack a tar into a directory of the container."""
        await self._call("PUT", f"/containers/{container_id}/archive", params={"path": path}, data=tar)

    async def export(self, container_id: str) -> AsyncIterator[bytes]:
        """Yield a tar of the container's whole file system, whether it runs or not."""
        request = Request("GET", f"/containers/{container_id}/export")
        async with contextlib.aclosing(self._connection.stream(request)) as chunks:
            async for data in chunks:
                yield data

    async def get_archive(self, container_id: str, path: str) -> bytes:
        """Return a tar of that path of the container; ``DriverError`` when there is no such path."""
        return bytes(await self._call("GET", f"/containers/{container_id}/archive", params={"path": path}))

    async def close(self) -> None:
        """Free connections and threads."""
        self._connection.close()
