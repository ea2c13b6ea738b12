"""The annotation that remembers what was applied, from which the next apply learns what was given up."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def annotated(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the object with the annotation that remembers what was applied."""
    metadata = dict(obj.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != ANNOTATION}
    bare = {**obj, "metadata": {**metadata, "annotations": annotations}}
    metadata["annotations"] = {**annotations, ANNOTATION: _encoded(bare)}
    return {**obj, "metadata": metadata}


def text(obj: dict[str, Any], namespace: str) -> str:
    """Return what the annotation says of an object that was not applied, as ``set-last-applied`` writes it."""
    metadata = dict(obj.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k != ANNOTATION}
    if annotations:
        metadata["annotations"] = annotations
    if namespace:
        metadata["namespace"] = namespace
    return _encoded({**obj, "metadata": metadata})


def _encoded(obj: dict[str, Any]) -> str:
    found = json.dumps(obj, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    for char in "<>&":  # as Go writes JSON, so that kubectl finds its own text again
        found = found.replace(char, f"\\u{ord(char):04x}")
    return found


def of(current: dict[str, Any]) -> dict[str, Any]:
    """Return what was applied last, {} when that is not known."""
    kept = ((current.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
    try:
        found = json.loads(kept) if kept else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_in_place(stamped: dict[str, Any], current: dict[str, Any]) -> bool:
    """Tell whether the object was applied last as it is now and nobody has changed what it says since.

    Then applying it does nothing, which is found out here without the kinds' merge keys: reading those takes
    longer than everything else.  False says nothing.
    """
    annotations = (current.get("metadata") or {}).get("annotations") or {}
    return annotations.get(ANNOTATION) == stamped["metadata"]["annotations"][ANNOTATION] and _is_within(
        stamped, current
    )


def _is_within(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and _is_within(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_is_within, wanted, found))
    return wanted is not None and type(wanted) is type(found) and bool(wanted == found)
