"""ConfigMap and Secret: data by key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

LIMIT = 1024 * 1024
_WHOLE = "[]"
"""How Kubernetes calls the object as a whole in a cause."""
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"


def config_map(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found = [*_keys(data, "data"), *_keys(binary, "binaryData")]
    for key in sorted(set(data) & set(binary)):
        found.append(causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    if sum(len(value.encode()) for value in data.values()) + _decoded(binary) > LIMIT:
        found.append(causes.too_long(_WHOLE, LIMIT))
    return [*found, *_immutable(obj, old, "data", "binaryData")]


def secret(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Secret."""
    data = obj.get("data") or {}
    found = [*_keys(data, "data"), *_typed(obj, data)]
    if _decoded(data) > LIMIT:
        found.append(causes.too_long(_WHOLE, LIMIT))
    if old is not None and obj.get("type") != old.get("type"):
        found.append(causes.invalid("type", obj.get("type"), "field is immutable"))
    return [*found, *_immutable(obj, old, "data")]


def encode_string_data(obj: Object) -> None:
    """Move a Secret's stringData, which is write-only, into its data."""
    for key, value in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _keys(data: Mapping[str, str], path: str) -> Iterator[Cause]:
    for key in data:
        for fault in names.config_key(key):
            yield causes.invalid(f"{path}[{key}]", key, fault)


def _decoded(data: Mapping[str, str]) -> int:
    return sum(len(base64.b64decode(value)) for value in data.values())


def _immutable(obj: Object, old: Object | None, *fields: str) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    for field in ("immutable", *fields):
        if (obj.get(field) or None) != (old.get(field) or None):
            yield causes.forbidden(field, "field is immutable when `immutable` is set")


def _typed(obj: Object, data: Mapping[str, str]) -> Iterator[Cause]:
    """Yield what a Secret lacks of what its type promises."""
    match obj.get("type"):
        case "kubernetes.io/tls":
            yield from _needed(data, "tls.crt", "tls.key")
        case "kubernetes.io/ssh-auth":
            yield from _needed({key: value for key, value in data.items() if value}, "ssh-privatekey")
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                yield from _needed(data, "username", "password")
        case "kubernetes.io/dockerconfigjson":
            yield from _json(data, ".dockerconfigjson")
        case "kubernetes.io/dockercfg":
            yield from _json(data, ".dockercfg")
        case "kubernetes.io/service-account-token":
            if not objects.annotations(obj).get(_SERVICE_ACCOUNT):
                yield causes.required(f"metadata.annotations[{_SERVICE_ACCOUNT}]")


def _needed(data: Mapping[str, str], *keys: str) -> Iterator[Cause]:
    for key in keys:
        if key not in data:
            yield causes.required(f"data[{key}]")


def _json(data: Mapping[str, str], key: str) -> Iterator[Cause]:
    if key not in data:
        yield causes.required(f"data[{key}]")
        return
    try:
        json.loads(base64.b64decode(data[key]))
    except ValueError as error:
        yield causes.invalid(f"data[{key}]", "<secret contents redacted>", str(error))
