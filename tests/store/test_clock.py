"""The log's clock: which revision was the newest when."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl.store import log


def test_moments_and_revisions_are_told_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("minikctl.store.log.time.time", lambda: now)
    opened = log.RevisionLog(tmp_path / "store.db", writable=True)
    row = None
    for second in range(5):
        now = 1000.0 + 10 * second
        for _ in range(2):
            row = opened.append("k", b"v", row, deleted=False)
    assert [opened.revision_at(moment) for moment in (999, 1000, 1009, 1010, 1045, 9999)] == [
        0,
        2,
        2,
        4,
        10,
        10,
    ]
    assert [opened.moment_of(revision) for revision in (0, 1, 2, 3, 10)] == [
        0.0,
        1000.0,
        1000.0,
        1010.0,
        1040.0,
    ]
    assert [(kept.revision, at) for kept, at in opened.history("k")][:3] == [
        (1, 1000.0),
        (2, 1000.0),
        (3, 1010.0),
    ]
    opened.compact(6)
    assert opened.moment_of(6) == 1020.0
    assert opened.moment_of(2) == 0.0
    opened.close()


def test_a_clock_that_is_put_back_goes_on_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5000.0
    monkeypatch.setattr("minikctl.store.log.time.time", lambda: now)
    opened = log.RevisionLog(tmp_path / "store.db", writable=True)
    row = None
    for moment in (5000.0, 5010.0, 1000.0, 1010.0):
        now = moment
        row = opened.append("k", b"v", row, deleted=False)
    assert [opened.moment_of(revision) for revision in (1, 2, 3, 4)] == [5000.0, 5010.0, 1000.0, 1010.0]
    assert [opened.revision_at(moment) for moment in (1005, 1010, 1500)] == [3, 4, 4]
    opened.close()
