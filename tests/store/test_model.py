"""The store against a plain model of it: a list of writes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from minikctl.store.store import Compacted, Event, KeyExists, Mismatch, Row, Store

T = TypeVar("T")

KEYS = st.sampled_from(["a/1", "a/2", "a/3", "ab/1", "b/1"])
PREFIXES = st.sampled_from(["", "a", "a/", "b/", "c/"])
VALUES = st.binary(max_size=4)
AGO = st.integers(min_value=0, max_value=12)


class Model:
    """What the store should hold: every write ever made, and how much of it may be forgotten."""

    def __init__(self) -> None:
        self.writes: list[Row] = []
        self.compacted = 0

    @property
    def newest(self) -> int:
        return len(self.writes)

    def alive(self, revision: int) -> dict[str, Row]:
        state: dict[str, Row] = {}
        for row in self.writes[:revision]:
            if row.deleted:
                state.pop(row.key, None)
            else:
                state[row.key] = row
        return dict(sorted(state.items()))

    def append(self, key: str, value: bytes, *, deleted: bool = False) -> Row:
        before = self.alive(self.newest).get(key)
        revision = self.newest + 1
        created = before.created if before else revision
        row = Row(revision, key, created, before.revision if before else 0, deleted, value)
        self.writes.append(row)
        return row


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="minikctl-test-"))
        self.runner = asyncio.Runner()
        self.model = Model()
        self.watches: list[tuple[str, AsyncIterator[Event], int]] = []
        self.waiting: dict[AsyncIterator[Event], int] = {}
        """The watches that nobody has asked for an event yet: they begin then, at this revision."""
        self.store = self.run(Store.open(self.directory / "store.db"))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.close()
        self.runner.close()
        shutil.rmtree(self.directory)

    def close(self) -> None:
        async def end() -> None:
            for _, events, _ in self.watches:
                await events.aclose()  # type: ignore[attr-defined]
            await self.store.close()

        self.run(end())
        self.watches.clear()
        self.waiting.clear()

    @rule(key=KEYS, value=VALUES)
    def create(self, key: str, value: bytes) -> None:
        if key in self.model.alive(self.model.newest):
            with pytest.raises(KeyExists):
                self.run(self.store.create(key, value))
        else:
            assert self.run(self.store.create(key, value)) == self.model.append(key, value)

    @rule(key=KEYS, value=VALUES, stale=st.integers(0, 1))
    def update(self, key: str, value: bytes, stale: int) -> None:
        current = self.model.alive(self.model.newest).get(key)
        wish = self.store.update(key, value, current.revision - stale if current else 1)
        if current is None or stale:
            with pytest.raises(Mismatch) as refused:
                self.run(wish)
            assert refused.value.current == current
        else:
            assert self.run(wish) == self.model.append(key, value)

    @rule(key=KEYS, conditional=st.booleans())
    def delete(self, key: str, conditional: bool) -> None:
        current = self.model.alive(self.model.newest).get(key)
        if current is None:
            with pytest.raises(Mismatch):
                self.run(self.store.delete(key))
            return
        wish = self.store.delete(key, current.revision if conditional else None)
        assert self.run(wish) == self.model.append(key, current.value, deleted=True)

    @rule(prefix=PREFIXES, ago=AGO, limit=st.integers(0, 3))
    def list(self, prefix: str, ago: int, limit: int) -> None:
        revision = max(0, self.model.newest - ago)
        if 0 < revision < self.model.compacted:
            with pytest.raises(Compacted):
                self.run(self.store.list(prefix, revision=revision))
            return
        at = revision or self.model.newest
        wanted = [row for key, row in self.model.alive(at).items() if key.startswith(prefix)]
        found: list[Row] = []
        while True:
            after = found[-1].key if found else ""
            page = self.run(self.store.list(prefix, revision=revision, limit=limit, start_after=after))
            assert page.revision == at
            found += page.rows
            if not page.more:
                break
            assert len(page.rows) == limit
        assert found == wanted

    @rule(key=KEYS, ago=AGO)
    def get(self, key: str, ago: int) -> None:
        revision = max(0, self.model.newest - ago)
        if 0 < revision < self.model.compacted:
            with pytest.raises(Compacted):
                self.run(self.store.get(key, revision))
        else:
            wanted = self.model.alive(revision or self.model.newest).get(key)
            assert self.run(self.store.get(key, revision)) == wanted

    @rule(prefix=PREFIXES, ago=AGO)
    def watch(self, prefix: str, ago: int) -> None:
        revision = max(0, self.model.newest - ago)
        if revision < self.model.compacted:
            with pytest.raises(Compacted):
                self.run(first(self.store.watch(prefix, revision)))
        elif len(self.watches) < 3:
            self.watches.append((prefix, self.store.watch(prefix, revision), revision))
            self.waiting[self.watches[-1][1]] = revision
            self.follow()

    @rule()
    def follow(self) -> None:
        """Every watch has exactly the writes that it should."""
        for position, (prefix, events, seen) in enumerate(self.watches):
            wanted = [row for row in self.model.writes[seen:] if row.key.startswith(prefix)]
            found = [self.run(first(events)) for _ in wanted]
            if found:
                self.waiting.pop(events, None)
            assert [event.row for event in found] == wanted
            for event in found:
                assert event.type == ("delete" if event.row.deleted else "put")
                before = self.model.writes[event.row.previous - 1] if event.row.previous else None
                assert event.previous == before
            self.watches[position] = (prefix, events, self.model.newest)

    @rule(ago=AGO)
    def compact(self, ago: int) -> None:
        revision = max(0, self.model.newest - ago)
        self.follow()  # a watch that has not read its history may lose it
        self.run(self.store.compact(revision))
        self.model.compacted = max(self.model.compacted, revision)
        for position in reversed(range(len(self.watches))):
            events = self.watches[position][1]
            if self.waiting.get(events, self.model.compacted) < self.model.compacted:
                with pytest.raises(Compacted):
                    self.run(first(events))
                del self.watches[position], self.waiting[events]

    @rule()
    def reopen(self) -> None:
        self.close()
        self.store = self.run(Store.open(self.directory / "store.db"))

    @invariant()
    def revisions_agree(self) -> None:
        assert self.store.revision == self.model.newest
        assert self.store.compacted == self.model.compacted


async def first(events: AsyncIterator[Event]) -> Event:
    async with asyncio.timeout(20):
        return await anext(events)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = hypothesis.settings(max_examples=25, stateful_step_count=25, deadline=None)
