"""Which local image is meant by a name that cannot be had."""

from __future__ import annotations

import pytest

from minikctl.model.containers import PullProgress
from minikctl.plan.pod import images

LOCAL = ["minikctl-demo:34ed4a", "minikctl-demo:latest", "reg.test:5000/shop/cart:1", "web:2"]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("minikctl-demo:1", "minikctl-demo:latest"),
        ("minikctl-dmo", "minikctl-demo:latest"),
        ("cart", "reg.test:5000/shop/cart:1"),
        ("reg.test:5000/shop/cart@sha256:" + "a" * 64, "reg.test:5000/shop/cart:1"),
        ("docker.io/me/web:2", "web:2"),
        ("postgres:16", ""),
    ],
)
def test_a_similar_name_is_hinted_at(wanted: str, meant: str) -> None:
    expected = f"; hint: did you mean {meant}, which is on this machine?" if meant else ""
    assert images.hint(wanted, LOCAL) == expected
    assert images.hint(wanted, ()) == ""


def test_how_far_a_pull_is() -> None:
    assert images.progress("x:1", PullProgress(), 10) == (
        'Pulling image "x:1": waiting for the registry after 10s'
    )
    assert images.progress("x:1", PullProgress(2, 1), 30) == 'Pulling image "x:1": 1 of 2 layers after 30s'
    known = PullProgress(2, 1, 1_500_000, 3_000_000)
    assert images.progress("x:1", known, 30) == 'Pulling image "x:1": 1 of 2 layers, 1.5 of 3.0 MB after 30s'
