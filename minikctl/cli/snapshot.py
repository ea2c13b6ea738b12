"""``cluster snapshot``: a cluster's whole state in one file, and a cluster made from one."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import tarfile
import tempfile

import minikctl
from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.client import home as homes
from minikctl.client import launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

FORMAT = "minikctl-snapshot 1"
MARK = "SNAPSHOT"
WITHIN = ("store.db", "cluster.json", "pki", "volumes")
"""What a snapshot may hold, and nothing else is ever written from one."""


class SaveOptions(Options):
    """What ``cluster snapshot save`` was asked."""

    paths: tuple[str, ...] = rest("FILE", default=(), complete="files")
    volumes: bool = flag(
        "--volumes", default=False, help="Also what claims hold; best with the apps at rest."
    )


def save(options: SaveOptions, session: Session) -> int:
    """Write the state of the cluster, which may go on running, to a file; return the exit code."""
    path, home = flags.one(options.paths, "FILE"), session.home
    if not home.exists():
        raise errors.UsageError(f'error: there is no cluster "{home.name}"')
    staged = f"{path}.{os.getpid()}.new"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            copy = os.path.join(scratch, "store.db")
            _copy_store(home.store, copy)
            handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # keys are in it
            with os.fdopen(handle, "wb") as sink, tarfile.open(fileobj=sink, mode="w:gz") as archive:
                _mark(archive)
                archive.add(copy, "store.db")
                archive.add(home.file("cluster.json"), "cluster.json")
                archive.add(home.file("pki"), "pki")
                if options.volumes and os.path.isdir(home.file("volumes")):
                    archive.add(home.file("volumes"), "volumes")
        os.replace(staged, path)
    except OSError as error:
        raise errors.UsageError(f"error: unable to write {path}: {error.strerror or error}") from error
    finally:
        if os.path.exists(staged):
            os.unlink(staged)
    session.io.say(f'Cluster "{home.name}" saved to {path} ({os.path.getsize(path) / 1e6:.1f} MB).')
    return 0


def _mark(archive: tarfile.TarFile) -> None:
    text = f"{FORMAT}\nversion v{minikctl.__version__}\n".encode()
    entry = tarfile.TarInfo(MARK)
    entry.size = len(text)
    archive.addfile(entry, io.BytesIO(text))


def _copy_store(source: str, target: str) -> None:
    """Copy a store that may be written to meanwhile: the copy is of one moment."""
    with sqlite3.connect(f"file:{source}?mode=ro", uri=True) as opened, sqlite3.connect(target) as copy:
        opened.backup(copy)
    opened.close()
    copy.close()


class RestoreOptions(Options):
    """What ``cluster snapshot restore`` was asked."""

    paths: tuple[str, ...] = rest("FILE", default=(), complete="files")
    force: bool = flag(
        "--force", default=False, help="Also if the cluster is there: its present state is lost."
    )
    start: bool = flag("--start", default=True, help="Start the control plane afterwards.")


def restore(options: RestoreOptions, session: Session) -> int:
    """Put the cluster in the state of a snapshot; return the exit code."""
    path, home = flags.one(options.paths, "FILE"), session.home
    if home.exists() and not options.force:
        raise errors.UsageError(
            f'error: cluster "{home.name}" is there: --force gives up its present state for that of {path}, '
            "--cluster NAME makes another one from it"
        )
    os.makedirs(home.root, mode=0o700, exist_ok=True)
    # On the same file system, and not where clusters are: half a cluster must not look like one.
    with tempfile.TemporaryDirectory(dir=home.root, prefix=".restore-") as scratch:
        _unpack(path, scratch)
        launcher.stop(home, session.io.warn)
        _put(scratch, home)
    session.io.say(f'Cluster "{home.name}" restored from {path}.')
    if options.start:
        launcher.ensure_running(home)
        session.io.say("The control plane runs; containers follow what was restored.")
    return 0


def _unpack(path: str, scratch: str) -> None:
    try:
        with tarfile.open(path, "r:gz") as archive:
            mark = archive.extractfile(MARK) if MARK in archive.getnames() else None
            if mark is None or not mark.read().startswith(FORMAT.encode()):
                raise errors.UsageError(f"error: {path} is no snapshot")
            members = [each for each in archive.getmembers() if _is_ours(each.name)]
            # Python 3.11.4 and later refuse links and places outside by themselves.
            safety: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
            archive.extractall(scratch, members=members, **safety)
    except (OSError, tarfile.TarError) as error:
        raise errors.UsageError(f"error: unable to read {path}: {error}") from error


def _is_ours(name: str) -> bool:
    parts = name.split("/")
    return parts[0] in WITHIN and ".." not in parts


def _put(scratch: str, home: homes.ClusterHome) -> None:
    """Put the files in their places; a cluster of another name keeps its name and gets a slot of its own."""
    import json

    fresh = not home.exists()
    settings = home.settings()
    with open(os.path.join(scratch, "cluster.json"), encoding="utf-8") as source:
        saved = json.load(source)
    os.makedirs(home.path, mode=0o700, exist_ok=True)
    for name in ("store.db", "store.db-wal", "store.db-shm"):
        home.remove(name)
    shutil.move(os.path.join(scratch, "store.db"), home.store)
    for name in ("pki", "volumes"):
        if os.path.isdir(os.path.join(scratch, name)):
            shutil.rmtree(home.file(name), ignore_errors=True)
            shutil.move(os.path.join(scratch, name), home.file(name))
    kept = {"name": home.name, "slot": settings.slot, "api_port": 0 if fresh else settings.api_port}
    home.write_json("cluster.json", {**saved, **kept})


COMMAND = Command(
    "Keep a cluster's whole state in a file, and make a cluster from one.",
    children={
        "save": Command(
            "Write the state of the cluster to a file, while it runs.",
            SaveOptions,
            save,
            usage="FILE",
            examples=(
                ("Before an experiment", "minikctl cluster snapshot save before.tgz"),
                ("With what volumes hold", "minikctl cluster snapshot save all.tgz --volumes"),
            ),
        ),
        "restore": Command(
            "Put the cluster in the state of a snapshot.",
            RestoreOptions,
            restore,
            usage="FILE",
            examples=(
                ("Go back", "minikctl cluster snapshot restore before.tgz --force"),
                ("Make another cluster of it", "minikctl --cluster copy cluster snapshot restore before.tgz"),
            ),
        ),
    },
)
