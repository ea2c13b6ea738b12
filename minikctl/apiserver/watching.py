"""Watches: what happens after a revision, seen through a selection, in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from minikctl import errors
from minikctl.apiserver import cache, feed, listing, strategy
from minikctl.apiserver.options import WatchOptions
from minikctl.model import causes, kinds
from minikctl.model.kind import Cause, Kind
from minikctl.runtime import clock as clocks

BOOKMARK_SECONDS = 60.0
INITIAL_END = "k8s.io/initial-events-end"

StepType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a watch; a bookmark has only its revision, ``initial_end`` ends the initial ones."""

    type: StepType
    entry: cache.Entry | None
    revision: int
    initial_end: bool = False


@dataclass(frozen=True)
class Watch:
    """A watch that has been accepted: where it begins, and what it lets through."""

    source: feed.Feed
    collection: cache.Collection
    namespace: str
    chosen: listing.Selection
    options: WatchOptions
    revision: int
    """Everything up to here is known to the client, or among the initial events."""
    position: int
    initial: list[cache.Entry] | None
    """What exists at the beginning and is reported as ADDED; None: only changes are."""


def _asked(kind: Kind, version: str) -> int:
    fault = strategy.version_fault(version)
    if fault:
        cause = causes.invalid("resourceVersion", version, fault)
        raise errors.invalid(kind.plural, kind.group, "", [cause])
    return int(version or 0)


def begin(source: feed.Feed, kind: Kind, namespace: str, options: WatchOptions) -> Watch:
    """Accept a watch, or refuse it: 400 for contradictions, 410 for a revision that is too old."""
    _check(options)
    collection = source.collection(kinds.stored(kind))
    chosen = listing.selection(kind, options.labels, options.fields)
    asked = _asked(kind, options.resource_version)
    # Without a revision a watch starts with what is there, unless the caller declines it.
    wants_initial = asked == 0 if options.initial_events is None else options.initial_events
    revision = source.revision if wants_initial or asked == 0 else asked
    initial = None
    if wants_initial:
        if asked > source.revision:
            raise listing.too_new(asked, source.revision)
        match = chosen.match
        initial = [each for each in collection.entries(namespace) if match is None or match(each.object)]
    position = collection.position(revision)
    return Watch(source, collection, namespace, chosen, options, revision, position, initial)


def _check(options: WatchOptions) -> None:
    match, found = options.version_match, list[Cause]()
    if options.initial_events is not None and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(causes.forbidden("resourceVersionMatch", text))
    if match and options.initial_events is None:
        text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(causes.forbidden("resourceVersionMatch", text))
    if match not in ("", "NotOlderThan"):
        found.append(causes.unsupported("resourceVersionMatch", match, ("NotOlderThan",)))
    if options.initial_events and not options.bookmarks:
        text = "sendInitialEvents requires setting allowWatchBookmarks to true"
        found.append(causes.forbidden("sendInitialEvents", text))
    listing.refuse(found)


async def follow(watch: Watch, clock: clocks.Clock) -> AsyncGenerator[list[Step], None]:
    """Yield events in order until the time is up or the feed ends; 410 when the reader is too slow."""
    options, collection = watch.options, watch.collection
    deadline = None if options.timeout_seconds is None else clock.monotonic() + options.timeout_seconds
    beginning = _beginning(watch)
    if beginning:
        yield beginning
    position, seen = watch.position, watch.revision
    next_bookmark = clock.monotonic() + BOOKMARK_SECONDS
    interest = (watch.namespace, watch.chosen.name if watch.namespace else "")
    era = collection.era
    while watch.source.failure is None and collection.era == era:
        changes, reached = collection.since(position), watch.source.revision
        position += len(changes)
        if watch.chosen.reads is not None:
            await watch.chosen.ready([each.object for change in changes for each in _entries(change)])
        steps = [step for change in changes if (step := _seen(watch, change))]
        now = clock.monotonic()
        if options.bookmarks and now >= next_bookmark:
            next_bookmark = now + BOOKMARK_SECONDS
            if reached > seen:
                steps.append(Step("BOOKMARK", None, reached))
        if steps:
            seen = steps[-1].revision
            yield steps
        if deadline is not None and now >= deadline:
            return
        if not changes and not steps:
            patience = _patience(deadline, next_bookmark if options.bookmarks else None, now)
            await collection.changed(patience, interest)


def _entries(change: cache.Change) -> list[cache.Entry]:
    return [each for each in (change.old, change.new, change.last) if each is not None]


def _patience(deadline: float | None, bookmark: float | None, now: float) -> float | None:
    ends = [end - now for end in (deadline, bookmark) if end is not None]
    return max(0.0, min(ends)) if ends else None


def _beginning(watch: Watch) -> list[Step]:
    steps = [Step("ADDED", entry, entry.revision) for entry in watch.initial or ()]
    if watch.options.initial_events:
        steps.append(Step("BOOKMARK", None, watch.revision, initial_end=True))
    return steps


def _seen(watch: Watch, change: cache.Change) -> Step | None:
    """Return the change as this watch sees it: leaving the selection is an end, entering it a beginning."""
    last = change.last
    if change.revision <= watch.revision or (watch.namespace and last.key[0] != watch.namespace):
        return None
    name, match = watch.chosen.name, watch.chosen.match
    if name and last.key[1] != name:
        return None
    before = change.old is not None and (match is None or match(change.old.object))
    after = change.new is not None and (match is None or match(change.new.object))
    if after:
        return Step("MODIFIED" if before else "ADDED", last, change.revision)
    if not before or change.old is None:
        return None
    gone = last if change.new is None else cache.Entry(last.key, change.revision, change.old.object)
    return Step("DELETED", gone, change.revision)
