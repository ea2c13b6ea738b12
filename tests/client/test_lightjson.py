"""JSON without the package: the same values, and the same refusals."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minikctl.client import lightjson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(VALUES, st.booleans())
def test_what_json_writes_is_read(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert lightjson.loads(f" \n{text}\t ") == value
    assert lightjson.loads(text.encode()) == value


@pytest.mark.parametrize("text", ["", "{", "nope", "{} {}", '{"a"}', "[1,]", '"\n"', b"\xff"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|Illegal|Invalid|decode|Unterminated"):
        lightjson.loads(text)
