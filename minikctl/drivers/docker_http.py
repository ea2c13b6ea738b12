"""Requests to a Docker engine, with its failures in the words and classes of ``errors``."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import docker
import docker.constants
import docker.errors
import docker.types
import docker.utils
import requests

from minikctl import errors
from minikctl.drivers import threads

DEFAULT_URL = "unix:///var/run/docker.sock"
_QUICK_THREADS = 16
_POOLED_CONNECTIONS = 32
_TIMEOUT_SECONDS = 60.0
_OLDEST_VERSION = docker.constants.MINIMUM_DOCKER_API_VERSION
_PORT_WORDS = (
    "port is already allocated",
    "address already in use",
    "ports are not available",
    "timed out proxy starting the userland proxy",  # of a rootless engine, for a port at any address
)
_PRIVILEGED_WORDS, _LOWEST = "cannot expose privileged port", re.compile(r"\(currently (\d+)\)")
_PROTOCOL_WORDS = "protocol not supported"
"""Of all that the engine listens with only SCTP may be unknown to a kernel."""


@dataclass(frozen=True)
class Request:
    """One request of the Engine API; ``body`` is sent as JSON, ``data`` (bytes or a file's path) as it is."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    body: Any = None
    data: bytes | Path | None = None
    patient: bool = False


class Connection:
    """Speaks to one engine; the client is made on first use, so this may exist before the engine does."""

    def __init__(self, base_url: str | None = None) -> None:
        environment: Mapping[str, Any] = docker.utils.kwargs_from_env() if base_url is None else {}
        self.base_url: str = base_url or environment.get("base_url") or DEFAULT_URL
        self._tls: Any = environment.get("tls", False)
        self._client: docker.APIClient | None = None
        self._making = threading.Lock()
        self.threads = threads.Threads("docker", _QUICK_THREADS)

    async def call(self, request: Request) -> Any:
        """Return the engine's answer: JSON as data, anything else as bytes, nothing as None."""
        run = self.threads.patient if request.patient else self.threads.quick
        return await run(lambda: self.answer(request))

    def answer(self, request: Request) -> Any:
        """Return the engine's answer, blocking the calling thread."""
        with self.translated(), self._send(request, stream=False) as response:
            if response.headers.get("Content-Type", "").startswith("application/json"):
                return response.json() if response.content else None
            return response.content or None

    def stream(self, request: Request) -> AsyncGenerator[bytes]:
        """Yield the body of an answer as it comes."""
        return self.threads.stream(lambda: self._open(request))

    def _open(self, request: Request) -> threads.ClosableIterable:
        with self.translated():
            return _Body(self, self._send(request, stream=True))

    def _send(self, request: Request, *, stream: bool) -> requests.Response:
        client = self.client()
        with contextlib.ExitStack() as stack:
            data = request.data
            source = stack.enter_context(_opened(data)) if isinstance(data, Path) else data
            response = client.request(
                request.method,
                f"{client.base_url}/v{client.api_version}{request.path}",
                params=request.params,
                json=request.body,
                data=source,
                stream=stream,
                timeout=None if request.patient or stream else _TIMEOUT_SECONDS,
            )
        if response.status_code >= 400:
            with response:
                raise failure(response.status_code, engine_words(response.content))
        return response

    def client(self) -> docker.APIClient:
        """Return docker-py's client; the first call asks the engine for its API version."""
        with self._making:
            if self._client is None:
                with self.translated():
                    self._client = self._connect()
            return self._client

    def _connect(self) -> docker.APIClient:
        self._knock()
        client = self._made(_OLDEST_VERSION)
        try:
            found = str(client.version(api_version=False)["ApiVersion"])
        finally:
            client.close()
        return self._made(found)

    def _made(self, version: str) -> docker.APIClient:
        client = docker.APIClient(
            base_url=self.base_url,
            version=version,
            tls=self._tls,
            timeout=int(_TIMEOUT_SECONDS),
            max_pool_size=_POOLED_CONNECTIONS,
        )
        # Proxies and .netrc have no say in talking to the engine; looking them up costs time in each request.
        client.trust_env = False
        return client

    def _knock(self) -> None:
        # The client leaks a socket for each attempt to reach an engine that is not there.
        if "unix://" in self.base_url:
            path = self.base_url.partition("unix://")[2]
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(path)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn failures of the client into ``DriverError`` and its subclasses."""
        try:
            yield
        except errors.DriverError:
            raise
        except docker.errors.APIError as error:
            raise failure(error.status_code or 500, error.explanation or str(error)) from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            self.forget_client()
            raise self.unavailable(error) from error

    def forget_client(self) -> None:
        """Meet the engine anew at the next call: when it comes back, it may be another version."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def unavailable(self, why: object) -> errors.EngineUnavailable:
        """Return the error that says that this engine does not answer."""
        return errors.EngineUnavailable(f"no Docker engine answers at {self.base_url}", str(why))

    def close(self) -> None:
        """Free connections and threads."""
        self.threads.close()
        self.forget_client()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise errors.DriverError(f"{path} cannot be read: {error.strerror}", str(error)) from error


class _Body(threads.ClosableIterable):
    """The body of a streamed answer."""

    def __init__(self, connection: Connection, response: requests.Response) -> None:
        self._connection = connection
        self._response = response
        self._closed = False

    def chunks(self) -> Iterable[bytes]:
        """Yield the body's chunks; a connection that breaks unasked is an engine that went away."""
        try:
            yield from self._response.iter_content(None)
        except (requests.RequestException, OSError, AttributeError) as error:
            if not self._closed:
                self._connection.forget_client()
                raise self._connection.unavailable(error) from error

    def close(self) -> None:
        """Break the connection, which wakes a reader that waits."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(docker.errors.DockerException, OSError, AttributeError):
            docker.types.CancellableStream(iter(()), self._response).close()
        self._response.close()


def engine_words(content: bytes) -> str:
    """Return what the engine said in the body of a failure."""
    text = content.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["message"]).strip()
    return text


def failure(status: int, words: str) -> errors.DriverError:
    """Return the error class that fits an answer of the engine, carrying its words."""
    lowered = words.lower()
    if "no such container" in lowered:
        return errors.NoSuchContainer(words, words)
    if "no such image" in lowered:
        return errors.ImageMissing(words, words)
    if any(phrase in lowered for phrase in _PORT_WORDS):
        return errors.PortTaken(words, words)
    if _PROTOCOL_WORDS in lowered:
        return errors.NoSctp(words, words)
    if _PRIVILEGED_WORDS in lowered:
        first = _LOWEST.search(words)
        return errors.PrivilegedPort(words, words, int(first[1]) if first else 1024)
    return errors.DriverError(words or f"the Docker engine answered with status {status}", words)
