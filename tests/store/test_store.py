from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.store import log
from minikctl.store.store import (
    Compacted,
    Event,
    FutureRevision,
    KeyExists,
    Mismatch,
    Store,
    WatcherTooSlow,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found.append(await anext(events))
    return found


async def test_create_update_delete(store: Store) -> None:
    made = await store.create("a", b"1")
    assert (made.revision, made.created, made.previous) == (1, 1, 0)
    changed = await store.update("a", b"2", made.revision)
    assert (changed.revision, changed.created, changed.previous) == (2, 1, 1)
    assert await store.get("a") == changed
    gone = await store.delete("a", changed.revision)
    assert (gone.revision, gone.deleted, gone.value) == (3, True, b"2")
    assert await store.get("a") is None
    again = await store.create("a", b"3")
    assert (again.created, again.previous) == (4, 0)
    assert store.revision == 4


async def test_conditions_that_fail_write_nothing(store: Store) -> None:
    made = await store.create("a", b"1")
    with pytest.raises(KeyExists):
        await store.create("a", b"2")
    with pytest.raises(Mismatch) as stale:
        await store.update("a", b"2", 99)
    assert stale.value.current == made
    with pytest.raises(Mismatch):
        await store.update("a", b"2", 0)
    with pytest.raises(Mismatch):
        await store.delete("a", 99)
    with pytest.raises(Mismatch) as missing:
        await store.delete("b")
    assert missing.value.current is None
    assert store.revision == 1
    assert (await store.delete("a")).deleted


async def test_a_failing_write_leaves_its_neighbours_alone(store: Store) -> None:
    await store.create("taken", b"")
    wishes = [store.create("taken" if n % 3 == 0 else f"k{n}", b"x") for n in range(90)]
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    failed = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, KeyExists)]
    assert failed == list(range(0, 90, 3))
    assert len((await store.list("k")).rows) == 60


async def test_a_write_that_breaks_the_transaction_leaves_its_neighbours_alone(store: Store) -> None:
    bad: bytes = object()  # type: ignore[assignment]
    outcomes = await asyncio.gather(
        *(store.create(f"k{n}", bad if n == 5 else b"x") for n in range(10)), return_exceptions=True
    )
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Exception)] == [5]
    assert isinstance(outcomes[5], errors.StoreError)
    assert len((await store.list("")).rows) == 9


async def test_list_pages_and_past_revisions(store: Store) -> None:
    for name in ("p/a", "p/b", "p/c", "q/a"):
        await store.create(name, name.encode())
    await store.delete("p/b")
    now = await store.list("p/")
    assert ([row.key for row in now.rows], now.revision, now.more) == (["p/a", "p/c"], 5, False)
    first = await store.list("p/", revision=4, limit=2)
    assert ([row.key for row in first.rows], first.more) == (["p/a", "p/b"], True)
    rest = await store.list("p/", revision=4, limit=2, start_after="p/b")
    assert ([row.key for row in rest.rows], rest.more) == (["p/c"], False)
    assert (await store.list("nothing/")).rows == ()
    with pytest.raises(FutureRevision):
        await store.list("p/", revision=6)


async def test_get_in_the_past(store: Store) -> None:
    await store.create("a", b"1")
    await store.update("a", b"2", 1)
    await store.delete("a")
    assert [row and row.value for row in [await store.get("a", at) for at in (1, 2, 3)]] == [b"1", b"2", None]


async def test_watch_tells_history_then_news_without_gap(store: Store) -> None:
    await store.create("p/a", b"1")
    await store.create("q/a", b"1")
    events = store.watch("p/", 0)
    assert [event.row.revision for event in await take(events, 1)] == [1]
    await store.update("p/a", b"2", 1)
    await store.delete("p/a")
    put, delete = await take(events, 2)
    assert (put.type, put.row.value, put.previous and put.previous.value) == ("put", b"2", b"1")
    assert (delete.type, delete.row.revision) == ("delete", 4)


async def test_watchers_under_load_see_each_write_once(store: Store) -> None:
    async def write(worker: int) -> None:
        for number in range(40):
            await store.create(f"{worker}/{number}", b"")

    async def watch(start: int) -> list[int]:
        found = []
        async for event in store.watch("", start):
            found.append(event.row.revision)
            if event.row.revision == 200:
                return found
        return found

    writers = [asyncio.create_task(write(worker)) for worker in range(5)]
    watchers = []
    while not all(task.done() for task in writers):
        start = store.revision
        watchers.append((start, asyncio.create_task(watch(start))))
        await asyncio.sleep(0.002)
    async with asyncio.timeout(20):
        for start, task in watchers:
            if start < 200:
                assert await task == list(range(start + 1, 201))
            task.cancel()


