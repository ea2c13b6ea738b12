"""Limits of a pod's traffic by annotations."""

from __future__ import annotations

import pytest

from minikctl.model.objects import Object
from minikctl.plan.pod import bandwidth


def pod(ingress: str = "", egress: str = "") -> Object:
    return {"metadata": {"annotations": {bandwidth.INGRESS: ingress, bandwidth.EGRESS: egress}}}


def test_limits_are_bits_a_second() -> None:
    assert bandwidth.rate(pod("10M"), bandwidth.INGRESS) == 10_000_000
    assert bandwidth.rate(pod("10M"), bandwidth.EGRESS) == 0
    assert bandwidth.refusal(pod("10M", "1G")) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1", "unreasonably small"),
        ("2P", "unreasonably large"),
        ("fast", "must match the regular expression"),
    ],
)
def test_what_cannot_be_is_refused(text: str, words: str) -> None:
    assert words in bandwidth.refusal(pod("", text))
    assert bandwidth.rate(pod("", text), bandwidth.EGRESS) == 0
