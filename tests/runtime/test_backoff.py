from __future__ import annotations

from minikctl.runtime.backoff import Backoff


def test_waits_double_from_five_milliseconds_to_a_thousand_seconds() -> None:
    backoff: Backoff[str] = Backoff()
    waits = [backoff.next("a") for _ in range(100)]
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[-1] == 1000.0
    assert backoff.failures("a") == 100


def test_keys_do_not_share_their_failures() -> None:
    backoff: Backoff[str] = Backoff()
    backoff.next("a")
    assert backoff.next("b") == 0.005
    backoff.forget("a")
    backoff.forget("never seen")
    assert backoff.next("a") == 0.005
