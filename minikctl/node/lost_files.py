"""Directories of pods that somebody deleted: their volumes are written anew, and it is said.

Running containers keep the mounts that they have, of files that are gone; they see the new ones once they
are restarted, which is for the user to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from minikctl.model.actions import api
from minikctl.node.host_files import HostFiles
from minikctl.node.record import PodRecord
from minikctl.plan.pod import events, names
from minikctl.plan.pod.state import runs
from minikctl.plan.pod.view import NodeInfo

REASON = "VolumesLost"
MESSAGE = (
    "The pod's files on the node were deleted. Its volumes are written anew, what was in emptyDirs is lost; "
    "containers that run see none of it until they are restarted"
)


async def find(
    files: HostFiles, node: NodeInfo, records: Iterable[PodRecord], tell: Callable[[api.RecordEvent], None]
) -> list[str]:
    """Forget the volumes of pods whose directory is gone while containers run; return the pods' uids."""
    running = {names.pod_dir(node, found.uid): (found, _started(found)) for found in records if found.pod}
    paths = [path for path, (_, containers) in running.items() if containers]
    lost: list[str] = []
    for path in sorted(await files.missing(paths)):
        found, containers = running[path]
        token = f"lost/{','.join(containers)}"
        if found.pod is None or _started(found) != containers:
            continue
        found.volumes.clear()
        found.renewals.clear()
        lost.append(found.uid)
        if token not in found.reported:
            found.reported.add(token)
            tell(events.warning(found.pod, REASON, MESSAGE))
    return lost


def _started(found: PodRecord) -> list[str]:
    """Return the running containers but the sandbox: before the first of them there need be no directory."""
    return sorted(
        each.id
        for each in found.containers.values()
        if runs(each) and each.labels.get(names.ROLE) != names.PAUSE_ROLE
    )
