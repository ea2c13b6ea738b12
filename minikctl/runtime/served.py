"""Which kinds the API serves at this moment, and who wants to know when that changes."""

from __future__ import annotations

from collections.abc import Callable

from minikctl.model import kinds
from minikctl.model.kindtable import KindTable

Listener = Callable[[KindTable], None]


class Served:
    """Holds the present table; every request reads it once and goes on with that snapshot."""

    def __init__(self, table: KindTable = kinds.BUILT_IN) -> None:
        self._table = table
        self._listeners: list[Listener] = []

    @property
    def table(self) -> KindTable:
        """The kinds of this moment."""
        return self._table

    def swap(self, table: KindTable) -> None:
        """Serve these kinds from now on."""
        self._table = table
        for listener in self._listeners:
            listener(table)

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with the table now and whenever it is replaced."""
        self._listeners.append(listener)
        listener(self._table)
