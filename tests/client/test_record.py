"""Records: small values that never change."""

from __future__ import annotations

import pytest

from minikctl.client.record import Record


class Place(Record):
    """A value for the tests."""

    street: str
    number: int = 1


def test_fields_are_given_by_order_or_by_name_and_have_defaults() -> None:
    assert Place("a").number == 1
    assert Place("a", 2) == Place(street="a", number=2)
    assert Place("a") != Place("b")
    assert len({Place("a"), Place("a")}) == 1
    assert repr(Place("a")) == "Place(street='a', number=1)"


def test_a_changed_copy_leaves_the_value_as_it_was() -> None:
    place = Place("a")
    assert place.replaced(number=3).values() == ("a", 3)
    assert place.number == 1
    with pytest.raises(AttributeError, match="never changes"):
        place.number = 2  # type: ignore[misc]


def test_missing_and_unknown_fields_are_refused() -> None:
    with pytest.raises(TypeError, match="needs street"):
        Place()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has street, number"):
        Place("a", town="b")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has street, number"):
        Place("a", 1, 2)  # type: ignore[call-arg]
