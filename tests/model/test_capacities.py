from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.model import capacities


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", {}),
        ("cpu=2", {"cpu": "2"}),
        (
            "cpu=0.5, memory=2048Mi,example.com/gpu=1",
            {"cpu": "500m", "memory": "2Gi", "example.com/gpu": "1"},
        ),
    ],
)
def test_capacities(text: str, want: dict[str, str]) -> None:
    assert capacities.parse(text) == want


@pytest.mark.parametrize("text", ["cpu", "cpu=many", "cpu=-1", "cpu=1,,memory=1Gi"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(errors.UsageError, match="error: --node-capacity: "):
        capacities.parse(text)
