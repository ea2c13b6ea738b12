"""Secrets and configs of Compose files as Secrets and ConfigMaps, mounted where Compose puts them.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]
Read = Callable[[str], str]
"""Returns the text of a file that is named as in the Compose file."""

DIRECTORIES = {"secrets": "/run/secrets/", "configs": "/"}
KEY = "content"


class Files(NamedTuple):
    """The top-level secrets and configs: objects by (section, name), and remarks on those that are elsewhere."""

    objects: dict[tuple[str, str], Object]
    remarks: list[str]


def name_of(text: str) -> str:
    """Return a name of Compose as Kubernetes takes one."""
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")


def declared(found: Mapping[str, Any], variables: Mapping[str, str], read: Read) -> Files:
    """Return what the file declares of secrets and configs."""
    made: dict[tuple[str, str], Object] = {}
    remarks = []
    for section in DIRECTORIES:
        for name, source in (found.get(section) or {}).items():
            text = _content(source or {}, variables, read)
            if text is None:
                remarks.append(f"{section}.{name}: not taken over: it has no file, content or environment")
            else:
                made[section, name] = _object(section, name, text)
    return Files(made, remarks)


def _content(source: Mapping[str, Any], variables: Mapping[str, str], read: Read) -> str | None:
    if source.get("file"):
        return read(str(source["file"]))
    if source.get("environment"):
        return variables.get(str(source["environment"]), "")
    return str(source["content"]) if "content" in source else None


def _object(section: str, name: str, text: str) -> Object:
    metadata = {"name": name_of(name)}
    if section == "secrets":
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {KEY: text}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}


def mounted(given: Mapping[str, Any], files: Files) -> Iterator[tuple[Object, Object]]:
    """Yield volume and mount for each secret and config that a service uses; such as are not declared are left out."""
    for section, directory in DIRECTORIES.items():
        for entry in given.get(section) or ():
            source, target = (
                (entry["source"], entry.get("target")) if isinstance(entry, Mapping) else (entry, None)
            )
            made = files.objects.get((section, source))
            if made is None:
                continue
            path = str(target or source)
            path = path if path.startswith("/") else directory + path
            volume = f"{section}-{made['metadata']['name']}"
            how = {"secret": {"secretName": made["metadata"]["name"]}}
            if section == "configs":
                how = {"configMap": {"name": made["metadata"]["name"]}}
            mount = {"name": volume, "mountPath": path, "subPath": KEY, "readOnly": True}
            yield {"name": volume, **how}, mount
