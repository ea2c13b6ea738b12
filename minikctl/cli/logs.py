"""``logs``: what containers wrote."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags, pods, timespan
from minikctl.cli.session import Session
from minikctl.client import http

MAX_FOLLOWED = 5
SELECTED_TAIL = 10


@dataclass(frozen=True)
class LogsOptions:
    """What ``logs`` was asked."""

    argument: str = ""
    container: str = ""
    follow: bool = False
    previous: bool = False
    tail: int = -1
    since: str = ""
    since_time: str = ""
    timestamps: bool = False
    labels: str = ""
    all_containers: bool = False
    all_pods: bool = False
    prefix: bool = False
    limit_bytes: int = 0
    max_requests: int = MAX_FOLLOWED


class CommandOptions(Options):
    """What ``command`` was asked."""

    argument: tuple[str, ...] = rest("[POD | TYPE/NAME]")
    second: tuple[str, ...] = rest("[CONTAINER]")
    container: str = flag("--container", "-c", default="", help="The container.")
    follow: bool = flag("--follow", "-f", default=False, help="Go on as more is written.")
    previous: bool = flag("--previous", "-p", default=False, help="Of the run before the last restart.")
    tail: int = flag("--tail", default=-1, help="Only the last lines; -1 for all.")
    since: str = flag("--since", default="", help="Only what is younger, such as 5m.")
    since_time: str = flag("--since-time", default="", help="Only after this RFC 3339 time.")
    timestamps: bool = flag("--timestamps", default=False, help="Put the time before each line.")
    labels: str = flag("--selector", "-l", default="", help="The pods with these labels.")
    all_containers: bool = flag("--all-containers", default=False, help="Every container.")
    all_pods: bool = flag("--all-pods", default=False, help="Every pod of TYPE/NAME.")
    prefix: bool = flag("--prefix", default=False, help="Say where each line is from.")
    limit_bytes: int = flag("--limit-bytes", default=0, help="At most so many bytes.")
    max_requests: int = flag(
        "--max-log-requests", default=MAX_FOLLOWED, help="How many streams may be followed."
    )


def command(options: CommandOptions, session: Session) -> int:
    """Print the logs of a container."""
    options = LogsOptions(
        options.argument,
        options.container or options.second,
        options.follow,
        options.previous,
        options.tail,
        options.since,
        options.since_time,
        options.timestamps,
        options.labels,
        options.all_containers,
        options.all_pods,
        options.prefix or options.all_pods,
        options.limit_bytes,
        options.max_requests,
    )
    return run(options, session)


# COMMAND command: 'Print the logs of a container.\n\nExamples:  minikctl logs web-1 -f     minikctl logs deploy/web --tail=20     minikctl logs web-1 -p'


VERBS = {"logs": flags.single(command)}


def run(options: LogsOptions, session: Session) -> int:
    """Print the logs; return the exit code."""
    if options.since and options.since_time:
        raise errors.UsageError("error: at most one of `sinceTime` or `sinceSeconds` may be specified")
    sources = _sources(options, session)
    if not options.follow or len(sources) == 1:
        for pod, container in sources:
            _copy(options, pod, container, session)
        return 0
    if len(sources) > options.max_requests:
        raise errors.UsageError(
            f"error: you are attempting to follow {len(sources)} log streams, but maximum allowed concurrency "
            f"is {options.max_requests}, use --max-log-requests to increase the limit"
        )
    threads = [
        threading.Thread(target=_copy, args=(options, pod, container, session), daemon=True)
        for pod, container in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


def _sources(options: LogsOptions, session: Session) -> list[tuple[dict[str, Any], str]]:
    if options.labels:
        if options.argument:
            raise errors.UsageError("error: only a selector (-l) or a POD name is allowed")
        found = pods.selected(options.labels, session)
        if not found:
            session.io.warn(f"No resources found in {session.namespace} namespace.")
    elif options.argument:
        found = pods.named(options.argument, session)
        if len(found) > 1 and not options.all_pods:
            session.io.warn(f"Found {len(found)} pods, using pod/{found[0]['metadata']['name']}")
            found = found[:1]
    else:
        raise errors.UsageError("error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.")
    if options.all_containers:
        return [(pod, name) for pod in found for name in pods.containers(pod)]
    return [(pod, pods.container(pod, options.container, session)) for pod in found]


def _query(options: LogsOptions, container: str) -> dict[str, Any]:
    tail = SELECTED_TAIL if options.labels and options.tail < 0 else options.tail
    query: dict[str, Any] = {
        "container": container,
        "follow": options.follow,
        "previous": options.previous,
        "timestamps": options.timestamps,
        "sinceTime": options.since_time,
        "limitBytes": options.limit_bytes or None,
        "tailLines": str(tail) if tail >= 0 else None,
    }
    if options.since:
        query["sinceSeconds"] = max(1, int(timespan.seconds(options.since) + 0.999))
    return query


def _copy(options: LogsOptions, pod: dict[str, Any], container: str, session: Session) -> None:
    # Each stream has a connection of its own, so streams may be read side by side.
    client = http.HttpClient(session.endpoint)
    stream = client.stream("GET", pods.log_path(pod, "log", session), query=_query(options, container))
    head = f"[pod/{pod['metadata']['name']}/{container}] ".encode() if options.prefix else b""
    out = session.io.out.buffer if hasattr(session.io.out, "buffer") else None
    try:
        for piece in stream.lines() if head else stream.chunks():
            if out is None:
                session.io.out.write((head + piece).decode(errors="replace"))
            else:
                out.write(head + piece)
                out.flush()
    finally:
        stream.close()
