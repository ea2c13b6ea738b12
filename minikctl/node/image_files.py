"""Image volumes: the files of an image, unpacked beside the pod's other volumes."""

from __future__ import annotations

import asyncio
import os
import shutil
import tarfile
import tempfile

from minikctl.drivers import engine as engines
from minikctl.model.actions.node import ImageVolume
from minikctl.model.containers import ContainerSpec
from minikctl.node import cleaning
from minikctl.node.failures import NodeFailure
from minikctl.plan.pod import names
from minikctl.plan.pod.view import ImageState, NodeInfo

_MARK = ".image"


async def write(engine: engines.Engine, node: NodeInfo, volume: ImageVolume, image: ImageState) -> None:
    """Have the image's files in the volume's directory; what is there already stays as it is."""
    if _read(volume.path + _MARK) == image.image_id:
        return
    os.makedirs(os.path.dirname(volume.path), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="..image-", dir=os.path.dirname(volume.path)) as place:
        archive = os.path.join(place, "files.tar")
        await _export(engine, node, image, archive)
        fresh = os.path.join(place, "files")
        try:
            await asyncio.to_thread(_unpack, archive, fresh)
        except (tarfile.TarError, OSError) as error:
            raise NodeFailure("FailedMount", f"unpacking image {volume.image}: {error}") from error
        shutil.rmtree(volume.path, ignore_errors=True)
        os.rename(fresh, volume.path)
    with open(volume.path + _MARK, "w", encoding="ascii") as sink:
        sink.write(image.image_id)


async def _export(engine: engines.Engine, node: NodeInfo, image: ImageState, archive: str) -> None:
    """Write the files of the image to a tar, by way of a container that never runs."""
    spec = ContainerSpec(
        name=f"mk_{node.cluster}_image_{os.urandom(6).hex()}",
        image=image.reference,
        labels={names.CLUSTER: node.cluster, names.ROLE: cleaning.IMAGE_ROLE},
        entrypoint=("/",),
        network="none",
    )
    container_id = await engine.create(spec)
    try:
        with open(archive, "wb") as sink:
            async for data in engine.export(container_id):
                await asyncio.to_thread(sink.write, data)
    finally:
        await cleaning.discard(engine, container_id)


def _unpack(archive: str, directory: str) -> None:
    os.mkdir(directory, 0o755)
    with tarfile.open(archive) as files:
        for member in files:
            if not member.isdev():
                _extract(files, member, directory)
    os.chmod(directory, 0o755)


def _extract(files: tarfile.TarFile, member: tarfile.TarInfo, directory: str) -> None:
    """Put a member into the directory, never outside of it, whatever links the archive has made before."""
    if hasattr(tarfile, "tar_filter"):
        files.extract(member, directory, numeric_owner=True, filter="tar")
        return
    # Python before 3.11.4 has no filters.
    member.name = member.name.lstrip("/")
    _check_inside(directory, os.path.dirname(member.name) if member.issym() else member.name)
    if member.islnk():
        _check_inside(directory, member.linkname)
    files.extract(member, directory, numeric_owner=True)


def _check_inside(directory: str, name: str) -> None:
    root = os.path.realpath(directory)
    if os.path.commonpath((root, os.path.realpath(os.path.join(root, name)))) != root:
        raise tarfile.ExtractError(f"{name} is outside of the image")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as source:
            return source.read()
    except OSError:
        return ""
