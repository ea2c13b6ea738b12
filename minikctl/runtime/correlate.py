"""Turning a stream of occurrences into few Event objects: counted, combined and limited.

The rules are those of Kubernetes clients: equal occurrences raise the count of one Event; many that differ
only in their message are combined into one; and one source may say only so much about one object.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from minikctl.model import objects
from minikctl.model.actions.api import RecordEvent

T = TypeVar("T")

CACHE_SIZE = 4096
COMBINE_FROM = 10
"""So many messages of one reason within the interval are combined."""
COMBINE_SECONDS = 600.0
BURST = 25
SECONDS_PER_TOKEN = 300.0


class Recent(Generic[T]):
    """A mapping that keeps only the keys used last."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[Any, ...], T] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> T | None:
        """Return what was put under the key, if it is still kept."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: tuple[Any, ...], value: T) -> None:
        """Keep the value, at the cost of the one that was not used for longest."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, key: tuple[Any, ...]) -> None:
        """Forget the key."""
        self._entries.pop(key, None)


@dataclass
class Series:
    """What is known of one Event object: its name and how often it was recorded."""

    name: str
    count: int


@dataclass
class _Similar:
    messages: set[str] = field(default_factory=set)
    last: float = 0.0


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True)
class Correlated:
    """An occurrence to write: under ``key``, with ``message``; ``series`` if the Event exists already."""

    key: tuple[Any, ...]
    message: str
    series: Series | None


class Correlator:
    """Decides for each occurrence whether it makes a new Event, raises a count or is dropped."""

    def __init__(self) -> None:
        self._series: Recent[Series] = Recent()
        self._similar: Recent[_Similar] = Recent()
        self._buckets: Recent[_Bucket] = Recent()

    def occurred(self, action: RecordEvent, moment: float) -> Correlated | None:
        """Return what to write, or None if this source has said enough about this object."""
        source = _source(action)
        key, message = self._combine(action, source, moment)
        if not self._allowed(source, moment):
            return None
        return Correlated(key, message, self._series.get(key))

    def written(self, correlated: Correlated, name: str, count: int) -> None:
        """Remember the Event object that stands for the occurrences of this key."""
        self._series.put(correlated.key, Series(name, count))

    def lost(self, correlated: Correlated) -> None:
        """Forget an Event object that no longer exists."""
        self._series.drop(correlated.key)

    def _combine(
        self, action: RecordEvent, source: tuple[Any, ...], moment: float
    ) -> tuple[tuple[Any, ...], str]:
        group = (*source, action.type, action.reason)
        similar = self._similar.get(group)
        if similar is None or moment - similar.last > COMBINE_SECONDS:
            similar = _Similar()
        similar.messages.add(action.message)
        similar.last = moment
        self._similar.put(group, similar)
        if len(similar.messages) < COMBINE_FROM:
            return (*group, action.field_path, action.message), action.message
        similar.messages.pop()
        return group, f"(combined from similar events): {action.message}"

    def _allowed(self, source: tuple[Any, ...], moment: float) -> bool:
        bucket = self._buckets.get(source) or _Bucket(BURST, moment)
        bucket.tokens = min(BURST, bucket.tokens + (moment - bucket.at) / SECONDS_PER_TOKEN)
        bucket.at = moment
        self._buckets.put(source, bucket)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _source(action: RecordEvent) -> tuple[Any, ...]:
    regarding = action.regarding
    return (
        action.component,
        regarding.get("apiVersion", ""),
        regarding.get("kind", ""),
        objects.namespace(regarding),
        objects.name(regarding),
        objects.uid(regarding),
    )
