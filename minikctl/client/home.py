"""Where a cluster keeps its state, and its settings.

Imports little: the CLI goes through here before every request.
"""

from __future__ import annotations

import fcntl
import os

from minikctl import errors
from minikctl.client import lightjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.client.settings import ClusterSettings

DEFAULT_CLUSTER = "default"
SLOTS = 254
NOBODYS = "127.0.255.1"
"""An address of this machine that no cluster has."""
INGRESS_PORTS = (80, 443)
_MEMORY = "/dev/shm"
_SOCKET_PATH_BYTES = 100
_LONGEST_NAME = 32
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def root_directory() -> str:
    """Return the directory of all state: $MINIKCTL_HOME, else minikctl under the user's data directory."""
    explicit = os.environ.get("MINIKCTL_HOME")
    if explicit:
        return os.path.abspath(explicit)
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "minikctl")


def chosen(root: str = "") -> tuple[str, str]:
    """Return the local cluster and the context of the kubeconfig that were switched to; "" for none."""
    try:
        with open(os.path.join(root or root_directory(), "current"), encoding="utf-8") as source:
            cluster, _, context = source.read().partition("\n")
    except OSError:
        return "", ""
    return cluster.strip(), context.strip()


def choose(cluster: str, context: str, root: str = "") -> None:
    """Keep which cluster or context commands are about when nothing else says so."""
    base = root or root_directory()
    os.makedirs(base, mode=0o700, exist_ok=True)
    staged = os.path.join(base, f"current.{os.getpid()}.new")
    with open(staged, "w", encoding="utf-8") as sink:
        sink.write(f"{cluster}\n{context}\n")
    os.replace(staged, os.path.join(base, "current"))


def list_clusters(root: str = "") -> list[str]:
    """Return the names of the clusters that have state here."""
    base = os.path.join(root or root_directory(), "clusters")
    try:
        names = sorted(os.listdir(base))
    except OSError:
        return []
    return [name for name in names if os.path.exists(os.path.join(base, name, "cluster.json"))]


def _is_name(text: str) -> bool:
    proper = 0 < len(text) <= _LONGEST_NAME and set(text) <= _NAME_CHARACTERS
    return proper and not text.startswith("-") and not text.endswith("-")


