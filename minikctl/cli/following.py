"""``logs -f`` of many pods, among them those that come while it runs."""

from __future__ import annotations

import threading

from minikctl import errors
from minikctl.cli import interrupts, logs, pods, printing
from minikctl.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minikctl.cli.logs import LogsOptions
    from minikctl.cli.session import Session

    Source = tuple[dict[str, Any], str]

POLL_SECONDS = 1.0


def run(
    options: LogsOptions, first: Sequence[Source], find: Callable[[], Sequence[Source]], session: Session
) -> int:
    """Follow all sources, and each that ``find`` comes to know, until the user ends it."""
    lock = threading.Lock()
    seen: dict[tuple[str, str, int], threading.Thread] = {}
    sources = list(first)
    late: list[str] = []
    while not late:
        for pod, container in sources:
            key = (pod["metadata"]["uid"], container, _restarts(pod, container))
            if key in seen or not _is_started(pod, container):
                continue
            alive = sum(thread.is_alive() for thread in seen.values())
            if alive >= max(options.max_requests, len(first)):
                continue  # its turn comes when another one ends
            seen[key] = threading.Thread(
                target=_follow, args=(options, pod, container, session, lock, late), daemon=True
            )
            seen[key].start()
        interrupts.sleep(POLL_SECONDS)
        try:
            sources = list(find())
        except errors.MinikctlError:
            continue  # a workload between two pods has none: they will come
    raise errors.UsageError(f"error: {late[0]}")


def _restarts(pod: dict[str, Any], container: str) -> int:
    return int((_status(pod, container) or {}).get("restartCount") or 0)


def _is_started(pod: dict[str, Any], container: str) -> bool:
    state = (_status(pod, container) or {}).get("state") or {}
    return "running" in state or "terminated" in state


def _status(pod: dict[str, Any], container: str) -> dict[str, Any] | None:
    status = pod.get("status") or {}
    groups = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    found = (one for group in groups for one in status.get(group) or ())
    return next((one for one in found if one["name"] == container), None)


def _follow(
    options: LogsOptions,
    pod: dict[str, Any],
    container: str,
    session: Session,
    lock: threading.Lock,
    late: list[str],
) -> None:
    """Follow one log to its end; ``late`` hears that the time of a request was over before that."""
    client = http.HttpClient(session.endpoint, timeout_seconds=session.timeout)
    head = logs.prefix(options, pod, container, session)
    try:
        stream = client.stream(
            "GET", pods.log_path(pod, "log", session), query=logs.query(options, container)
        )
    except errors.MinikctlError as error:
        with lock:
            session.io.warn(f"{head.decode()}{error}")
        return
    try:
        for line in stream.lines():
            with lock:  # lines of several pods must not be mixed
                printing.write(head + line, session)
    finally:
        stream.close()
    if stream.failure == http.TIMED_OUT:
        late.append(stream.failure)
