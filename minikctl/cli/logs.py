"""``logs``: what containers wrote."""

from __future__ import annotations

import contextlib
import queue
import threading

from minikctl import errors
from minikctl.cli import pods, printing, report, terminal, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, flag, rest
from minikctl.client import http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

MAX_FOLLOWED = 5
SELECTED_TAIL = 10
EXPECTED = (
    "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
    "POD or TYPE/NAME is a required argument for the logs command"
)


class LogsOptions(Options):
    """What ``logs`` was asked."""

    arguments: tuple[str, ...] = rest("(POD | TYPE/NAME) [CONTAINER]", default=(), complete="pods:containers")
    container: str = flag("--container", "-c", default="", help="The container.", complete="containers")
    follow: bool = flag("--follow", "-f", default=False, help="Go on as more is written.")
    previous: bool = flag("--previous", "-p", default=False, help="Of the run before the last restart.")
    tail: int = flag("--tail", default=-1, help="Only the last lines; -1 for all, but 10 with a selector.")
    since: str = flag("--since", default="", duration=True, help="Only what is younger, such as 5m.")
    since_time: str = flag("--since-time", default="", help="Only what is after this RFC 3339 time.")
    timestamps: bool = flag("--timestamps", default=False, help="Put the time before each line.")
    labels: str = flag(
        "--selector", "-l", default="", help="The pods with these labels.", complete="selector:pods"
    )
    all_containers: bool = flag("--all-containers", default=False, help="Every container.")
    all_pods: bool = flag("--all-pods", default=False, help="Every pod of TYPE/NAME; implies --prefix.")
    prefix: bool = flag("--prefix", default=False, help="Say where each line is from.")
    ignore_errors: bool = flag(
        "--ignore-errors", default=False, help="Go on with the others when one cannot be read."
    )
    limit_bytes: int = flag("--limit-bytes", default=0, help="At most so many bytes; 0: no limit.")
    follow_new: bool | None = flag(
        "--follow-new",
        default=None,
        help="With -f and -l or --all-pods: also pods that come later; if not given, on a terminal.",
        own=True,
    )
    colors: bool | None = flag(
        "--color", default=None, help="Prefixes in colours; if not given, on a terminal.", own=True
    )
    insecure_backend: bool = flag(
        "--insecure-skip-tls-verify-backend",
        default=False,
        help="Let the server not check the kubelet's certificate.",
    )
    timeout: str = flag(
        "--pod-running-timeout",
        default="20s",
        duration=True,
        help="How long to wait for a workload's first pod.",
    )
    max_requests: int = flag(
        "--max-log-requests", default=MAX_FOLLOWED, help="How many streams may be followed."
    )


def run(options: LogsOptions, session: Session) -> int:
    """Print the logs; return the exit code."""
    if options.since and options.since_time:
        raise errors.UsageError("error: at most one of `sinceTime` or `sinceSeconds` may be specified")
    if options.since_time and (wrong := timespan.moment_complaint(options.since_time)):
        raise errors.UsageError(f"error: {wrong}")
    if options.tail < -1:
        raise errors.UsageError("error: --tail must be greater than or equal to -1")
    if options.limit_bytes < 0:
        raise errors.UsageError("error: --limit-bytes must be greater than 0")
    if options.all_containers and (options.container or len(options.arguments) == 2):
        named = options.container or options.arguments[1]
        raise errors.UsageError(
            f"error: --all-containers=true should not be specified with container name {named}"
        )
    pods.check_timeout(options.timeout)
    sources = _sources(options, session)
    if options.follow and (options.labels or options.all_pods) and _follows_new(options, session):
        from minikctl.cli import following

        return following.run(options, sources, lambda: _sources(options, session), session)
    if not options.follow or len(sources) == 1:
        for pod, container in sources:
            _copy(options, pod, container, session)
        return 0
    if len(sources) > options.max_requests:
        raise errors.UsageError(
            f"error: you are attempting to follow {len(sources)} log streams, but maximum allowed concurrency "
            f"is {options.max_requests}, use --max-log-requests to increase the limit"
        )
    return _follow_all(options, sources, session)


def _follow_all(options: LogsOptions, sources: list[tuple[dict[str, Any], str]], session: Session) -> int:
    """Follow all sources at the same time; the first that fails ends it, unless errors are to be ignored."""
    lock = threading.Lock()
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def follow(pod: dict[str, Any], container: str) -> None:
        failure: Exception | None = None
        try:
            _copy(options, pod, container, session, lock)
        except (errors.MinikctlError, OSError) as error:
            if options.ignore_errors and not isinstance(error, OSError):
                with lock:
                    printing.write(f"{report.sentence(error)}\n".encode(), session)
            else:
                failure = error
        ended.put(failure)

    for source in sources:
        threading.Thread(target=follow, args=source, daemon=True).start()
    for _ in sources:
        failure = ended.get()
        if failure is not None:
            raise failure
    return 0


