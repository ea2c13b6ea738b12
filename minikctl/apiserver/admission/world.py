"""What admission plugins see of the cluster: the objects as they are now, shared with the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from minikctl.apiserver import feed
from minikctl.apiserver.admission import metrics
from minikctl.model import kinds, names
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Object
from minikctl.runtime import clock as clocks
from minikctl.runtime import served


class World:
    """Reads of the present state, without waiting."""

    def __init__(
        self,
        source: feed.Feed,
        clock: clocks.Clock,
        choose: Callable[[int, int], int],
        kinds_served: served.Served | None = None,
    ) -> None:
        self._feed = source
        self._clock = clock
        self._choose = choose
        self._served = kinds_served or served.Served()
        self.measured = metrics.Measured()

    def table(self) -> KindTable:
        """Return the kinds that are served now."""
        return self._served.table

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object in its stored version, None if there is none."""
        found = self._feed.collection(kinds.stored(kind)).get((namespace, name))
        return None if found is None else found.object

    def items(self, kind: Kind, namespace: str = "") -> Iterator[Object]:
        """Yield the objects of a namespace, or all."""
        for entry in self._feed.collection(kinds.stored(kind)).entries(namespace):
            yield entry.object

    def now(self) -> datetime:
        """Return the present moment."""
        return self._clock.now()

    def generated(self, prefix: str) -> str:
        """Return the prefix with five random letters, as generated names have them."""
        return names.generated(prefix, [self._choose(0, 27) for _ in range(5)])
