"""The revision log in SQLite: append, look up, list, and read what came after a revision.

One table, one row for each write; the row id is the revision (as kine does).  The value is opaque bytes.
This module is synchronous and knows nothing of threads, tasks or watchers: ``store.Store`` adds those.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minikctl import errors

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS clock (revision INTEGER PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

TICK_SECONDS = 1.0

COLUMNS = "revision, key, created, previous, deleted, value"


@dataclass(frozen=True, slots=True)
class Row:
    """One write, made at ``revision``.

    ``created`` is the revision that made the key, ``previous`` the one before (0 for none).  A deletion's row
    carries the value that was deleted.
    """

    revision: int
    key: str
    created: int
    previous: int
    deleted: bool
    value: bytes


class RevisionLog:
    """One SQLite connection on the log.  Not for use by several threads at a time."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        if writable:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)
        else:
            self._db.execute("PRAGMA query_only=ON")
        self._db.execute("PRAGMA cache_size=-8000")
        self._ticked = 0.0

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log into the file."""
        self._db.close()

    def durability(self) -> tuple[str, int]:
        """Return SQLite's journal mode and level of syncing: ``("wal", 2)`` syncs at each commit."""
        mode = self._db.execute("PRAGMA journal_mode").fetchone()[0]
        return str(mode), int(self._db.execute("PRAGMA synchronous").fetchone()[0])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one durable transaction, or as nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def current(self) -> int:
        """Return the newest revision (0 for an empty log)."""
        found = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log'").fetchone()
        return int(found[0]) if found else 0

    def compacted(self) -> int:
        """Return the revision up to which history was dropped."""
        found = self._db.execute("SELECT value FROM mark WHERE name = 'compacted'").fetchone()
        return int(found[0]) if found else 0

    def append(self, key: str, value: bytes, before: Row | None, *, deleted: bool) -> Row:
        """Add a row that follows ``before`` (None: the key's first) and return it."""
        created = before.created if before else 0
        previous = before.revision if before else 0
        cursor = self._db.execute(
            "INSERT INTO log (key, created, previous, deleted, value) VALUES (?, ?, ?, ?, ?)",
            (key, created, previous, int(deleted), value),
        )
        revision = int(cursor.lastrowid or 0)
        self._tick(revision)
        return Row(revision, key, created or revision, previous, deleted, value)

    def _tick(self, revision: int) -> None:
        """Note when the first write of each second was, so that moments can be told from revisions."""
        now = time.time()
        if not 0 <= now - self._ticked < TICK_SECONDS:  # the machine's clock may be put back
            self._ticked = now
            self._db.execute("INSERT OR REPLACE INTO clock VALUES (?, ?)", (revision, now))

    def revision_at(self, moment: float) -> int:
        """Return the newest revision at that time (seconds since 1970), to a second; 0 if all came later."""
        # The first tick after the last one that was not later: where the clock was put back, that counts.
        sql = (
            "SELECT MIN(revision) FROM clock WHERE revision >"
            " COALESCE((SELECT MAX(revision) FROM clock WHERE at <= ?), 0)"
        )
        found = self._db.execute(sql, (moment,)).fetchone()[0]
        return self.current() if found is None else int(found) - 1

    def moment_of(self, revision: int) -> float:
        """Return when the revision was written, to a second; 0.0 when that is not known."""
        sql = "SELECT at FROM clock WHERE revision <= ? ORDER BY revision DESC LIMIT 1"
        found = self._db.execute(sql, (revision,)).fetchone()
        return float(found[0]) if found else 0.0

    def history(self, key: str) -> Sequence[tuple[Row, float]]:
        """Return all rows of the key that are kept, in order, each with its time."""
        sql = f"SELECT {COLUMNS} FROM log WHERE key = ? ORDER BY revision"
        rows = [_row(found) for found in self._db.execute(sql, (key,))]
        return [(row, self.moment_of(row.revision)) for row in rows]

    def latest(self, key: str, revision: int = 0) -> Row | None:
        """Return the key's newest row (at that revision, if one is given), None when absent or deleted."""
        sql = f"SELECT {COLUMNS} FROM log WHERE key = ?"
        bound: tuple[object, ...] = (key,)
        if revision:
            sql, bound = sql + " AND revision <= ?", (key, revision)
        found = self._db.execute(sql + " ORDER BY revision DESC LIMIT 1", bound).fetchone()
        row = _row(found) if found else None
        return None if row is None or row.deleted else row

    def list(self, prefix: str, revision: int, limit: int, start_after: str) -> Sequence[Row]:
        """Return the rows alive at that revision below the prefix, by key, at most ``limit`` (0: all)."""
        # Grouping walks the index in the order of keys, so a limit ends the walk early.
        sql = (
            f"SELECT {COLUMNS} FROM (SELECT MAX(revision) AS newest FROM log"
            " WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key)"
            " CROSS JOIN log ON log.revision = newest WHERE deleted = 0"
        )
        low = max(prefix, start_after + "\0") if start_after else prefix
        bound: tuple[object, ...] = (low, _after(prefix), revision)
        if limit:
            sql, bound = sql + " LIMIT ?", (*bound, limit)
        return [_row(found) for found in self._db.execute(sql, bound)]

    def after(self, revision: int, prefix: str, until: int) -> Sequence[tuple[Row, Row | None]]:
        """Return the writes below the prefix in (revision, until], in order, each with the row before it."""
        sql = (
            f"SELECT {COLUMNS} FROM log WHERE revision > ? AND revision <= ? AND key >= ? AND key < ?"
            " ORDER BY revision"
        )
        rows = [_row(f) for f in self._db.execute(sql, (revision, until, prefix, _after(prefix)))]
        return [(row, self.at(row.previous) if row.previous else None) for row in rows]

    def at(self, revision: int) -> Row | None:
        """Return the row of exactly that revision, if it is kept."""
        found = self._db.execute(f"SELECT {COLUMNS} FROM log WHERE revision = ?", (revision,)).fetchone()
        return _row(found) if found else None

    def compact(self, revision: int) -> int:
        """Drop what nobody can see at or after that revision; return how many rows went.

        The row that is a key's present value at that revision stays, however old it is.
        """
        gone = self._db.execute(
            "DELETE FROM log WHERE revision <= ?1 AND (revision NOT IN ("
            "SELECT MAX(revision) FROM log WHERE revision <= ?1 GROUP BY key)"
            " OR deleted = 1)",
            (revision,),
        ).rowcount
        self._db.execute("INSERT OR REPLACE INTO mark VALUES ('compacted', ?)", (revision,))
        # The last tick before it still tells when what stays was written.
        self._db.execute(
            "DELETE FROM clock WHERE revision < (SELECT MAX(revision) FROM clock WHERE revision <= ?)",
            (revision,),
        )
        return gone


