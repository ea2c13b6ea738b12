"""Durations as Go reads them: values, and what is said of a text that is none."""

from __future__ import annotations

import re

import pytest

from minikctl.model import godurations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("-0", 0.0),
        ("+5s", 5.0),
        ("-1.5h", -5400.0),
        ("1h2m3s4ms", 3723.004),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("3μs", 3e-6),
        ("7ns", 7e-9),
        ("1s1s", 2.0),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, seconds: float) -> None:
    assert godurations.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'invalid duration ""'),
        ("-", 'invalid duration "-"'),
        ("s", 'invalid duration "s"'),
        (".s", 'invalid duration ".s"'),
        ("--5s", 'invalid duration "--5s"'),
        (" 5s", 'invalid duration " 5s"'),
        ("5", 'missing unit in duration "5"'),
        ("1.2.3s", 'missing unit in duration "1.2.3s"'),
        ("5d", 'unknown unit "d" in duration "5d"'),
        ("5s ", 'unknown unit "s " in duration "5s "'),
        ("٣s", 'invalid duration "٣s"'),
    ],
)
def test_what_is_wrong_is_told_in_go_s_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^time: {re.escape(words)}$"):
        godurations.seconds(text)
