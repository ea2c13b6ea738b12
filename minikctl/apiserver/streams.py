"""Logs, exec, attach and port-forward: what the API asks of the node, and what it refuses before it asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from minikctl import errors
from minikctl.drivers.engine import ExecOptions, ExecSession, LogOptions
from minikctl.model import causes, objects
from minikctl.model.objects import Object

if TYPE_CHECKING:
    from minikctl.drivers.relay import PortConnection


class NodeStreams(Protocol):
    """The node's side; ``pod`` is the API's object and ``container`` one that it has.

    Failures are ``errors.DriverError``s, ``NoSuchContainer`` when the container is gone.
    """

    def logs(
        self, pod: Object, container: str, previous: bool, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield log bytes of the present or of the previous run, until the end or for ever with follow."""
        ...

    async def exec(
        self, pod: Object, container: str, argv: Sequence[str], options: ExecOptions
    ) -> ExecSession:
        """Start a command in the running container."""
        ...

    async def attach(self, pod: Object, container: str, *, stdin: bool) -> ExecSession:
        """Connect to the container's own process, whose terminal is what it was started with."""
        ...

    def forwarding(self) -> AbstractAsyncContextManager[None]:
        """Be ready for connections to ports during the block; what it raises comes out in a group."""
        ...

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port inside the pod, on 127.0.0.1; whether anything listens shows when it is read."""
        ...


def no_node() -> errors.StatusError:
    """503: there is nobody who could be asked."""
    return errors.StatusError(503, "ServiceUnavailable", "no node serves logs and commands of pods here")


@dataclass(frozen=True)
class LogRequest:
    """Which log, and how much of it; ``limit`` None means all bytes."""

    container: str
    previous: bool
    options: LogOptions
    limit: int | None


@dataclass(frozen=True)
class StreamRequest:
    """An exec (with ``command``) or an attach, and which streams the client wants.

    ``user`` is whom of the container the command runs as, "" for the container's own.
    """

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool
    user: str = ""


def _names(pod: Object, field: str) -> list[str]:
    return [each["name"] for each in objects.spec(pod).get(field) or ()]


def choose_container(pod: Object, wanted: str) -> str:
    """Return the container that is meant; 400 when it is not clear or not there."""
    name = objects.name(pod)
    plain, init = _names(pod, "containers"), _names(pod, "initContainers")
    if wanted:
        if wanted in (*plain, *init, *_names(pod, "ephemeralContainers")):
            return wanted
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    if len(plain) == 1:
        return plain[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(plain)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise errors.bad_request(text)


def _status(pod: Object, container: str) -> dict[str, Any] | None:
    status = objects.status(pod)
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for found in status.get(field) or ():
            if found.get("name") == container:
                return dict(found)
    return None


def check_log(pod: Object, container: str, previous: bool) -> None:
    """Refuse the log of a container that has none yet, in the kubelet's words."""
    about = f'container "{container}" in pod "{objects.name(pod)}"'
    status = _status(pod, container)
    if status is None:
        raise errors.bad_request(f"{about} is not available")
    state, last = status.get("state") or {}, status.get("lastState") or {}
    if previous:
        if not last.get("terminated"):
            raise errors.bad_request(f"previous terminated {about} not found")
        return
    if state.get("running") or state.get("terminated") or last.get("terminated"):
        return
    reason = (state.get("waiting") or {}).get("reason") or ""
    match reason:
        case "":
            raise errors.bad_request(f"{about} is waiting to start - no logs yet")
        case "ErrImagePull":
            raise errors.bad_request(f"{about} is waiting to start: image can't be pulled")
        case "ImagePullBackOff":
            raise errors.bad_request(f"{about} is waiting to start: trying and failing to pull image")
        case _:
            raise errors.bad_request(f"{about} is waiting to start: {reason}")


def log_request(pod: Object, query: Mapping[str, str], now: datetime) -> LogRequest:
    """Return what the query parameters of a log ask for; 422 when they contradict each other."""
    found: list[dict[str, str]] = []
    tail = _number(query, "tailLines", 0, found)
    seconds = _number(query, "sinceSeconds", 1, found)
    limit = _number(query, "limitBytes", 1, found)
    since = objects.parse_time(query.get("sinceTime"))
    if query.get("sinceTime") and since is None:
        found.append(causes.invalid("sinceTime", query["sinceTime"], "must be an RFC 3339 time"))
    if seconds is not None and query.get("sinceTime"):
        found.append(causes.forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if query.get("stream", "All") != "All":
        found.append(causes.unsupported("stream", query["stream"], ["All"]))
    if found:
        raise errors.invalid("PodLogOptions", "", objects.name(pod), found)
    if seconds is not None:
        since = now - timedelta(seconds=seconds)
    options = LogOptions(_true(query, "follow"), tail, since, _true(query, "timestamps"))
    container = choose_container(pod, query.get("container", ""))
    return LogRequest(container, _true(query, "previous"), options, limit)


def _number(query: Mapping[str, str], name: str, least: int, found: list[dict[str, str]]) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        found.append(causes.invalid(name, text, "must be a whole number"))
        return None
    if number < least:
        found.append(causes.invalid(name, number, f"must be greater than or equal to {least}"))
    return number


def _true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "false") not in ("false", "0")


def stream_request(
    pod: Object, subresource: str, query: Mapping[str, str], command: Sequence[str]
) -> StreamRequest:
    """Return what an exec or attach asks for; refuses one that cannot work before anything is upgraded."""
    name = objects.name(pod)
    if subresource == "exec" and not command:
        raise errors.bad_request("you must specify at least one command for the container")
    wanted = StreamRequest(
        choose_container(pod, query.get("container", "")),
        tuple(command),
        stdin=_true(query, "stdin"),
        stdout=_true(query, "stdout"),
        stderr=_true(query, "stderr"),
        tty=_true(query, "tty"),
        user=query.get("user", ""),
    )
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        raise errors.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if not objects.spec(pod).get("nodeName"):
        raise errors.bad_request(f"pod {name} does not have a host assigned")
    phase = objects.status(pod).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise errors.bad_request(
            f"cannot exec into a container in a completed pod; current phase is {phase}"
            if subresource == "exec"
            else f"cannot attach a container in a completed pod; current phase is {phase}"
        )
    status = _status(pod, wanted.container)
    if status is None or not (status.get("state") or {}).get("running"):
        # Clients put "unable to upgrade connection" before what a kubelet says.
        raise errors.StatusError(500, "InternalError", f'container not found ("{wanted.container}")')
    return wanted


def check_forward(pod: Object) -> None:
    """Refuse to forward ports of a pod that has none to connect to."""
    name = objects.name(pod)
    if not objects.spec(pod).get("nodeName"):
        raise errors.bad_request(f"pod {name} does not have a host assigned")
    phase = objects.status(pod).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise errors.bad_request(f"cannot forward ports of a completed pod; current phase is {phase}")
