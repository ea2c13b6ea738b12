"""kubeconfig files: what kubectl reads and writes."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minikctl import errors
from minikctl.client.endpoint import Endpoint as Endpoint

Config = dict[str, Any]

LOCK_SECONDS = 3.0


_SECTIONS = ("clusters", "users", "contexts")


def default_paths() -> list[str]:
    """Return the files that kubectl would read: those of $KUBECONFIG, else ~/.kube/config."""
    listed = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return listed or [os.path.join(os.path.expanduser("~"), ".kube", "config")]


def load(path: str, *, missing_is_empty: bool = False) -> Config:
    """Return the file's content with its file references made absolute; ``UsageError`` if it is none."""
    return _absolute(read(path, missing_is_empty=missing_is_empty), os.path.dirname(os.path.abspath(path)))


def read(path: str, *, missing_is_empty: bool = False) -> Config:
    """Return the file's content as it stands; ``UsageError`` when it is no kubeconfig."""
    if missing_is_empty and not os.path.exists(path):
        return empty()
    import yaml  # takes longer than a request, and most commands read no kubeconfig

    try:
        with open(path, "rb") as source:
            found = yaml.load(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise errors.UsageError(f'error loading config file "{path}": {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.UsageError(f'error loading config file "{path}": {error}') from error
    if found is None:
        return empty()
    if not isinstance(found, dict) or not all(_is_named(found.get(section)) for section in _SECTIONS):
        raise errors.UsageError(f'error loading config file "{path}": it is not a kubeconfig')
    return found


def _is_named(entries: Any) -> bool:
    """Tell whether that can be a section: a list of entries with names, or nothing."""
    if entries is None:
        return True
    return isinstance(entries, list) and all(isinstance(e, dict) and e.get("name") for e in entries)


def load_merged(paths: list[str]) -> Config:
    """Return the files merged as kubectl does: the first to set a name or a value wins."""
    merged = empty()
    for path in paths:
        if not os.path.exists(path):
            continue
        found = load(path)
        merged["current-context"] = merged["current-context"] or found.get("current-context") or ""
        for section in _SECTIONS:
            known = {entry["name"] for entry in merged[section]}
            merged[section] += [e for e in found.get(section) or () if e["name"] not in known]
    return merged


def empty() -> Config:
    """Return a kubeconfig without entries."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
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
    for section in _SECTIONS:
        names = {entry["name"] for entry in added[section]}
        kept = [entry for entry in merged.get(section) or () if entry.get("name") not in names]
        merged[section] = kept + added[section]
    return merged


def without(target: Config, name: str) -> Config:
    """Return ``target`` without cluster, user and context ``minikctl-NAME``."""
    title = f"minikctl-{name}"
    trimmed = dict(target)
    for section in _SECTIONS:
        trimmed[section] = [e for e in target.get(section) or () if e.get("name") != title]
    if trimmed.get("current-context") == title:
        trimmed["current-context"] = ""
    return trimmed


def dump(config: Config) -> str:
    """Return the YAML text."""
    import yaml

    return str(yaml.dump(config, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False))


def edit(path: str, change: Callable[[Config], Config]) -> None:
    """Replace the file's content by what ``change`` makes of it, kept from other editors meanwhile.

    All that it does not change stays as it was, references relative to the file too.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with _locked(path):
        found = read(path) if os.path.exists(path) else empty()
        changed = change(found)
        if changed != found or not os.path.exists(path):
            write(path, changed)


def write(path: str, config: Config) -> None:
    """Write the file atomically; a new one is for its owner only."""
    target = os.path.realpath(path)  # a link stays a link
    os.makedirs(os.path.dirname(target), exist_ok=True)
    mode = os.stat(target).st_mode & 0o777 if os.path.exists(target) else 0o600
    staged = f"{target}.{os.getpid()}.new"
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as sink:
        sink.write(dump(config))
        sink.flush()
        os.fsync(sink.fileno())
    os.replace(staged, target)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock file that kubectl uses too."""
    lock = f"{path}.lock"
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise errors.UsageError(
                    f"error: {path} is locked by another program; if none is at work, remove {lock}"
                ) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        os.unlink(lock)


def resolve(
    config: Config, context: str = "", *, user: str = "", judge: Callable[[str], None] = lambda _: None
) -> Endpoint:
    """Return what the named (or current) context points at, in kubectl's words when it does not.

    ``user`` is an entry to take instead of the context's; ``judge`` raises to refuse a credential plugin.
    """
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
    user = user or settings.get("user") or ""
    entry = _entry(config, "users", user)
    if entry is None and user:
        raise errors.UsageError(f'error: auth info "{user}" does not exist')
    namespace = settings.get("namespace") or "default"
    return _endpoint(cluster, (entry or {}).get("user") or {}, namespace, judge)


def _endpoint(
    cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str, judge: Callable[[str], None]
) -> Endpoint:
    _refuse(user)
    token = user.get("token") or ""
    if user.get("tokenFile"):
        token = _read(user["tokenFile"]).decode().strip()
    endpoint = Endpoint(
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
        proxy=cluster.get("proxy-url") or "",
        impersonation=impersonation(user),
    )
    if endpoint.insecure and endpoint.ca_data:
        raise errors.UsageError(
            "error: specifying a root certificates file with the insecure flag is not allowed"
        )
    if user.get("exec"):
        from minikctl.client import credentials

        judge(str(user["exec"].get("command") or ""))
        return credentials.obtain(endpoint, user["exec"], cluster)
    return endpoint


def _refuse(user: Mapping[str, Any]) -> None:
    """Raise on what would silently be something else if it were ignored."""
    if user.get("auth-provider"):  # kubectl has none of these any more, either
        raise errors.UsageError("error: kubeconfig entries with 'auth-provider' are not supported")
    _check_impersonation(user)


def _check_impersonation(user: Mapping[str, Any]) -> None:
    if not user.get("as") and any(user.get(name) for name in ("as-uid", "as-groups", "as-user-extra")):
        raise errors.UsageError(
            "error: requesting uid, groups or user-extra for  without impersonating a user"
        )


def impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask to act as whom a user entry's ``as`` and its companions name."""
    if not user.get("as"):
        return ()
    fields = [("Impersonate-User", str(user["as"]))]
    fields += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    if user.get("as-uid"):
        fields.append(("Impersonate-Uid", str(user["as-uid"])))
    for key, values in (user.get("as-user-extra") or {}).items():
        fields += [(f"Impersonate-Extra-{key}", str(value)) for value in values or ()]
    return tuple(fields)


def _entry(config: Config, section: str, name: str) -> dict[str, Any] | None:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            return dict(entry)
    return None


def _material(entry: Mapping[str, Any], key: str) -> bytes:
    if entry.get(f"{key}-data"):
        try:
            return base64.b64decode(entry[f"{key}-data"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise errors.UsageError(f"error: kubeconfig field {key}-data: {error}") from error
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
            plugin = body.get("exec")
            if plugin and os.sep in plugin.get("command", ""):
                plugin["command"] = os.path.join(base, plugin["command"])
    return config
