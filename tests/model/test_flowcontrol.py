from __future__ import annotations

import copy
from typing import Any

import pytest

from minikctl.model import admission, flowcontrol, kinds

TABLES = ((kinds.PRIORITY_LEVEL, flowcontrol.LEVELS), (kinds.FLOW_SCHEMA, flowcontrol.SCHEMAS))
CASES = [
    pytest.param(kind, each, id=f"{kind.kind} {name}") for kind, of in TABLES for name, each in of.items()
]


@pytest.mark.parametrize(("kind", "wanted"), CASES)
def test_what_every_cluster_has_is_whole_and_valid(kind: Any, wanted: Any) -> None:
    obj = copy.deepcopy(wanted)
    assert admission.prepare(kind, obj, None) == []
    assert obj["spec"] == wanted["spec"], "nothing is left to defaults"