async def test_compaction_keeps_what_lives_and_refuses_what_is_gone(store: Store) -> None:
    await store.create("a", b"1")
    await store.create("b", b"1")
    await store.update("b", b"2", 2)
    await store.delete("b")
    await store.create("c", b"1")
    assert await store.compact(4) == 3
    assert store.compacted == 4
    assert [row.key for row in (await store.list("")).rows] == ["a", "c"]
    for wish in (store.get("a", 3), store.list("", revision=3), anext(aiter(store.watch("", 3)))):
        with pytest.raises(Compacted):
            await wish
    assert [row.key for row in (await store.list("", revision=4)).rows] == ["a"]
    assert (await take(store.watch("", 4), 1))[0].row.key == "c"
    assert await store.compact(2) == 0
    await store.compact(10_000)
    assert store.compacted == 5


async def test_what_is_there_is_read_though_a_compaction_to_the_newest_overtakes_the_reading(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await store.create("a", b"1")
    read = store._reading
    overtaken = 0

    async def slow(work: Callable[[], Any]) -> Any:
        nonlocal overtaken
        if overtaken < 2:
            overtaken += 1
            changed = await store.update("a", b"2", store.revision)
            await store.compact(changed.revision)
        return await read(work)

    monkeypatch.setattr(store, "_reading", slow)
    found = await store.get("a")
    assert found is not None
    assert (found.revision, found.value, overtaken) == (made.revision + 2, b"2", 2)
    overtaken = 0
    listed = await store.list("")
    assert ([row.key for row in listed.rows], listed.revision) == (["a"], store.revision)
    overtaken = 1
    with pytest.raises(Compacted):
        await store.get("a", store.revision)


async def test_revisions_go_on_after_everything_was_dropped(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    await store.create("a", b"1")
    await store.delete("a")
    await store.compact(2)
    await store.close()
    store = await Store.open(tmp_path / "store.db")
    assert (store.revision, store.compacted) == (2, 2)
    assert (await store.create("a", b"2")).revision == 3
    await store.close()


async def test_a_slow_watcher_is_dropped_and_nobody_waits_for_it(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db", watch_buffer=10)
    slow, quick = store.watch("", 0), store.watch("", 0)
    await store.create("first", b"")
    await take(slow, 1)
    await take(quick, 1)
    for number in range(11):
        await store.create(f"{number:02}", b"")
        await take(quick, 1)
    with pytest.raises(WatcherTooSlow):
        await anext(slow)
    await store.close()


async def test_a_cancelled_caller_does_not_undo_its_write(store: Store) -> None:
    task = asyncio.create_task(store.create("a", b"1"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.create("b", b"")
    found = await store.get("a")
    assert found is not None
    assert found.value == b"1"


async def test_closing_ends_watches_and_refuses_work(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    events = store.watch("", 0)
    pending = asyncio.create_task(store.create("a", b"1"))
    await take(events, 1)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await store.close()
    assert (await pending).revision == 1
    late = asyncio.ensure_future(anext(store.watch("", store.revision)))
    for wish in (waiting, late, store.create("b", b""), store.list("")):
        with pytest.raises(errors.StoreError, match="closed"):
            await wish


async def test_a_damaged_file_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(errors.StoreError, match=r"store\.db: .*not a database: the file is damaged"):
        await Store.open(path)


async def test_damage_within_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await Store.open(path)
    await asyncio.gather(*(store.create(f"{n:04}", b"x" * 200) for n in range(500)))
    await store.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(60_000))
    with pytest.raises(errors.StoreError, match="the file is damaged"):
        await Store.open(path)


async def test_a_journal_that_somebody_took_away_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.db"
    store = await Store.open(path)
    await store.create("a", b"x")
    await store.close()
    (await store_closed(path)).unlink(missing_ok=True)
    assert "is gone" not in caplog.text, "closed well, there is neither"
    path.with_name("store.db-shm").write_bytes(b"")
    await store_closed(path)
    assert "store.db-wal is gone: what was written last" in caplog.text


async def store_closed(path: Path) -> Path:
    """Open and close the store; return its journal."""
    await (await Store.open(path)).close()
    return path.with_name("store.db-wal")


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(errors.StoreError, match="unable to open"):
        await Store.open(tmp_path / "absent" / "store.db")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "minikctl-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


async def test_a_full_disk_fails_that_write_only(small_disk: Path) -> None:
    store = await Store.open(small_disk / "store.db")
    kept = await store.create("kept", b"1")
    ballast = small_disk / "ballast"
    fill(ballast)
    with pytest.raises(errors.StoreError, match="full: free some space"):
        await store.create("big", b"x" * 100_000)
    assert await store.get("kept") == kept
    assert await store.get("big") is None
    ballast.unlink()
    assert (await store.create("big", b"x" * 100_000)).revision == kept.revision + 1
    await store.close()
    store = await Store.open(small_disk / "store.db")
    assert [row.key for row in (await store.list("")).rows] == ["big", "kept"]
    await store.close()


def test_the_log_is_durable_and_readable_beside_the_writer(tmp_path: Path) -> None:
    writer = log.RevisionLog(tmp_path / "store.db", writable=True)
    reader = log.RevisionLog(tmp_path / "store.db", writable=False)
    with writer.transaction():
        writer.append("a", b"1", None, deleted=False)
        assert reader.current() == 0
    assert reader.current() == 1
    assert writer.durability() == ("wal", 2)
    reader.close()
    writer.close()
