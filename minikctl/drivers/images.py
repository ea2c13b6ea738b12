"""The images that minikctl itself needs, made on this machine without any registry.

Both are assembled from the machine's own programs.  Where those are missing but a registry can be reached,
they are built from the Dockerfiles beside their sources in ``minikctl/images``.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minikctl import errors
from minikctl.drivers import dial_program, netns_program, rootfs
from minikctl.drivers import engine as engines

INFRA = "minikctl-infra"
DEMO = "minikctl-demo"
LABEL = "minikctl.dev/image"
_SOURCES = Path(__file__).resolve().parent.parent / "images"
_PACKAGES = {
    "busybox": "busybox-static",
    "named": "bind9",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
}
_ETC = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "bind:x:100:100:bind:/var/cache/bind:/bin/false\n"
        "haproxy:x:101:101:haproxy:/var/lib/haproxy:/bin/false\n"
        "nobody:x:65534:65534:nobody:/:/bin/false\n"
    ),
    "etc/group": "root:x:0:\nbind:x:100:\nhaproxy:x:101:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n",
    "etc/protocols": (
        "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n"
        "ipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\nudplite 136 UDPLite\n"
    ),
    "etc/services": "domain 53/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\n",
}


@dataclass(frozen=True)
class _Kind:
    """One of our images: its recipe, and the files of its sources with their paths and modes in it."""

    name: str
    programs: tuple[str, ...]
    extras: tuple[str, ...]
    files: tuple[tuple[str, int], ...]
    directories: tuple[tuple[str, int], ...]
    changes: tuple[str, ...]
    modules: tuple[str, ...] = ()
    python: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return _SOURCES / self.name.removeprefix("minikctl-")

    def recipe(self) -> rootfs.Recipe:
        files = {path: (text.encode(), 0o644) for path, text in _ETC.items()}
        files |= {name: ((self.folder / name).read_bytes(), mode) for name, mode in self.files}
        return rootfs.Recipe(
            self.programs,
            self.extras,
            files,
            dict(self.directories),
            self.changes,
            self.modules,
            self.python,
        )


_INFRA = _Kind(
    name=INFRA,
    programs=("nft", "nsenter", "ip", "conntrack", "named", "haproxy"),
    extras=("rndc", "curl", "iptables"),
    files=(("pause", 0o755),),
    # Writable by any user: what runs here does so under users that only the configuration knows.
    directories=(
        ("var/cache/bind", 0o1777),
        ("var/lib/haproxy", 0o1777),
        ("run/named", 0o1777),
        ("run/haproxy", 0o1777),
    ),
    changes=("ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", 'ENTRYPOINT ["/pause"]'),
    modules=("/usr/lib/*/xtables/*.so",),
    python=tuple(sorted({*netns_program.MODULES, *dial_program.MODULES})),
)
_DEMO = _Kind(
    name=DEMO,
    programs=("haproxy",),
    extras=("curl",),
    files=(("app.cfg", 0o644), ("serve", 0o755)),
    directories=(("work", 0o1777),),
    changes=(
        "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        'CMD ["/serve"]',
        "EXPOSE 8080",
    ),
)


class Sources(Protocol):
    """Where a recipe's parts come from; ``rootfs.Sources`` is this machine."""

    missing: list[str]

    def fingerprint(self) -> str:
        """Return a short text that changes when any of the parts does."""
        ...

    def write(self, archive: Path) -> None:
        """Write the root filesystem to a tar file."""
        ...


FindSources = Callable[[rootfs.Recipe], Sources]


async def ensure_infra(engine: engines.Engine, find: FindSources = rootfs.Sources) -> str:
    """Return the reference of an infrastructure image that is present and fits this machine's programs."""
    return await _ensure(engine, _INFRA, find)


async def ensure_demo(engine: engines.Engine, find: FindSources = rootfs.Sources) -> str:
    """Return the reference of the demo app's image, which is present."""
    return await _ensure(engine, _DEMO, find)


async def _ensure(engine: engines.Engine, kind: _Kind, find: FindSources) -> str:
    sources = await asyncio.to_thread(find, kind.recipe())
    if sources.missing:
        return await _built(engine, kind, sources.missing)
    fingerprint = await asyncio.to_thread(sources.fingerprint)
    reference, latest = f"{kind.name}:{fingerprint}", f"{kind.name}:latest"
    present, newest = await asyncio.gather(engine.image(reference), engine.image(latest))
    if present is None:
        await _assembled(engine, kind, sources, reference)
    if present is None or newest is None or newest.id != present.id:
        await engine.tag_image(reference, latest)
    return reference


async def _assembled(engine: engines.Engine, kind: _Kind, sources: Sources, reference: str) -> None:
    with tempfile.TemporaryDirectory(prefix="minikctl-image-") as folder:
        archive = Path(folder) / "rootfs.tar"
        await asyncio.to_thread(sources.write, archive)
        await engine.load_filesystem(str(archive), reference, [*kind.changes, f"LABEL {LABEL}={kind.name}"])


async def _built(engine: engines.Engine, kind: _Kind, missing: list[str]) -> str:
    latest = f"{kind.name}:latest"
    if await engine.image(latest) is not None:
        return latest
    packages = " ".join(sorted({_PACKAGES.get(name, name) for name in missing}))
    try:
        await engine.build_image(_context(kind), latest, {LABEL: kind.name})
    except errors.EngineUnavailable:
        raise
    except errors.DriverError as error:
        raise errors.DriverError(
            f"the image {latest} cannot be made: this machine lacks {', '.join(missing)} (install them with "
            f"`apt-get install {packages}`), and building it from a registry's base image failed too",
            error.output or str(error),
        ) from error
    return latest


def _context(kind: _Kind) -> bytes:
    """Return the build context as a tar: the Dockerfile with the image's last words, and the files."""
    dockerfile = (kind.folder / "Dockerfile").read_text() + "\n".join(kind.changes) + "\n"
    contents = {"Dockerfile": dockerfile.encode()}
    contents |= {name: (kind.folder / name).read_bytes() for name, _ in kind.files}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