class ClusterHome:
    """The state directory of one cluster; making the object touches nothing."""

    def __init__(self, name: str = "", root: str = "") -> None:
        self.name = name or os.environ.get("MINIKCTL_CLUSTER") or chosen(root)[0] or DEFAULT_CLUSTER
        if not _is_name(self.name):
            raise errors.UsageError(
                f'invalid cluster name "{self.name}": it must be lower-case letters, digits and "-", '
                "begin and end with a letter or digit, and have at most 32 characters"
            )
        self.root = root or root_directory()
        self.path = os.path.join(self.root, "clusters", self.name)

    def file(self, *parts: str) -> str:
        """Return a path below the state directory."""
        return os.path.join(self.path, *parts)

    @property
    def store(self) -> str:
        """The path of the store's file."""
        return self.file("store.db")

    @property
    def kubeconfig(self) -> str:
        """The path of the kubeconfig of this cluster."""
        return self.file("kubeconfig")

    @property
    def socket(self) -> str:
        """The path of the API's Unix socket, "" where the path is too long for one."""
        path = self.file("api.sock")
        return path if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES else ""

    @property
    def memory(self) -> str:
        """The directory for what must never be on a disk, "" where the machine has no place for it."""
        import zlib

        if not os.path.isdir(_MEMORY):
            return ""
        return os.path.join(_MEMORY, f"minikctl-{self.name}-{zlib.crc32(os.fsencode(self.path)):08x}")

    @property
    def lock(self) -> str:
        """The path of the file that a running control plane holds locked."""
        return self.file("daemon.lock")

    @property
    def daemon_log(self) -> str:
        """The path of the control plane's log."""
        return self.file("daemon.log")

    def exists(self) -> bool:
        """Tell whether the cluster has been made; ``UsageError`` where only another user may know."""
        try:
            os.stat(self.file("cluster.json"))
        except PermissionError as error:
            raise self.foreign() from error
        except OSError:
            return False
        return True

    def foreign(self) -> errors.UsageError:
        """Return what it means that the state may not be read."""
        import pwd

        try:
            owner = pwd.getpwuid(os.stat(self.path).st_uid).pw_name
        except (OSError, KeyError):
            owner = "another user"
        return errors.UsageError(
            f'error: cluster "{self.name}" in {self.path} belongs to {owner}, and this user may not read it; '
            "hint: MINIKCTL_HOME chooses a directory for clusters of your own"
        )

    def settings(self) -> ClusterSettings:
        """Return the settings; defaults with a free slot for a cluster that has not been made yet."""
        import dataclasses

        from minikctl.client.settings import ClusterSettings

        found = self.read_json("cluster.json")
        if found is None:
            return ClusterSettings(self.name, slot=_free_slot(self.root))
        known = {field.name for field in dataclasses.fields(ClusterSettings)}
        return ClusterSettings(**{key: value for key, value in found.items() if key in known})

    def save(self, settings: ClusterSettings) -> ClusterSettings:
        """Keep the settings, atomically, and return them; a new cluster gets a slot that no other has."""
        import dataclasses

        os.makedirs(self.path, mode=0o700, exist_ok=True)
        with _locked(os.path.join(self.root, "clusters", ".lock")):
            slot = settings.slot if self.exists() else _free_slot(self.root)
            kept = dataclasses.replace(settings, name=self.name, slot=slot)
            self.write_json("cluster.json", dataclasses.asdict(kept))
        return kept

    def daemon(self) -> dict[str, Any] | None:
        """Return what the running control plane says of itself: pid, address, version; None if never run."""
        return self.read_json("daemon.json")

    def read_json(self, *parts: str) -> dict[str, Any] | None:
        """Return a JSON file of the state directory, None when there is none."""
        try:
            with open(self.file(*parts), encoding="utf-8") as source:
                found = lightjson.loads(source.read())
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise self.foreign() from error
        except (OSError, ValueError) as error:
            raise errors.UsageError(f"cannot read {self.file(*parts)}: {error}") from error
        return found if isinstance(found, dict) else None

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        """Write a JSON file of the state directory, atomically."""
        import json

        self.write(name, json.dumps(value, indent=1).encode() + b"\n")

    def share(self, name: str) -> str:
        """Have a directory into which containers look, whoever they run as, and return its path.

        Who may come as far as here is decided by the mode of the state directory above it.
        """
        directory = self.file(name)
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)  # whatever the umask
        return directory

    def remove(self, name: str) -> None:
        """Remove a file of the state directory; harmless when it is gone."""
        try:
            os.unlink(self.file(name))
        except FileNotFoundError:
            pass  # it is gone already

    def write(self, name: str, data: bytes, mode: int = 0o600) -> None:
        """Write a file of the state directory: afterwards it is there whole, or as it was before."""
        path = self.file(name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        staged = f"{path}.{os.getpid()}.new"
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as sink:
            os.fchmod(handle, mode)  # whatever the umask
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(staged, path)
        _sync_directory(os.path.dirname(path))


def _sync_directory(path: str) -> None:
    """Make renames within the directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _locked:
    """Keeps other processes out of the block."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def _free_slot(root: str) -> int:
    """Return a slot that no cluster of this root has and at whose address nothing answers.

    Clusters of another root are unknown here: each root begins at a place of its own, so they rarely meet.
    """
    import zlib

    taken = set()
    for name in list_clusters(root):
        found = ClusterHome(name, root).read_json("cluster.json") or {}
        taken.add(found.get("slot"))
    port = _telling_port()
    first = 0 if root == root_directory() and "MINIKCTL_HOME" not in os.environ else zlib.crc32(root.encode())
    for number in range(SLOTS):
        slot = (first + number) % SLOTS + 1
        if slot not in taken and not (port and _answers(f"127.0.{slot}.1", port)):
            return slot
    raise errors.UsageError(f"{SLOTS} clusters are the most that fit on one machine; delete one")


def _telling_port() -> int:
    """Return a port of the Ingress at which an answer tells of a cluster; 0 when others have both everywhere.

    A web server of this machine usually listens at all addresses.
    """
    return next((port for port in INGRESS_PORTS if not _answers(NOBODYS, port)), 0)


def _answers(address: str, port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0
