"""Whatever can be decoded is judged, shown, converted and patched without a crash."""

from __future__ import annotations

import contextlib
import copy
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from minikctl.model import admission, decoding, kinds, patches, schema, tables
from minikctl.model.kinds.base import Kind
from tests.model import arbitrary

ROUNDS = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def every_kind() -> list[Any]:
    return [pytest.param(kind, id=f"{kind.api_version} {kind.kind}") for kind in kinds.ALL]


@pytest.mark.parametrize("kind", every_kind())
def test_arbitrary_objects(kind: Kind) -> None:
    chance = random.Random(7)
    for _ in range(ROUNDS):
        obj, old = arbitrary.obj(kind, chance), arbitrary.obj(kind, chance)
        assert decoding.decode_errors(kind, obj) is None
        assert schema.unknown_fields(kind, obj) == []
        admission.prepare(kind, old, None)
        admission.prepare(kind, obj, old)
        completed = copy.deepcopy(obj)
        admission.prepare(kind, obj, old)
        assert obj == completed, "completing twice is completing once"
        tables.render(kind, [kind.from_storage(kind.to_storage(obj))], NOW)
        apply(kind, obj, old)


def apply(kind: Kind, obj: dict[str, Any], old: dict[str, Any]) -> None:
    """Bring ``obj`` into ``old``; refused only where a list's items have no key."""
    with contextlib.suppress(patches.PatchError):
        patches.strategic(kind, old, patches.three_way(old, obj, old, kind))
