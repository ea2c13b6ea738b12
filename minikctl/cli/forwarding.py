"""The work of ``port-forward``: listening, connecting to the present pod, and moving on to the next one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple, Protocol

from minikctl import errors
from minikctl.cli import port_forward
from minikctl.cli.session import Session
from minikctl.client import http, multiplex, tunnel
from minikctl.drivers import listening

POLL_SECONDS = 0.25
START_SECONDS = 10
"""How long a pod that took over is given until it listens."""
WATCH_SECONDS = 600
# Words of kubelets and of minikctl's nodes about a connection of which nothing reached the pod.
_UNTAKEN = re.compile(
    r"connection refused|no sandbox|no longer belongs|sandbox .* (not found|not running)|is closed"
)


class Goal(Protocol):
    """What leads to a pod; ``port_forward.Goal`` is the one."""

    def candidates(self) -> list[dict[str, Any]]:
        """Return the pods that can be meant now, the best one first."""
        ...

    def ports(self, pod: dict[str, Any]) -> list[tuple[int, int]]:
        """Return (local port, pod's port) for each wanted one."""
        ...


class Plan(NamedTuple):
    """Where to listen, what leads where, how many seconds a pod is waited for, and whether one pod is enough."""

    addresses: list[tuple[str, bool]]
    ports: list[tuple[int, int]]
    seconds: float
    is_once: bool


def first(goal: Goal, seconds: float) -> dict[str, Any]:
    """Return the pod to begin with, waiting for one that runs; the last one that was there if none does."""
    deadline = time.monotonic() + seconds
    while True:
        found = goal.candidates()
        running = [pod for pod in found if _runs(pod)]
        if running or getattr(goal, "is_pod", False):
            return (running or found)[0]
        if time.monotonic() > deadline:
            raise errors.UsageError("error: timed out waiting for the condition")
        time.sleep(POLL_SECONDS)


def _runs(pod: dict[str, Any]) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Running")


def run(goal: Goal, pod: dict[str, Any], plan: Plan, session: Session) -> int:
    """Forward until interrupted; return the exit code."""
    try:
        asyncio.run(_until_interrupted(_Forwarder(goal, plan, session).run(pod)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return 0


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Do the work, and cancel it on SIGINT.

    What ``asyncio.run`` does about SIGINT by itself does not wake a loop that is just going to sleep: the signal would be
    noticed with the next connection only.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await work
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class _Present(NamedTuple):
    """The pod that new connections go to, and until when it may still be starting.

    ``leaving`` is set when it is on its way out, ``left`` once no new connection goes to it.
    """

    pod: dict[str, Any]
    connection: multiplex.Connection
    ports: list[int]
    starts_until: float
    leaving: asyncio.Event
    left: asyncio.Event


class _Forwarder:
    def __init__(self, goal: Goal, plan: Plan, session: Session) -> None:
        self._goal = goal
        self._plan = plan
        self._session = session
        self._present: asyncio.Future[_Present] | None = None
        self._requests = 0

    async def run(self, pod: dict[str, Any]) -> None:
        self._present = asyncio.get_running_loop().create_future()
        connection = await self._connect(pod)
        async with asyncio.TaskGroup() as group:
            try:
                await self._listen(group)
            except BaseException:
                await connection.close()
                raise
            starts_until = 0.0
            while True:
                await self._serve(pod, connection, group, starts_until)
                pod, connection = await self._next(pod["metadata"]["name"])
                starts_until = time.monotonic() + START_SECONDS

    async def _connect(self, pod: dict[str, Any]) -> multiplex.Connection:
        path = port_forward.pod_path(pod, "portforward", self._session)
        return await tunnel.connect(self._session.client, path)

    # --- pods ---------------------------------------------------------------------------------------------

    async def _serve(
        self,
        pod: dict[str, Any],
        connection: multiplex.Connection,
        group: asyncio.TaskGroup,
        starts_until: float,
    ) -> None:
        """Let new connections go to the pod until it is lost or on its way out."""
        assert self._present is not None
        ports = [remote for _, remote in self._goal.ports(pod)]
        running = group.create_task(connection.run())
        leaving, left = asyncio.Event(), asyncio.Event()
        self._present.set_result(_Present(pod, connection, ports, starts_until, leaving, left))
        watch = _Watch(pod, self._session, asyncio.get_running_loop(), leaving)
        watch.start()
        try:
            done = [group.create_task(connection.lost.wait()), group.create_task(leaving.wait())]
            await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.cancel()
        finally:
            watch.stop()
        self._present = asyncio.get_running_loop().create_future()
        left.set()
        if self._plan.is_once:
            running.cancel()
            raise errors.UsageError("error: lost connection to pod")
        # What is open stays with the pod until that is gone: its connection ends by itself.
        group.create_task(_expire(connection, running))

    async def _next(self, lost: str) -> tuple[dict[str, Any], multiplex.Connection]:
        """Return the pod that takes over, and a connection to it."""
        self._session.io.warn(f"lost connection to pod {lost}: waiting for another one")
        deadline = time.monotonic() + self._plan.seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(errors.MinikctlError, OSError):
                found = [pod for pod in await asyncio.to_thread(self._goal.candidates) if _runs(pod)]
                if found:
                    connection = await self._connect(found[0])
                    self._session.io.warn(f"Forwarding to pod {found[0]['metadata']['name']}")
                    return found[0], connection
            await asyncio.sleep(POLL_SECONDS)
        raise errors.UsageError("error: lost connection to pod")

    # --- connections --------------------------------------------------------------------------------------

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        heard = False
        for place, (local, remote) in enumerate(self._plan.ports):
            heard |= await self._listen_on(group, place, local, remote)
        if not heard:
            wanted = " ".join(f"{{{local} {remote}}}" for local, remote in self._plan.ports)
            raise errors.UsageError(f"error: unable to listen on any of the requested ports: [{wanted}]")

    async def _listen_on(self, group: asyncio.TaskGroup, place: int, local: int, remote: int) -> bool:
        """Listen on one port of every address; of localhost's addresses one is enough."""
        failures, heard, needed = [], False, False
        for address, is_needed in self._plan.addresses:
            host = f"[{address}]" if ":" in address else address
            accept = self._acceptor(group, place, local)
            try:
                server = await asyncio.start_server(accept, address, local)
            except OSError as error:
                kind = "tcp6" if ":" in address else "tcp4"
                words = _reason(error)
                failures.append(
                    f"unable to create listener: Error listen {kind} {host}:{local}: bind: {words}"
                )
                needed |= is_needed
                continue
            heard = True
            local = server.sockets[0].getsockname()[1]
            self._session.io.say(f"Forwarding from {host}:{local} -> {remote}")
            self._session.io.out.flush()
        if needed or not heard:
            text = f"Listeners failed to create with the following errors: [{' '.join(failures)}]"
            self._session.io.warn(f"Unable to listen on port {local}: {text}")
            self._hint(local)
            return False
        if failures:
            self._hint(local)
        return True

    def _hint(self, local: int) -> None:
        """Say who has the port, if that can be seen, and how to do without it."""
        if holder := listening.holder(local):
            self._session.io.warn(
                f"hint: {holder} listens on port {local}; nothing before the colon takes a free one"
            )

    def _acceptor(self, group: asyncio.TaskGroup, place: int, local: int) -> Any:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            port = writer.get_extra_info("sockname")[1]
            self._session.io.say(f"Handling connection for {port}")
            self._session.io.out.flush()
            group.create_task(self._handle(place, tunnel.SocketPipe(reader, writer)))

        del local
        return accept

    async def _handle(self, place: int, pipe: tunnel.SocketPipe) -> None:
        local = tunnel.Replayable(pipe)
        try:
            while True:
                assert self._present is not None
                present = await asyncio.shield(self._present)
                problem = await self._carry(present, present.ports[place], local)
                if not problem or not local.fresh or not await self._may_again(present, problem):
                    break
                local.rewind()
            if problem:  # told before the connection ends: who waits for its end knows why
                self._session.io.warn(
                    f"error: an error occurred forwarding -> {present.ports[place]}: {problem}"
                )
        finally:
            await pipe.close()
        if problem and self._plan.is_once:
            await present.connection.close()

    async def _carry(self, present: _Present, port: int, local: tunnel.Replayable) -> str:
        """Carry one connection to the pod; return what went wrong."""
        self._requests += 1
        try:
            return await tunnel.forward(present.connection, self._requests, port, local)
        except multiplex.StreamReset as error:
            return str(error)

    async def _may_again(self, present: _Present, problem: str) -> bool:
        """Tell whether a connection that nobody took may find another pod, or this one once it has started."""
        if self._plan.is_once or not _UNTAKEN.search(problem):
            return False
        if await self._is_gone(present):
            present.leaving.set()
            await present.left.wait()
            return True
        await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() < present.starts_until

    async def _is_gone(self, present: _Present) -> bool:
        """Tell whether the pod is none of those meant any more: its end may be known here before it is heard of."""
        if present.left.is_set():
            return True
        try:
            found = await asyncio.to_thread(self._goal.candidates)
        except (errors.MinikctlError, OSError):
            return False
        return all(each["metadata"]["uid"] != present.pod["metadata"]["uid"] for each in found)


async def _expire(connection: multiplex.Connection, running: asyncio.Task[None]) -> None:
    """End a connection once it carries nothing, or its pod is gone."""
    await connection.idle()
    await connection.close()
    running.cancel()


class _Watch(threading.Thread):
    """Tells when a pod is on its way out, before its connections break."""

    def __init__(
        self,
        pod: dict[str, Any],
        session: Session,
        loop: asyncio.AbstractEventLoop,
        leaving: asyncio.Event,
    ) -> None:
        super().__init__(daemon=True)
        self._pod = pod["metadata"]
        self._session = session
        self._loop = loop
        self._leaving = leaving
        self._stream: http.Stream | None = None
        self._stopped = False

    def run(self) -> None:
        path = port_forward.pod_path({"metadata": {**self._pod, "name": ""}}, "", self._session)
        query = {
            "watch": True,
            "fieldSelector": f"metadata.name={self._pod['name']}",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        while not self._stopped:
            try:
                self._stream = http.HttpClient(self._session.endpoint).stream("GET", path, query=query)
                for line in self._stream.lines():
                    if self._is_over(json.loads(line)):
                        self._tell()
                        return
            except (errors.MinikctlError, OSError, ValueError):
                time.sleep(POLL_SECONDS)  # the connection itself tells when the server is gone

    def _is_over(self, event: dict[str, Any]) -> bool:
        found = event.get("object") or {}
        if event.get("type") == "ERROR":
            return False
        return bool(
            event.get("type") == "DELETED"
            or found["metadata"].get("deletionTimestamp")
            or found["metadata"].get("uid") != self._pod["uid"]
            or (found.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        )

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._leaving.set)

    def stop(self) -> None:
        """End the watch."""
        self._stopped = True
        if self._stream is not None:
            self._stream.close()


def _reason(error: OSError) -> str:
    """Return why an address cannot be listened at: asyncio's own words say more than the system's."""
    text = os.strerror(error.errno) if error.errno else str(error)
    return text.lower()
