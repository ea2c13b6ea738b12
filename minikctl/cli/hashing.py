"""The hash that ``--append-hash`` puts behind a name, which depends on the content alone.

kubectl's rule (staging/src/k8s.io/kubectl/pkg/util/hash): the first ten digits of the SHA-256 of certain fields
as JSON, with vowels and digits that look like letters exchanged.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_FIELDS = {"ConfigMap": ("kind", "data"), "Secret": ("kind", "type", "data")}
_LENGTH = 10
_EXCHANGED = str.maketrans("013ae", "ghkmt")


def suffix(obj: dict[str, Any]) -> str:
    """Return the hash of a ConfigMap's or Secret's content and name."""
    content: dict[str, Any] = {name: obj.get(name) for name in _FIELDS[obj["kind"]]}
    content["name"] = obj["metadata"]["name"]
    if content.get("type", "") is None:
        content["type"] = ""
    if obj.get("binaryData"):
        content["binaryData"] = obj["binaryData"]
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH].translate(_EXCHANGED)
