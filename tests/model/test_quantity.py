from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minikctl.model import quantity

NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=3).map(str)
SUFFIXES = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-2", "u"])


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"),
        (0.5, "500m"),
        (1, "1"),
        ("1000", "1k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("0.5Ki", "512"),
        ("0.3Ki", "307200m"),
        ("2000.3Ki", "2048308"),
        ("1e3", "1e3"),
        ("1e0", "1"),
        ("12E", "9223372036854775807"),
        ("0", "0"),
        ("-1500m", "-1500m"),
        ("-2.5Ki", "-2560"),
        ("+5.", "5"),
        (".5", "500m"),
        ("0.1n", "1n"),
        ("8388608Ti", "9223372036854775807"),
        ("1048576Ti", "1Ei"),
    ],
)
def test_canonical(text: str | float, canonical: str) -> None:
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "quantities must match the regular expression"),
        ("1 G", "quantities must match the regular expression"),
        ("1GG", "unable to parse quantity's suffix"),
        ("1e99999", "unable to parse quantity's suffix"),
        ("1.2.3", "unable to parse numeric part of quantity"),
        (".", "unable to parse numeric part of quantity"),
    ],
)
def test_refusal(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        quantity.parse(text)


def test_units() -> None:
    assert quantity.millis("0.1") == 100
    assert quantity.millis("1u") == 1
    assert quantity.whole("1.5Gi") == 3 * 2**29
    assert quantity.parse("250m") == Fraction(1, 4)
    assert [quantity.compare("1", other) for other in ("2", "1000m", "0.5")] == [-1, 0, 1]


@settings(deadline=None, max_examples=60)
@given(NUMBERS, SUFFIXES)
@example("1160931.180", "Mi")
def test_the_canonical_text_is_a_fixed_point(number: str, suffix: str) -> None:
    """One that was binary and comes without a suffix is read as decimal from there on, as by Kubernetes."""
    text = quantity.canonical(number + suffix)
    again = quantity.canonical(text)
    assert again == text or (suffix.endswith("i") and text.lstrip("-").isdigit())
    assert quantity.parse(again) == quantity.parse(text)
    assert quantity.canonical(again) == again
    difference = abs(quantity.parse(text) - quantity.parse(number + suffix))
    assert difference < (1 if suffix.endswith("i") else quantity.NANO)


@pytest.mark.parametrize(
    ("texts", "total"),
    [([], "0"), (["0", "1Gi", "512Mi"], "1536Mi"), (["500m", 1], "1500m"), (["1", "1Ki"], "1025")],
)
def test_a_sum_is_written_as_its_first_part(texts: list[str | int], total: str) -> None:
    assert quantity.total(texts) == total


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [
        ("2", "500m", "1500m"),
        ("1Gi", "512Mi", "512Mi"),
        ("0", "1Gi", "-1Gi"),
        ("1", 1, "0"),
        ("1Ki", "1", "1023"),
    ],
)
def test_a_difference_is_written_as_its_first_part(left: str, right: str | int, difference: str) -> None:
    assert quantity.less(left, right) == difference
