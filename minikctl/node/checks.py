"""Running one check or hook against a container, with the outcome in kubelet's words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol, assert_never

from minikctl import errors
from minikctl.drivers import dialing
from minikctl.drivers import engine as engines
from minikctl.model.actions.node import (
    Check,
    ExecCheck,
    GrpcCheck,
    Hook,
    HttpCheck,
    NoCheck,
    Sleep,
    TcpCheck,
)
from minikctl.node import grpc_health, http_get
from minikctl.runtime import clock as clocks

_NOT_RUN_CODES, _NOT_RUN = (126, 127), "OCI runtime exec failed"
"""How the engine tells that there is no such command: its words in the place of the command's."""


@dataclass(frozen=True)
class Result:
    """The outcome; ``refused``: nothing listened, so the container did not notice being asked.

    ``warning`` is told although the check passed; ``errored``: nobody could say how the container is.
    """

    passed: bool
    output: str = ""
    refused: bool = False
    warning: str = ""
    errored: bool = False


class Prober(Protocol):
    """Runs checks."""

    async def check(self, check: Check, container_id: str, timeout: float) -> Result:
        """Return the outcome within the timeout; ``EngineUnavailable`` when no engine can be asked."""
        ...

    async def hook(self, hook: Hook, container_id: str) -> Result:
        """Run a lifecycle hook to its end; the caller limits its time."""
        ...


class RealProber:
    """Checks over the network and through the engine."""

    def __init__(
        self, engine: engines.Engine, clock: clocks.Clock, dialer: dialing.Dialer = dialing.DIRECT
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._dialer = dialer

    async def check(self, check: Check, container_id: str, timeout: float) -> Result:
        """Return the outcome within the timeout; ``EngineUnavailable`` when no engine can be asked."""
        if isinstance(check, ExecCheck):
            return await self._exec(check, container_id, timeout)
        if isinstance(check, NoCheck):
            return Result(False, check.problem, errored=True)
        try:
            async with asyncio.timeout(timeout):
                return await _over_network(check, self._dialer)
        except TimeoutError:
            return Result(False, _late(check, timeout))

    async def hook(self, hook: Hook, container_id: str) -> Result:
        """Run a lifecycle hook to its end; the caller limits its time."""
        match hook:
            case Sleep():
                await self._clock.sleep(hook.seconds)
                return Result(True)
            case ExecCheck():
                return await self._exec(hook, container_id, 3600)
            case HttpCheck() | TcpCheck():
                return await _over_network(hook, self._dialer)
            case NoCheck():
                return Result(False, hook.problem, errored=True)
            case _:
                assert_never(hook)

    async def _exec(self, check: ExecCheck, container_id: str, timeout: float) -> Result:
        try:
            code, output = await self._engine.run(container_id, check.argv, timeout)
        except TimeoutError:
            return Result(False, f'command timed out: "{" ".join(check.argv)}" timed out after {timeout:g}s')
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            return Result(False, str(error), errored=True)
        text = output.decode(errors="replace")
        return Result(code == 0, text, errored=code in _NOT_RUN_CODES and text.startswith(_NOT_RUN))


async def _over_network(check: HttpCheck | TcpCheck | GrpcCheck, dialer: dialing.Dialer) -> Result:
    try:
        match check:
            case HttpCheck():
                return _http_result(await http_get.get(check, dialer))
            case TcpCheck():
                _, writer = await dialer.open(check.host, check.port)
                writer.close()
            case GrpcCheck():
                await grpc_health.check(check, dialer)
            case _:
                assert_never(check)
    except (http_get.BadAnswer, grpc_health.HealthError) as error:
        return Result(False, _about(check, str(error)))
    except ConnectionRefusedError:
        return Result(False, _about(check, _dial(check, "connection refused")), refused=True)
    except (OSError, UnicodeError, OverflowError) as error:
        return Result(False, _about(check, _dial(check, getattr(error, "strerror", None) or str(error))))
    return Result(True)


def _http_result(answer: http_get.Answer) -> Result:
    if 300 <= answer.status < 400:
        return Result(True, warning=f"Probe terminated redirects, Response body: {answer.body}")
    if 200 <= answer.status < 300:
        return Result(True)
    return Result(False, f"HTTP probe failed with statuscode: {answer.status}")


def _dial(check: HttpCheck | TcpCheck | GrpcCheck, words: str) -> str:
    return f"dial tcp {check.host}:{check.port}: connect: {words[:1].lower()}{words[1:]}"


def _about(check: HttpCheck | TcpCheck | GrpcCheck, words: str) -> str:
    return f'Get "{http_get.url_of(check)}": {words}' if isinstance(check, HttpCheck) else words


def _late(check: HttpCheck | TcpCheck | GrpcCheck, timeout: float) -> str:
    match check:
        case HttpCheck():
            words = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return _about(check, words)
        case TcpCheck():
            return f"dial tcp {check.host}:{check.port}: i/o timeout"
        case GrpcCheck():
            return (
                f'timeout: failed to connect service "{check.host}:{check.port}" '
                f"within {timeout:g}s: context deadline exceeded"
            )
        case _:
            assert_never(check)


class PassingProber:
    """Finds every container well: for simulated ones, which answer nobody."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    async def check(self, check: Check, container_id: str, timeout: float) -> Result:  # noqa: ARG002
        """Return that it passed."""
        return Result(True)

    async def hook(self, hook: Hook, container_id: str) -> Result:  # noqa: ARG002
        """Return that it passed, after its time if it is a pause."""
        if isinstance(hook, Sleep):
            await self._clock.sleep(hook.seconds)
        return Result(True)
