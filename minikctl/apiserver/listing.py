"""Lists: selectors, pages, and lists as of an earlier revision."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from minikctl import errors
from minikctl.apiserver import cache, strategy
from minikctl.apiserver.options import ListOptions
from minikctl.model import causes, objects, selectors
from minikctl.model.kind import Cause, Kind
from minikctl.model.objects import Key, Object

CONTINUABLE = timedelta(minutes=5)
"""How long a list that has changed since can be continued as it was: upstream's log is compacted so often."""
Match = Callable[[Object], bool]


@dataclass(frozen=True)
class Page:
    """A consistent part of a list at ``revision``; ``remaining`` None: not known, because of a selector."""

    entries: list[cache.Entry]
    revision: int
    continuation: str = ""
    remaining: int | None = None


class _Start(NamedTuple):
    """Where a page begins: at which revision, since when it is listed, behind which key."""

    revision: int
    began: datetime
    after: Key | None = None


@dataclass(frozen=True)
class Selection:
    """Which objects a list or watch is about; ``match`` None means all.

    ``reads``: objects must be ready in the versions of that kind before ``match`` can judge them.
    """

    name: str = ""
    match: Match | None = None
    reads: Kind | None = None

    async def ready(self, found: Sequence[Object]) -> None:
        """Return once ``match`` can judge these."""
        if self.reads is not None and self.reads.versions is not None:
            await self.reads.versions.prepare(self.reads, found)


def selection(kind: Kind, labels: str, fields: str) -> Selection:
    """Return what the texts of two selectors choose; 400 if one cannot be read."""
    if not labels and not fields:
        return Selection()
    try:
        by_label = selectors.parse(labels)
        by_field = selectors.parse_fields(kind, fields)
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from None
    name = by_field.name()

    def fields_match(obj: Object) -> bool:
        # A view's field names are those of the view.
        if kind.versions is not None:
            obj = kind.versions.read(kind, obj)
        return by_field.matches(kind.from_storage(obj) if kind.storage else obj)

    reads = kind if fields and kind.versions is not None else None
    if not labels:
        return Selection(name, fields_match, reads)
    if not fields:
        return Selection(name, lambda obj: by_label.matches(objects.labels(obj)))
    return Selection(name, lambda obj: by_label.matches(objects.labels(obj)) and fields_match(obj), reads)


def page(
    collection: cache.Collection,
    present: int,
    namespace: str,
    chosen: Selection,
    options: ListOptions,
    now: datetime,
) -> Page:
    """Return the objects that the options ask for; ``present`` is the revision of the collection ``now``."""
    start = _starting_point(options, present, now)
    revision, after = start.revision, start.after
    if after and revision != present and now - start.began > CONTINUABLE:
        raise _expired(after, now)
    if revision == present:
        found = _present(collection, namespace, chosen)
    else:
        try:
            found = collection.as_of(revision, namespace)
        except errors.StatusError as error:
            raise (_expired(after, now) if after else error) from None
    if chosen.match is not None:
        match = chosen.match
        found = [entry for entry in found if match(entry.object)]
    if after:
        found = [entry for entry in found if entry.key > after]
    if not options.limit or len(found) <= options.limit:
        return Page(found, revision)
    cut = found[: options.limit]
    rest = len(found) - options.limit if chosen.match is None else None
    return Page(cut, revision, _token(_Start(revision, start.began, cut[-1].key)), rest)


def _present(collection: cache.Collection, namespace: str, chosen: Selection) -> list[cache.Entry]:
    if chosen.name and namespace:
        found = collection.get((namespace, chosen.name))
        return [found] if found else []
    return collection.entries(namespace)


def _starting_point(options: ListOptions, present: int, now: datetime) -> _Start:
    if options.version_match:
        _check_match(options)
    if options.continuation:
        if options.resource_version not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        found = _read_token(options.continuation)
        return found if found.revision else _Start(present, now, found.after)
    asked = not_older(options.resource_version, present)
    # A page of a certain revision is one of exactly that, unless the client says otherwise.
    exact = options.version_match == "Exact" or (options.limit and not options.version_match)
    return _Start(asked if exact and asked else present, now)


def _check_match(options: ListOptions) -> None:
    match, found = options.version_match, list[Cause]()
    if not options.resource_version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(causes.forbidden("resourceVersionMatch", text))
    if options.continuation:
        text = "resourceVersionMatch is forbidden when continue is provided"
        found.append(causes.forbidden("resourceVersionMatch", text))
    if match not in ("Exact", "NotOlderThan"):
        found.append(
            causes.unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan", ""), in_order=True)
        )
    if match == "Exact" and options.resource_version == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(causes.forbidden("resourceVersionMatch", text))
    refuse(found)


def refuse(found: list[Cause]) -> None:
    """Raise 422 when there are causes against the options of a list or a watch."""
    if found:
        raise errors.invalid("ListOptions", "meta.k8s.io", "", found)


def revision_of(text: str) -> int:
    """Return the number in a resourceVersion, 0 for "" (whatever is newest); 422 if it is none."""
    fault = strategy.version_fault(text)
    if fault:
        # A storage error of Kubernetes', which is told as it is: without the kind, without details.
        raise errors.StatusError(422, "Invalid", f'resourceVersion: Invalid value: "{text}": {fault}')
    return int(text or 0)


def not_older(text: str, present: int) -> int:
    """Return the number in a resourceVersion that the present is not older than; 504 if it is."""
    asked = revision_of(text)
    if asked > present:
        raise too_new(asked, present)
    return asked


def too_new(asked: int, present: int) -> errors.StatusError:
    """504: the client has seen a revision that does not exist here (yet)."""
    refusal = errors.StatusError(504, "Timeout", f"Too large resource version: {asked}, current: {present}")
    refusal.details["causes"] = [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]
    refusal.details["retryAfterSeconds"] = 1
    return refusal


def _expired(after: Key, now: datetime) -> errors.StatusError:
    """410 whose metadata has a token with which the rest can be had as it is now."""
    refusal = errors.expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new "
        "list without the continue parameter, or use the continue token in this response to retrieve the "
        "remainder of the results. Continuing with the provided token results in an inconsistent list - "
        "objects that were created, modified, or deleted between the time the first chunk was returned and "
        "now may show up in the list."
    )
    refusal.metadata["continue"] = _token(_Start(0, now, after))
    return refusal


def _token(start: _Start) -> str:
    content = {"rv": start.revision, "at": int(start.began.timestamp()), "after": start.after}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _read_token(token: str) -> _Start:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = found["after"]
        began = datetime.fromtimestamp(int(found["at"]), UTC)
        return _Start(int(found["rv"]), began, (str(namespace), str(name)))
    except (binascii.Error, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        text = str(error) if isinstance(error, binascii.Error) else "it is not one of this server's"
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {text}") from None
