"""``events``: what happened, in the order in which it happened last."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import printing, selection
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, flag, rest
from minikctl.cli.output import table
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]


class EventsOptions(printing.Printing):
    """What ``events`` was asked."""

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
    if printer is not None:
        types = {"apiVersion": "v1", "kind": "Event"}
        session.io.out.write(printer([{**types, **event} for event in found], True))
        return 0
    if not found and not options.watch:
        where = "" if options.all_namespaces else f" in {', '.join(namespaces)} {_word(namespaces)}."
        session.io.warn(f"No events found{where}")
        return 0
    apart = options.all_namespaces or len(namespaces) > 1
    headed = not options.no_headers
    if found:
        _print(found, session, headed=headed, apart=apart)
        headed = False
    if options.watch:
        if len(namespaces) > 1:
            target = Target(target.resource, "", "")
        _follow(options, target, {**query, "resourceVersion": revision}, namespaces, session, headed)
    return 0


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
    headed: bool,
) -> None:
    apart = not target.namespace
    stream = session.client.stream("GET", target.path(), query={**query, "watch": True})
    try:
        for line in stream.lines():
            change = json.loads(line)
            if change["type"] == "ERROR":
                raise errors.StatusError.from_status(change["object"])
            found = change["object"]
            is_meant = namespaces == [""] or found["metadata"].get("namespace") in namespaces
            if is_meant and change["type"] in ("ADDED", "MODIFIED") and _wanted(options, found):
                _print([found], session, headed=headed, apart=apart)
                headed = False
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
