"""A log, and what is heard of the same process from some moment before the log was read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from minikctl.cli import exec_, seam
from minikctl.client import channels

LINES = [b"line %d\n" % number for number in range(300)]


@pytest.mark.parametrize(
    ("joined", "read"), [*itertools.combinations_with_replacement((0, 1, 40, 299, 300), 2)]
)
def test_nothing_is_lost_and_nothing_comes_twice(joined: int, read: int) -> None:
    logged, heard = b"".join(LINES[:read]), b"".join(LINES[joined:])
    assert logged + heard[seam.overlap(logged, heard) :] == b"".join(LINES)


def test_what_was_heard_from_the_midst_of_a_line_on_is_found_too() -> None:
    text = b"".join(LINES)
    assert seam.overlap(text[:1000], text[603:]) == 397


def test_the_end_of_a_line_is_not_another_line() -> None:
    assert seam.overlap(b"line 1\n", b"1\n") == 0
    assert seam.overlap(b"line 1\n", b"\n") == 0


def test_last_words_need_no_end_of_line() -> None:
    assert seam.overlap(b"one\nbye", b"bye") == seam.overlap(b"bye", b"bye") == 3


def test_what_is_alike_throughout_does_not_take_long() -> None:
    assert seam.overlap(b"y\n" * 100_000, b"y\n" * 90_000) == 180_000


def test_what_has_nothing_in_common_stays() -> None:
    assert seam.overlap(b"one\n", b"two\n") == seam.overlap(b"", b"x") == seam.overlap(b"x", b"") == 0


class Joined:
    """A command of which some is heard while its log is read, and the rest later."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def soon(self, seconds: float) -> list[tuple[int, bytes]]:
        assert seconds <= 0.1
        self.told.append("soon")
        return [(channels.STDOUT, b"two\nth"), (channels.STDERR, b"ree\nfo"), (channels.OUTCOME, b"{}")]

    def read(self) -> list[tuple[int, bytes]]:
        return [(channels.STDOUT, b"ur\n")]


def test_of_what_was_shown_before_nothing_is_shown_again() -> None:
    remote: Any = Joined()

    def earlier() -> bytes:
        remote.told.append("log")
        return b"one\ntwo\nthree\n"

    shown = [*exec_._pieces(remote, exec_.Ends(stdin=False, earlier=earlier))]
    assert remote.told == ["log", "soon"]
    assert shown == [(channels.STDERR, b"fo"), (channels.OUTCOME, b"{}"), (channels.STDOUT, b"ur\n")]


def test_nobody_waits_who_asks_for_nothing_earlier() -> None:
    remote: Any = Joined()
    assert [*exec_._pieces(remote, exec_.Ends(stdin=False))] == [(channels.STDOUT, b"ur\n")]
    assert remote.told == []