def _follows_new(options: LogsOptions, session: Session) -> bool:
    return session.io.out.isatty() if options.follow_new is None else options.follow_new


def _sources(options: LogsOptions, session: Session) -> list[tuple[dict[str, Any], str]]:
    if len(options.arguments) > 2:
        raise BadArguments(EXPECTED)
    if options.labels:
        if options.arguments:
            raise BadArguments("only a selector (-l) or a POD name is allowed")
        found = pods.selected(options.labels, session)
        if not found:
            session.io.warn(f"No resources found in {', '.join(session.namespaces)} {_word(session)}.")
    elif options.arguments:
        found = _named(options.arguments[0], session, pods.check_timeout(options.timeout))
        if len(found) > 1 and not options.all_pods:
            session.io.warn(f"Found {len(found)} pods, using pod/{found[0]['metadata']['name']}")
            found = found[:1]
    else:
        raise BadArguments(EXPECTED)
    if options.all_containers:
        return [(pod, name) for pod in found for name in pods.containers(pod)]
    asked = options.container or "".join(options.arguments[1:])
    if options.all_pods and not asked:
        return [(pod, pods.default_container(pod)) for pod in found]
    return [(pod, pods.container(pod, asked, session)) for pod in found]


def _word(session: Session) -> str:
    return "namespace" if len(session.namespaces) == 1 else "namespaces"


def _named(argument: str, session: Session, timeout: float) -> list[dict[str, Any]]:
    try:
        return pods.named(argument, session, timeout)
    except errors.StatusError as error:
        if error.code != 404:
            raise
        from minikctl.cli import elsewhere

        place = elsewhere.of_failure(error, session)
        hint = f"; hint: {place}" if place else ""
        raise errors.UsageError(
            f'error: error from server (NotFound): {error.message} in namespace "{session.namespace}"{hint}'
        ) from error


COLORS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""The terminal's colours that prefixes take, one after the other."""
_given: dict[str, int] = {}


def prefix(options: LogsOptions, pod: dict[str, Any], container: str, session: Session) -> bytes:
    """Return what stands before each line of the container: nothing, or where it is from."""
    if not (options.prefix or options.all_pods):
        return b""
    name = pod["metadata"]["name"]
    text = f"[pod/{name}/{container}]"
    if terminal.has_colors(session.io.out) if options.colors is None else options.colors:
        color = _given.setdefault(name, COLORS[len(_given) % len(COLORS)])
        text = f"\x1b[{color}m{text}\x1b[0m"
    return f"{text} ".encode()


def query(options: LogsOptions, container: str) -> dict[str, Any]:
    """Return the query of a request for a container's log."""
    tail = SELECTED_TAIL if options.labels and options.tail < 0 else options.tail
    query: dict[str, Any] = {
        "container": container,
        "insecureSkipTLSVerifyBackend": options.insecure_backend,
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


def _copy(
    options: LogsOptions,
    pod: dict[str, Any],
    container: str,
    session: Session,
    lock: threading.Lock | None = None,
) -> None:
    """Copy a log to the output; with a lock line by line, since others write, too."""
    # Each stream has a connection of its own, so streams may be read side by side.
    client = http.HttpClient(session.endpoint, timeout_seconds=session.timeout)
    stream = client.stream("GET", pods.log_path(pod, "log", session), query=query(options, container))
    head = prefix(options, pod, container, session)
    try:
        for piece in stream.lines() if head or lock else stream.chunks():
            with lock or contextlib.nullcontext():
                printing.write(head + piece, session)
    finally:
        stream.close()
    if stream.failure:
        raise errors.UsageError(f"error: {stream.failure}")


COMMANDS = {
    "logs": Command(
        "Print the logs of a container, or of the containers of several pods.",
        LogsOptions,
        run,
        usage="[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
        examples=(
            ("Follow a pod", "minikctl logs -f web-1"),
            ("The last lines of a Deployment's first pod", "minikctl logs deployment/web --tail=20"),
            (
                "Follow all its pods, also those to come",
                "minikctl logs -f deployment/web --all-pods --follow-new",
            ),
            ("What it wrote before it crashed", "minikctl logs web-1 -p"),
        ),
    )
}
