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


def command(
    ctx: typer.Context,
    argument: Annotated[str, typer.Argument(metavar="[POD | TYPE/NAME]")] = "",
    second: Annotated[str, typer.Argument(metavar="[CONTAINER]")] = "",
    container: Annotated[str, typer.Option("--container", "-c", help="The container.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the run before the last restart.")
    ] = False,
    tail: Annotated[int, typer.Option("--tail", help="Only the last lines; -1 for all.")] = -1,
    since: Annotated[str, typer.Option("--since", help="Only what is younger, such as 5m.")] = "",
    since_time: Annotated[str, typer.Option("--since-time", help="Only after this RFC 3339 time.")] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Put the time before each line.")] = False,
    labels: Annotated[str, typer.Option("--selector", "-l", help="The pods with these labels.")] = "",
    all_containers: Annotated[bool, typer.Option("--all-containers", help="Every container.")] = False,
    all_pods: Annotated[bool, typer.Option("--all-pods", help="Every pod of TYPE/NAME.")] = False,
    prefix: Annotated[bool, typer.Option("--prefix", help="Say where each line is from.")] = False,
    limit_bytes: Annotated[int, typer.Option("--limit-bytes", help="At most so many bytes.")] = 0,
    max_requests: Annotated[
        int, typer.Option("--max-log-requests", help="How many streams may be followed.")
    ] = MAX_FOLLOWED,
) -> None:
    """Print the logs of a container.

    Examples:  minikctl logs web-1 -f     minikctl logs deploy/web --tail=20     minikctl logs web-1 -p
    """
    options = LogsOptions(
        argument, container or second, follow, previous, tail, since, since_time, timestamps, labels,
        all_containers, all_pods, prefix or all_pods, limit_bytes, max_requests,
    )  # fmt: skip
    raise typer.Exit(run(options, flags.of(ctx)))


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
