from __future__ import annotations

import itertools

from minikctl.plan import children


def first(count: int, seed: list[str], taken: frozenset[str] = frozenset()) -> list[str]:
    """Return the first names."""
    return list(itertools.islice(children.child_names("web-", seed, taken), count))


def test_the_same_seed_gives_the_same_names() -> None:
    assert first(100, ["a"]) == first(100, ["a"])
    assert first(3, ["a"]) != first(3, ["b"])
    assert first(3, ["ab", "c"]) != first(3, ["a", "bc"])


def test_names_are_different_and_not_taken() -> None:
    names = first(1000, ["a"])
    assert len(set(names)) == 1000
    assert all(len(name) == len("web-") + 5 for name in names)
    assert first(2, ["a"], frozenset(names[:1])) == names[1:3]


def test_a_name_without_room_for_a_dash_has_none() -> None:
    assert children.prefix_of({"metadata": {"name": "web"}}) == "web-"
    assert children.prefix_of({"metadata": {"name": "a" * 253}}) == "a" * 253
