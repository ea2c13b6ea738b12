"""A Ctrl-C that nobody heard of is heard by the next look."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from minikctl.cli import interrupts, live, session


@pytest.fixture
def installed() -> Iterator[None]:
    """Have Ctrl-C noted for the time of a test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.install()
    yield
    signal.signal(signal.SIGINT, before)
    interrupts._pressed.clear()


class _Swallows:
    """Hears of a Ctrl-C where no exception gets out of: as it goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_top_ends_with_a_ctrl_c_that_came_where_exceptions_are_dropped(installed: None) -> None:
    rounds = iter(range(2))

    def sample() -> list[tuple[tuple[str, ...], tuple[int, int]]]:
        assert next(rounds, None) is not None, "it went on"
        _Swallows()
        return [(("pod",), (1, 1))]

    out = io.StringIO()
    asking = cast("session.Session", SimpleNamespace(io=session.Io(out, io.StringIO(), io.StringIO())))
    with pytest.raises(KeyboardInterrupt):
        live.run(["NAME"], sample, 0.01, asking)
    assert "pod" in out.getvalue()


@pytest.mark.usefixtures("installed")
def test_each_ctrl_c_is_told_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupts.sleep(60)
    interrupts.sleep(0)


def test_one_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupts.install()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
