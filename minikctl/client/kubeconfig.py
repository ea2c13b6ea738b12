"""kubeconfig files: what kubectl reads and writes."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from minikctl import errors

Config = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """How to reach and authenticate with one API server; the ``*_data`` are PEM bytes."""

    server: str
    namespace: str = "default"
    token: str = ""
    ca_data: bytes = b""
    cert_data: bytes = b""
    key_data: bytes = b""
    insecure: bool = False
    server_name: str = ""
    username: str = ""
    password: str = ""


def default_paths() -> list[str]:
    """Return the files that kubectl would read: those of $KUBECONFIG, else ~/.kube/config."""
    listed = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return listed or [os.path.join(os.path.expanduser("~"), ".kube", "config")]


def load(path: str) -> Config:
    """Return the file's content; ``UsageError`` when it is no kubeconfig."""
    try:
        with open(path, encoding="utf-8") as source:
            found = yaml.load(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise errors.UsageError(f'error loading config file "{path}": {error.strerror}') from error
    except yaml.YAMLError as error:
        raise errors.UsageError(f'error loading config file "{path}": {error}') from error
    if found is None:
        return empty()
    if not isinstance(found, dict):
        raise errors.UsageError(f'error loading config file "{path}": it is not a kubeconfig')
    base = os.path.dirname(os.path.abspath(path))
    return _absolute(found, base)


def load_merged(paths: list[str]) -> Config:
    """Return the files merged as kubectl does: the first to set a name or a value wins."""
    merged = empty()
    for path in paths:
        if not os.path.exists(path):
            continue
        found = load(path)
        merged["current-context"] = merged["current-context"] or found.get("current-context", "")
        for section in ("clusters", "users", "contexts"):
            known = {entry["name"] for entry in merged[section]}
            merged[section] += [e for e in found.get(section) or () if e.get("name") not in known]
    return merged


def empty() -> Config:
    """Return a kubeconfig without entries."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [],
        "users": [],
        "contexts": [],
        "current-context": "",
    }


def for_cluster(name: str, server: str, ca_pem: bytes, token: str) -> Config:
    """Return a kubeconfig with one context, ``minikctl-NAME``, that is the current one."""
    title = f"minikctl-{name}"
    ca = base64.b64encode(ca_pem).decode()
    config = empty()
    config["clusters"] = [{"name": title, "cluster": {"server": server, "certificate-authority-data": ca}}]
    config["users"] = [{"name": title, "user": {"token": token}}]
    config["contexts"] = [{"name": title, "context": {"cluster": title, "user": title}}]
    config["current-context"] = title
    return config


def merge_into(target: Config, added: Config) -> Config:
    """Return ``target`` with the entries of ``added`` put in or replaced; its current context stays."""
    merged = {**empty(), **target}
    for section in ("clusters", "users", "contexts"):
        names = {entry["name"] for entry in added[section]}
        kept = [entry for entry in merged.get(section) or () if entry.get("name") not in names]
        merged[section] = kept + added[section]
    return merged


def without(target: Config, name: str) -> Config:
    """Return ``target`` without cluster, user and context ``minikctl-NAME``."""
    title = f"minikctl-{name}"
    trimmed = dict(target)
    for section in ("clusters", "users", "contexts"):
        trimmed[section] = [e for e in target.get(section) or () if e.get("name") != title]
    if trimmed.get("current-context") == title:
        trimmed["current-context"] = ""
    return trimmed


def dump(config: Config) -> str:
    """Return the YAML text."""
    return yaml.safe_dump(config, sort_keys=False)


def write(path: str, config: Config) -> None:
    """Write the file for its owner only, atomically."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    staged = f"{path}.{os.getpid()}.new"
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        sink.write(dump(config))
    os.replace(staged, path)


def resolve(config: Config, context: str = "") -> Endpoint:
    """Return what the named (or current) context points at, in kubectl's words when it does not."""
    wanted = context or config.get("current-context") or ""
    if not wanted:
        raise errors.UsageError("error: current-context is not set")
    found = _entry(config, "contexts", wanted)
    if found is None:
        raise errors.UsageError(f'error: context "{wanted}" does not exist')
    settings = found.get("context") or {}
    cluster = (_entry(config, "clusters", settings.get("cluster", "")) or {}).get("cluster") or {}
    if not cluster.get("server"):
        raise errors.UsageError(f'error: cluster "{settings.get("cluster", "")}" does not exist')
    user = (_entry(config, "users", settings.get("user", "")) or {}).get("user") or {}
    return _endpoint(cluster, user, settings.get("namespace") or "default")


def _endpoint(cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str) -> Endpoint:
    for unsupported in ("exec", "auth-provider"):
        if unsupported in user:
            raise errors.UsageError(f"error: kubeconfig users with {unsupported!r} are not supported here")
    if cluster.get("proxy-url"):
        raise errors.UsageError("error: kubeconfig clusters with 'proxy-url' are not supported here")
    token = user.get("token") or ""
    if user.get("tokenFile"):
        token = _read(user["tokenFile"]).decode().strip()
    return Endpoint(
        server=str(cluster["server"]).rstrip("/"),
        namespace=namespace,
        token=token,
        ca_data=_material(cluster, "certificate-authority"),
        cert_data=_material(user, "client-certificate"),
        key_data=_material(user, "client-key"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name") or "",
        username=user.get("username") or "",
        password=user.get("password") or "",
    )


def _entry(config: Config, section: str, name: str) -> dict[str, Any] | None:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            return dict(entry)
    return None


def _material(entry: Mapping[str, Any], key: str) -> bytes:
    if entry.get(f"{key}-data"):
        return base64.b64decode(entry[f"{key}-data"])
    return _read(entry[key]) if entry.get(key) else b""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError as error:
        raise errors.UsageError(f"error: unable to read {path}: {error.strerror}") from error


_PATHS = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}


def _absolute(config: Config, base: str) -> Config:
    """Return the config with file references made absolute: they are relative to the kubeconfig's place."""
    for section, (inner, names) in _PATHS.items():
        for entry in config.get(section) or ():
            body = entry.get(inner) or {}
            for name in names:
                if body.get(name):
                    body[name] = os.path.join(base, body[name])
    return config
