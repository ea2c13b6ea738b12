"""What a command says before it makes a cluster that nobody asked for by ``cluster start``."""

from __future__ import annotations

from minikctl import errors
from minikctl.client import home as homes
from minikctl.client import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from minikctl.cli.session import Io
    from minikctl.client.home import ClusterHome


def tell(home: ClusterHome, io: Io) -> None:
    """Say that a cluster is made, where, and which others there are that may have been meant."""
    io.warn(f'Making the local cluster "{home.name}" in {home.path}, for there is none yet')
    for hint in _hints(home):
        io.warn(f"hint: {hint}")


def none_yet(home: ClusterHome) -> errors.UsageError:
    """Return what it means that a command which makes no cluster finds none."""
    return errors.UsageError(
        f'error: there is no local cluster "{home.name}" yet; hint: `minikctl cluster start` makes it'
    )


def _hints(home: ClusterHome) -> Iterator[str]:
    known = homes.list_clusters(home.root)
    if known:
        yield f"there are {', '.join(known)}; `minikctl ctx NAME` or --cluster chooses one"
    for root, name in running.clusters():
        if root != home.root:
            yield f"cluster {name} runs with MINIKCTL_HOME={root}, which is not set to that here"
