from __future__ import annotations

from minikctl.model.actions.api import RecordEvent
from minikctl.runtime.correlate import Correlator, Recent

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default", "uid": "1"}}


def event(message: str, reason: str = "BackOff", component: str = "kubelet", path: str = "") -> RecordEvent:
    """Return an occurrence about the pod."""
    return RecordEvent(POD, "Warning", reason, message, component, path)


def test_equal_occurrences_are_one_series() -> None:
    correlator = Correlator()
    first = correlator.occurred(event("x"), 0.0)
    assert first is not None
    assert first.series is None
    correlator.written(first, "a.1", 1)
    second = correlator.occurred(event("x"), 1.0)
    assert second is not None
    assert second.series is not None
    assert (second.series.name, second.series.count) == ("a.1", 1)
    other = correlator.occurred(event("x", path="spec.containers{a}"), 1.0)
    assert other is not None
    assert other.series is None
    correlator.lost(second)
    third = correlator.occurred(event("x"), 2.0)
    assert third is not None
    assert third.series is None


def test_many_messages_of_one_reason_are_combined() -> None:
    correlator = Correlator()
    found = [correlator.occurred(event(f"x{number}"), float(number)) for number in range(12)]
    texts = [each.message for each in found if each is not None]
    assert texts[:9] == [f"x{number}" for number in range(9)]
    assert texts[9] == "(combined from similar events): x9"
    assert len({each.key for each in found[9:] if each is not None}) == 1
    later = correlator.occurred(event("y"), 700.0)
    assert later is not None
    assert later.message == "y", "after ten quiet minutes they count anew"


def test_a_source_may_not_flood_an_object() -> None:
    correlator = Correlator()
    found = [correlator.occurred(event("x", reason=f"r{number}"), 0.0) for number in range(30)]
    assert sum(each is not None for each in found) == 25
    assert correlator.occurred(event("x", component="other"), 0.0) is not None
    assert correlator.occurred(event("x"), 299.0) is None
    assert correlator.occurred(event("x"), 301.0) is not None


def test_only_recent_keys_are_remembered() -> None:
    recent: Recent[int] = Recent(2)
    recent.put(("a",), 1)
    recent.put(("b",), 2)
    assert recent.get(("a",)) == 1
    recent.put(("c",), 3)
    assert recent.get(("b",)) is None
    assert recent.get(("a",)) == 1
    recent.drop(("a",))
    recent.drop(("a",))
    assert recent.get(("a",)) is None