def check(path: Path) -> None:
    """Return if the file is whole or absent; ``sqlite3.DatabaseError`` if it is damaged.

    SQLite takes an absent journal for one of which nothing is left to take over.  Its index, which goes away
    with it when the store is closed, tells that there was one: what was written last is lost then.
    """
    if not path.exists():
        return
    journal = path.with_name(f"{path.name}-wal")
    if path.with_name(f"{path.name}-shm").exists() and not journal.exists():
        logger.warning("%s is gone: what was written last before the store ended is lost", journal)
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as db:
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
    if found != ["ok"]:
        raise sqlite3.DatabaseError(f"malformed: {found[0]}")


@contextlib.contextmanager
def translated(path: Path | str) -> Iterator[None]:
    """Turn SQLite's failures into ``StoreError``s that name the file and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        raise errors.StoreError(f"the cluster's store {path}: {_advice(error)}") from error


def _advice(error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return f"{text}: free some space on that disk; what was acknowledged is safe"
    if "malformed" in text or "not a database" in text:
        return f"{text}: the file is damaged; restore a copy, or delete the cluster"
    return text


def _row(found: tuple[int, str, int, int, int, bytes]) -> Row:
    revision, key, created, previous, deleted, value = found
    return Row(revision, key, created or revision, previous, bool(deleted), value)


def _after(prefix: str) -> str:
    """Return the first string that sorts after every string that starts with the prefix."""
    return prefix + "\U0010ffff"
