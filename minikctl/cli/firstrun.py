"""What a command says before it makes a cluster that nobody asked for by ``cluster start``."""

from __future__ import annotations

import os

from minikctl.client import home as homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikctl.cli.session import Io
    from minikctl.client.home import ClusterHome

MODULE = b"minikctl.daemon"


def tell(home: ClusterHome, io: Io) -> None:
    """Say that a cluster is made, where, and which others there are that may have been meant."""
    io.warn(f'Making the local cluster "{home.name}" in {home.path}, for there is none yet')
    for hint in _hints(home):
        io.warn(f"hint: {hint}")


def _hints(home: ClusterHome) -> Iterator[str]:
    known = homes.list_clusters(home.root)
    if known:
        yield f"there are {', '.join(known)}; `minikctl ctx NAME` or --cluster chooses one"
    for root, name in running("/proc"):
        if root != home.root:
            yield f"cluster {name} runs with MINIKCTL_HOME={root}, which is not set to that here"


def running(processes: str) -> list[tuple[str, str]]:
    """Return directory and name of the clusters whose control planes run, as far as this user may see them."""
    found = set()
    for number in os.listdir(processes) if os.path.isdir(processes) else ():
        if not number.isdigit():
            continue
        try:
            words = _parts(processes, number, "cmdline")
            if MODULE not in words or b"--cluster" not in words:
                continue
            variables = dict(
                word.split(b"=", 1) for word in _parts(processes, number, "environ") if b"=" in word
            )
        except OSError:
            continue  # it has ended, or is somebody else's
        name = words[words.index(b"--cluster") + 1]
        found.add((os.fsdecode(variables.get(b"MINIKCTL_HOME", b"")), os.fsdecode(name)))
    return sorted(each for each in found if each[0])


def _parts(processes: str, number: str, name: str) -> list[bytes]:
    with open(os.path.join(processes, number, name), "rb") as source:
        return source.read().rstrip(b"\0").split(b"\0")
