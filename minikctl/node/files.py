"""The node's files on the host: volumes, the files under containers, and their removal.  Synchronous: the
executor calls it in threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from minikctl.model.actions.node import (
    FilesVolume,
    HostFile,
    HostVolume,
    ImageVolume,
    KeptVolume,
    ScratchVolume,
    SubPath,
    Volume,
)
from minikctl.node.failures import NodeFailure
from minikctl.plan.pod.view import EnvFile

DATA = "..data"
ENV_FILE_BYTES = 1 << 20
_DIRECTORY_MODE = 0o755
_SCRATCH_MODE = 0o777
_GROUP_READ = 0o440
_ALL_READ = 0o444
_GROUP_WRITE = 0o660
_GROUP_DIRECTORY = 0o660 | 0o110 | stat.S_ISGID


@dataclass(frozen=True)
class Gift:
    """A path that is to belong to a user and a group, which only root may see to; None: that stays.

    Without a ``mode`` all that is below it is given as well, and its group may change it.
    """

    path: str
    uid: int | None
    gid: int | None
    mode: int | None


@dataclass(frozen=True)
class Missing:
    """A directory of the host that only root may make; with a ``type``, what only root can see."""

    path: str
    type: str = ""


def write_volume(volume: Volume) -> list[Gift | Missing]:
    """Bring the volume to the wanted state; a directory of files changes as one, or not at all.

    Return what only root may do: what is to be given to others may be used by everybody until then.
    """
    match volume:
        case FilesVolume():
            return [*_write_files(volume)]
        case ScratchVolume():
            return [*_scratch(volume)]
        case HostVolume():
            return [*check_host_path(volume.path, volume.type)]
        case KeptVolume():
            return [*_keep(volume)]
        case ImageVolume():
            pass  # made of what the engine has: image_files
        case _:
            assert_never(volume)
    return []


def _scratch(volume: ScratchVolume) -> list[Gift]:
    mode = _SCRATCH_MODE | (stat.S_ISGID if volume.gid is not None else 0)
    os.makedirs(volume.path, exist_ok=True)
    found = os.stat(volume.path)
    if stat.S_IMODE(found.st_mode) == mode and volume.gid in (None, found.st_gid):
        return []  # set anew by who is not of the group it would lose the bit that hands the group on
    os.chmod(volume.path, mode)
    return [] if _give_group(volume.path, volume.gid) else [Gift(volume.path, None, volume.gid, mode)]


def _make(path: str) -> None:
    """Have the directory there, open to all users whatever the umask is; so are its new parents."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        _make(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        os.chmod(path, _DIRECTORY_MODE)


def _keep(volume: KeptVolume) -> list[Gift]:
    """Have the directory there, and its group own it; what its users made of its mode stays."""
    if not os.path.isdir(volume.path):
        if not volume.create:
            raise _mount_failure(f'path "{volume.path}" does not exist')
        os.makedirs(volume.path)
        os.chmod(volume.path, _SCRATCH_MODE)
    if volume.gid is None or (not volume.always and os.stat(volume.path).st_gid == volume.gid):
        return []
    try:
        _own(volume.path, volume.gid)
        for base, directories, names in os.walk(volume.path, onerror=_raise):
            for name in (*directories, *names):
                _own(os.path.join(base, name), volume.gid)
    except PermissionError:
        return [Gift(volume.path, None, volume.gid, None)]
    return []


def _raise(error: OSError) -> None:
    raise error


