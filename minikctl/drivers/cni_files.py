"""Which CNI configuration a cluster has: its user's, or the built-in one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from minikctl import errors
from minikctl.plan.cni import conflist

SUFFIXES = (".conflist", ".conf", ".json")


def read(path: str, name: str, leases: str) -> str:
    """Return the valid configuration at ``path``: a file, or the first of a directory by name.

    "" is the built-in one of a network ``name``.  Leases of host-local are kept in the directory ``leases``
    unless the configuration says where.  ``UsageError`` names file, line and field of what is wrong.
    """
    if not path:
        return conflist.default(name, leases)
    found = _file(Path(path))
    try:
        text = found.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"error: {found}: {error}") from error
    conflist.parse(text, str(found))
    return _with_leases(text, leases)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in sorted(os.listdir(path)):
        if name.endswith(SUFFIXES):
            return path / name
    raise errors.UsageError(f"error: {path}: no CNI configuration is there (*{', *'.join(SUFFIXES)})")


def _with_leases(text: str, leases: str) -> str:
    whole = json.loads(text)
    for plugin in whole.get("plugins") or (whole,):
        ipam = plugin.get("ipam")
        if ipam and ipam.get("type") == "host-local":
            ipam.setdefault("dataDir", leases)
    return json.dumps(whole, indent=2)
