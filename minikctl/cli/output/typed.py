"""Fields in the order of Kubernetes' own types, as kubectl prints in JSON what it has decoded into them.

Most objects it prints as they came, in the order of the alphabet; those that it makes itself, or takes apart, it
has decoded.  The order is that of ``schemas/<group>/<version>/protobuf.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import structure

Object = dict[str, Any]

_KUBECONFIG = {
    "Config": (
        "preferences clusters:[]NamedCluster users:[]NamedUser contexts:[]NamedContext current-context extensions"
    ),
    "NamedCluster": "name cluster:Cluster",
    "NamedUser": "name user:User",
    "NamedContext": "name context:Context",
    "Cluster": (
        "server tls-server-name insecure-skip-tls-verify certificate-authority certificate-authority-data proxy-url"
    ),
    "User": (
        "client-certificate client-certificate-data client-key client-key-data token tokenFile as as-uid as-groups "
        "as-user-extra username password auth-provider exec:Exec"
    ),
    "Exec": "command args env:[]Env apiVersion installHint provideClusterInfo interactiveMode",
    "Env": "name value",
    "Context": "cluster user namespace",
}
"""The fields of kubeconfigs, which no protobuf has."""


def ordered(obj: Object) -> Object:
    """Return the object with its fields in their types' order; what no type knows comes last."""
    if isinstance(obj.get("items"), list) and obj.get("kind") == "List":
        return {**obj, "items": [ordered(item) for item in obj["items"]]}
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return _struct(obj, f"{group or 'core'}/{version}", str(obj.get("kind")))


def _struct(value: Object, folder: str, name: str) -> Object:
    known = dict(_known(value, folder, name))
    # The type of an object that stands within another one comes first, as it does outside.
    first: Object = {key: value[key] for key in ("kind", "apiVersion") if key in value and key not in known}
    rest = {key: value[key] for key in sorted(value) if key not in known and key not in first}
    return {**first, **known, **rest}


def _known(value: Object, folder: str, name: str) -> Iterator[tuple[str, Any]]:
    for field, kind, flags in _fields(folder, name):
        if "i" in flags:
            yield from _known(value, *_place(kind, folder))
        elif field in value:
            yield field, _typed(value[field], kind, folder)


def _typed(value: Any, kind: str, folder: str) -> Any:
    if kind.startswith("[]") and isinstance(value, list):
        return [_typed(item, kind[2:], folder) for item in value]
    if kind.startswith("{}") and isinstance(value, dict):
        return {key: _typed(value[key], kind[2:], folder) for key in sorted(value)}
    return _struct(value, *_place(kind, folder)) if isinstance(value, dict) else value


def _place(kind: str, folder: str) -> tuple[str, str]:
    elsewhere, _, name = kind.rpartition("#")
    return elsewhere or folder, name


def _fields(folder: str, name: str) -> list[list[str]]:
    if name in _KUBECONFIG and folder == "core/v1":
        pairs = (entry.partition(":") for entry in _KUBECONFIG[name].split())
        return [[field, kind, ""] for field, _, kind in pairs]
    try:
        return list(structure.document(f"{folder}/protobuf.json").get(name, {}).values())
    except OSError:
        return []
