"""What plugins were asked for and gave, per sandbox: in files, for DEL and CHECK after any crash."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minikctl.plan.cni import conflist, protocol
from minikctl.plan.cni.conflist import Json


@dataclass(frozen=True)
class Attachment:
    """One sandbox's attachment; ``config`` is the list it was made by, ``result`` None until ADD succeeded.

    ``host`` is the id of the node's container whose namespace holds the other end.
    """

    container_id: str
    namespace: str
    name: str
    uid: str
    node: str
    host: str
    config: str
    runtime: Json
    result: Json | None = None

    @property
    def network(self) -> conflist.NetworkList:
        """Return the list that it was made by."""
        return conflist.parse(self.config, "")

    @property
    def ip(self) -> str:
        """Return the pod's address, "" before ADD succeeded."""
        return protocol.address(self.result) if self.result else ""

    def target(self, netns: str) -> protocol.Target:
        """Return whom a call is about."""
        return protocol.Target(self.container_id, netns, self.namespace, self.name, self.uid)


class Records:
    """Attachments in a directory, one file each; read once, then kept in memory."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._known: dict[str, Attachment] | None = None

    def all(self) -> dict[str, Attachment]:
        """Return the attachments by their containers; a file that cannot be read is none."""
        if self._known is None:
            self._known = {}
            for path in sorted(self._directory.glob("*.json")):
                found = _read(path)
                if found is not None:
                    self._known[found.container_id] = found
        return self._known

    def keep(self, attachment: Attachment) -> None:
        """Keep an attachment, in place of an older one of the sandbox."""
        self.all()[attachment.container_id] = attachment
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(attachment.container_id)
        staged = path.with_suffix(".new")
        staged.write_text(json.dumps(dataclasses.asdict(attachment)))
        os.replace(staged, path)

    def drop(self, container_id: str) -> None:
        """Forget a sandbox."""
        self.all().pop(container_id, None)
        self._path(container_id).unlink(missing_ok=True)

    def _path(self, container_id: str) -> Path:
        return self._directory / f"{container_id}.json"


def _read(path: Path) -> Attachment | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return Attachment(**found)
    except (OSError, ValueError, TypeError):
        return None