def _own(path: str, gid: int) -> None:
    """Let the group read and write the path; what is made in a directory later is the group's too."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return
    os.chown(path, -1, gid)
    more = _GROUP_DIRECTORY if stat.S_ISDIR(found.st_mode) else _GROUP_WRITE
    os.chmod(path, stat.S_IMODE(found.st_mode) | more)


def _write_files(volume: FilesVolume) -> list[Gift]:
    _make(volume.path)
    link = os.path.join(volume.path, DATA)
    old = os.readlink(link) if os.path.islink(link) else ""
    if old and _same(os.path.join(volume.path, old), volume):
        _link_names(volume)
        return []
    gifts: list[Gift] = []
    fresh = tempfile.mkdtemp(prefix="..", dir=volume.path)
    os.chmod(fresh, _DIRECTORY_MODE)
    for file in volume.files:
        path = os.path.join(fresh, file.path)
        _make(os.path.dirname(path))
        with open(path, "wb") as sink:
            sink.write(file.data)
        mode = _mode(file.mode, volume.gid)
        if _give_group(path, volume.gid) and _give_user(path, file.uid):
            os.chmod(path, mode)
        else:
            os.chmod(path, mode | _ALL_READ)
            gifts.append(Gift(path, file.uid, volume.gid, mode))
    staged = f"{link}_tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(staged)
    os.symlink(os.path.basename(fresh), staged)
    os.replace(staged, link)
    _link_names(volume)
    for entry in os.listdir(volume.path):
        # Earlier generations, this one's predecessor and what a crash left behind.
        path = os.path.join(volume.path, entry)
        if entry.startswith("..") and path != fresh and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
    return gifts


def _link_names(volume: FilesVolume) -> None:
    """Have one link per top-level name, all of them through the one link that is switched."""
    wanted = {file.path.partition("/")[0] for file in volume.files}
    for entry in os.listdir(volume.path):
        if not entry.startswith("..") and entry not in wanted:
            os.unlink(os.path.join(volume.path, entry))
    for name in wanted:
        path = os.path.join(volume.path, name)
        if not os.path.islink(path):
            os.symlink(os.path.join(DATA, name), path)


def _same(directory: str, volume: FilesVolume) -> bool:
    found = {
        os.path.relpath(os.path.join(base, name), directory)
        for base, _, names in os.walk(directory)
        for name in names
    }
    if found != {file.path for file in volume.files}:
        return False
    for file in volume.files:
        path = os.path.join(directory, file.path)
        try:
            with open(path, "rb") as source:
                if source.read() != file.data:
                    return False
        except PermissionError:
            return False  # it was given to its user
        if file.uid is None and stat.S_IMODE(os.stat(path).st_mode) != _mode(file.mode, volume.gid):
            return False
    return True


def _mode(mode: int, gid: int | None) -> int:
    return mode if gid is None else mode | _GROUP_READ


def _give_user(path: str, uid: int | None) -> bool:
    """Give the path to the user, and tell whether this process may."""
    return uid is None or _chown(path, uid, -1)


def _give_group(path: str, gid: int | None) -> bool:
    """Give the path to the group, and tell whether this process may."""
    return gid is None or _chown(path, -1, gid)


def _chown(path: str, uid: int, gid: int) -> bool:
    try:
        os.chown(path, uid, gid)
    except PermissionError:
        return False
    return True


def check_host_path(path: str, type_: str) -> list[Missing]:
    """Make sure that the path is of the hostPath type; what the OrCreate types name is made.

    Return the directory if only root may make it, and what only root can look at.
    """
    try:
        if type_ == "DirectoryOrCreate" and not os.path.exists(path):
            _make(path)
        # The engine refuses to mount what is not there; kubelet lets the runtime make a directory.
        if type_ == "" and not os.path.lexists(path):
            _make(path)
    except PermissionError:
        return [Missing(path)]
    if type_ == "":
        return []
    if type_ in HIDDEN_TESTS and _is_hidden(path):
        return [Missing(path, type_)]
    if type_ == "FileOrCreate" and not os.path.exists(path):
        with open(path, "ab"):
            os.chmod(path, 0o644)
    wanted = _HOST_PATH_TYPES.get(type_)
    if wanted is None:
        raise _mount_failure(f"{type_} is an invalid volume type")
    if not os.path.exists(path) or not wanted[1](os.stat(path).st_mode):
        raise _mount_failure(mistyped(path, type_))
    return []


def mistyped(path: str, type_: str) -> str:
    """Return a kubelet's words for a path that is not of its hostPath type."""
    return f"hostPath type check failed: {path} is not {_HOST_PATH_TYPES[type_][0]}"


