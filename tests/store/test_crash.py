"""What was acknowledged is there after ``kill -9``, round after round on the same file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from minikctl.store.log import RevisionLog
from minikctl.store.store import Store

ROUNDS = 10

CHILD = """
import asyncio, os, sys
from pathlib import Path
from minikctl.store.store import Store

async def write(store, mark, worker):
    number = 0
    while True:
        key = f"{mark}/{worker}/{number}"
        row = await store.create(key, key.encode())
        os.write(1, f"create {key} {row.revision}\\n".encode())
        if number % 3 == 1:
            row = await store.update(key, b"changed", row.revision)
            os.write(1, f"update {key} {row.revision}\\n".encode())
        if number % 3 == 2:
            row = await store.delete(key, row.revision)
            os.write(1, f"delete {key} {row.revision}\\n".encode())
        number += 1

async def main():
    store = await Store.open(Path(sys.argv[1]))
    await asyncio.gather(*(write(store, sys.argv[2], worker) for worker in range(8)))

asyncio.run(main())
"""


def run_and_kill(path: Path, mark: str, seconds: float) -> list[tuple[str, str, int]]:
    """Let a child write for a while and kill it; return what it said was done."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), mark], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        first = child.stdout.readline()
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
        said = child.stdout.read()  # not communicate(): that leaves out what readline() read ahead
    lines = [
        line.split() for line in (first + said).decode().splitlines(keepends=True) if line.endswith("\n")
    ]
    return [(verb, key, int(revision)) for verb, key, revision in lines]


async def test_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged: dict[int, tuple[str, str]] = {}
    chance = random.Random(1)
    for number in range(ROUNDS):
        for verb, key, revision in run_and_kill(path, str(number), chance.uniform(0.005, 0.1)):
            assert revision not in acknowledged, "a revision was given twice"
            acknowledged[revision] = (verb, key)
        store = await Store.open(path)
        newest = store.revision
        await store.close()
        log = RevisionLog(path, writable=False)
        rows = [row for row, _ in log.after(0, "", newest)]
        log.close()
        assert [row.revision for row in rows] == list(range(1, newest + 1)), "the log has a hole"
        for revision, (verb, key) in acknowledged.items():
            row = rows[revision - 1]
            assert (row.key, row.deleted) == (key, verb == "delete")
            assert row.value == (b"changed" if verb == "update" else key.encode())
    assert len(acknowledged) > ROUNDS * 8
