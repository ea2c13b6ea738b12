"""``events``: what happened, in the order in which it happened last."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import printing, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest
from minikctl.cli.output import printers, table
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.output.printers import Printer
    from minikctl.cli.session import Session

DECODED: dict[str, Any] = {"eventTime": None, "source": {}, "reportingComponent": "", "reportingInstance": ""}
"""Fields of Events that are printed also when they are empty, as by whoever knows the type."""
HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


class EventsOptions(printing.Printing):
    """What ``events`` was asked."""

    TYPED = True

    subject: str = flag("--for", default="", help="Only those of TYPE/NAME.", complete="objects")
    types: tuple[str, ...] = flag(
        "--types", default=(), split=True, help="Normal, Warning.", complete="Normal Warning"
    )
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    watch: bool = flag("--watch", "-w", default=False, help="Go on with each new event.")
    chunk: int = flag("--chunk-size", default=500, help="Ask for lists in pieces of so many; 0: all at once.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")
    words: tuple[str, ...] = rest(default=())


def run(options: EventsOptions, session: Session) -> int:
    """Print events, oldest first; return the exit code."""
    if any(name.lower() not in ("normal", "warning") for name in options.types):
        raise errors.UsageError("error: valid --types are Normal or Warning")
    if options.words:
        raise BadArguments(f"unexpected arguments: [{' '.join(options.words)}]")
    namespaces = [""] if options.all_namespaces else session.namespaces
    query = {"fieldSelector": _fields(options, session)}
    every: list[dict[str, Any]] = []
    revision = ""
    for namespace in namespaces:
        target = Target(session.discovery.find("events"), "", namespace)
        items, listed = selection.listed(target, session, query, options.chunk)
        revision = revision or listed
        every += items
    found = sorted((each for each in every if _wanted(options, each)), key=last_seen)
    printer = printing.printer(options, lambda event: f"event/{event['metadata']['name']}")
    if not found and not options.watch:
        where = "" if options.all_namespaces else f" in {', '.join(namespaces)} {_word(namespaces)}."
        session.io.warn(f"No events found{where}")
        return 0
    apart = options.all_namespaces or len(namespaces) > 1
    show = _Table(session, headed=not options.no_headers, apart=apart)
    if printer is not None:
        show = _Objects(options, session, printer)
    if found:
        show(found)
    if options.watch:
        if len(namespaces) > 1:
            target = Target(target.resource, "", "")
        _follow(options, target, {**query, "resourceVersion": revision}, namespaces, session, show)
    return 0


class _Table:
    """Prints events as lines, the first of them below a header."""

    def __init__(self, session: Session, *, headed: bool, apart: bool) -> None:
        self._session, self._headed, self._apart = session, headed, apart

    def __call__(self, found: list[dict[str, Any]]) -> None:
        _print(found, self._session, headed=self._headed, apart=self._apart)
        self._headed = False


class _Objects(_Table):
    """Prints events as kubectl prints what it has decoded: as one list, or one by one as they come."""

    def __init__(self, options: EventsOptions, session: Session, printer: Printer) -> None:
        super().__init__(session, headed=False, apart=False)
        self._printer = printer
        self._apart = options.watch or options.output == "name"
        self._break = "---\n" if options.output == "yaml" else ""
        self._shown: Callable[[dict[str, Any]], dict[str, Any]] = (
            (lambda event: event) if options.managed_fields else printers.without_managed_fields
        )
        self._count = 0

    def __call__(self, found: list[dict[str, Any]]) -> None:
        types = {"apiVersion": "v1", "kind": "Event"}
        events = [{**types, **DECODED, **self._shown(event)} for event in found]
        whole = {"apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": events}
        for each in events if self._apart else [whole]:
            self._session.io.out.write((self._break if self._count else "") + self._printer([each], False))
            self._count += 1
        self._session.io.out.flush()


def _fields(options: EventsOptions, session: Session) -> str:
    if not options.subject:
        return ""
    if "/" not in options.subject:
        raise errors.UsageError("error: --for must be in resource/name form")
    subject = selection.parse([options.subject], session.discovery, session.namespaces[0])[0]
    return f"involvedObject.kind={subject.resource.kind},involvedObject.name={subject.name}"


def _wanted(options: EventsOptions, event: dict[str, Any]) -> bool:
    known = {name.lower() for name in options.types}
    return not known or str(event.get("type", "")).lower() in known


def last_seen(event: dict[str, Any]) -> str:
    """Return when the event happened last, as text that sorts by time."""
    series = event.get("series") or {}
    moment = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(moment or event["metadata"].get("creationTimestamp") or "")


def _word(namespaces: list[str]) -> str:
    return "namespace" if len(namespaces) == 1 else "namespaces"


def _print(found: list[dict[str, Any]], session: Session, *, headed: bool, apart: bool) -> None:
    before = ["NAMESPACE"] if apart else []
    rows = [before + HEADER] if headed else []
    for event in found:
        place = [event["metadata"].get("namespace", "")] if apart else []
        rows.append(place + _row(event))
    for line in table.align(rows):
        session.io.say(line)
    session.io.out.flush()


def _row(event: dict[str, Any]) -> list[str]:
    from minikctl.cli.output.describing import common

    about = event.get("involvedObject") or {}
    return [
        common.event_age(event),
        str(event.get("type", "")),
        str(event.get("reason", "")),
        f"{about.get('kind', '')}/{about.get('name', '')}",
        str(event.get("message", "")).strip(),
    ]


def _follow(
    options: EventsOptions,
    target: Target,
    query: dict[str, Any],
    namespaces: list[str],
    session: Session,
    show: _Table,
) -> None:
    stream = session.client.stream("GET", target.path(), query={**query, "watch": True})
    try:
        for line in stream.lines():
            change = json.loads(line)
            if change["type"] == "ERROR":
                raise errors.StatusError.from_status(change["object"])
            found = change["object"]
            is_meant = namespaces == [""] or found["metadata"].get("namespace") in namespaces
            if is_meant and change["type"] in ("ADDED", "MODIFIED") and _wanted(options, found):
                show([found])
    finally:
        stream.close()


COMMANDS = {
    "events": Command(
        "List events, the last to happen at the end.",
        EventsOptions,
        run,
        usage="[--for TYPE/NAME] [--watch]",
        examples=(
            ("What happened in this namespace", "minikctl events"),
            ("What happened to a pod, and what will", "minikctl events --for pod/web-1 --watch"),
        ),
    )
}