def _is_hidden(path: str) -> bool:
    """Tell whether it cannot be seen from here that there is nothing."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


_HOST_PATH_TYPES = {
    "Directory": ("a directory", stat.S_ISDIR),
    "DirectoryOrCreate": ("a directory", stat.S_ISDIR),
    "File": ("a file", stat.S_ISREG),
    "FileOrCreate": ("a file", stat.S_ISREG),
    "Socket": ("a socket file", stat.S_ISSOCK),
    "CharDevice": ("a character device", stat.S_ISCHR),
    "BlockDevice": ("a block device", stat.S_ISBLK),
}


HIDDEN_TESTS = {"Directory": "-d", "File": "-f", "Socket": "-S", "CharDevice": "-c", "BlockDevice": "-b"}
"""What the shell's ``test`` calls the types of what is there already."""


def _mount_failure(message: str) -> NodeFailure:
    return NodeFailure("FailedMount", message)


def write_host_files(files: Iterable[HostFile]) -> None:
    """Write the files in place: a container that mounts one goes on seeing it."""
    for file in files:
        _make(os.path.dirname(file.path))
        if file.text is not None and _read(file.path) != file.text.encode():
            with open(file.path, "wb") as sink:
                sink.write(file.text.encode())
        os.chmod(file.path, file.mode)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as source:
            return source.read()
    except FileNotFoundError:
        return None


def resolve_sub_paths(sub_paths: Iterable[SubPath]) -> dict[str, str]:
    """Return {volume/path: the real path}; a path that leads out of its volume is refused."""
    found: dict[str, str] = {}
    for sub in sub_paths:
        root = os.path.realpath(sub.volume)
        path = os.path.join(root, sub.path)
        real = os.path.realpath(path)
        if real != root and not real.startswith(root + os.sep):
            raise NodeFailure(
                "CreateContainerConfigError",
                f"failed to prepare subPath for volumeMount: {sub.path} leaves it",
            )
        if not os.path.exists(real):
            if not sub.create:
                raise NodeFailure(
                    "CreateContainerConfigError", f"failed to prepare subPath: {sub.path} does not exist"
                )
            _make_inside(root, real)
        found[f"{sub.volume}/{sub.path}"] = real
    return found


def _make_inside(root: str, path: str) -> None:
    """Make the directories from the volume's own down to the path, each with the volume's mode and group."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_inside(root, parent)
    volume = os.stat(root)
    with contextlib.suppress(FileExistsError):  # another container of the pod wants it, too
        os.mkdir(path)
    if volume.st_mode & stat.S_ISGID:
        _give_group(path, volume.st_gid)
    os.chmod(path, stat.S_IMODE(volume.st_mode))


def with_profiles(options: tuple[str, ...]) -> tuple[str, ...]:
    """Return the security options with the text of seccomp profiles in the place of their paths."""
    found: list[str] = []
    for option in options:
        path = option.removeprefix("seccomp=")
        if path == option or not path.startswith("/"):
            found.append(option)
            continue
        try:
            with open(path, encoding="utf-8") as source:
                found.append(f"seccomp={source.read()}")
        except OSError as error:
            raise NodeFailure(
                "CreateContainerError", f'cannot load seccomp profile "{path}": {error.strerror}'
            ) from error
    return tuple(found)


def remove(paths: Iterable[str]) -> list[str]:
    """Remove the directories; return those that others' files keep from being removed."""
    left: list[str] = []
    for path in paths:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            pass  # somebody else removed it
        except PermissionError:
            left.append(path)
            continue
        # The directory of all pods goes with the last of them; it is made again with the next.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
    return left


def read_tail(path: str, limit: int) -> str:
    """Return the last bytes of a file as text, "" if there is none."""
    try:
        with open(path, "rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - limit))
            return source.read(limit).decode(errors="replace")
    except OSError:
        return ""


def read_env(wanted: Iterable[EnvFile]) -> dict[EnvFile, str]:
    """Return the texts of those files that there are; a path that leads out of its volume leads nowhere."""
    found = {}
    for each in wanted:
        root = os.path.realpath(each.volume)
        real = os.path.realpath(os.path.join(root, each.path))
        if real.startswith(root + os.sep) and os.path.isfile(real):
            with contextlib.suppress(OSError), open(real, "rb") as source:
                found[each] = source.read(ENV_FILE_BYTES).decode(errors="replace")
    return found


def pod_uids(pods_dir: str) -> list[str]:
    """Return the uids that have a directory."""
    try:
        return sorted(os.listdir(pods_dir))
    except OSError:
        return []
