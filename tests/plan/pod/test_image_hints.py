"""Which local image is meant by a name that cannot be had."""

from __future__ import annotations

import pytest

from minikctl.plan.pod import images

LOCAL = ["minikctl-demo:latest", "reg.test:5000/shop/cart:1", "web:2"]


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
