"""Root filesystems made of this machine's programs."""

from __future__ import annotations

import dataclasses
import subprocess
import tarfile
from pathlib import Path

import pytest

from minikctl.drivers import rootfs

LDD = """/usr/bin/dash:
	linux-vdso.so.1 (0x00007ffc)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
	/lib64/ld-linux-x86-64.so.2 (0x00007f)
/usr/bin/busybox:
	not a dynamic executable
/opt/x:
	libmissing.so => not found
"""


def test_ldd_is_read_for_what_is_there() -> None:
    assert list(rootfs.parse_ldd(LDD.splitlines())) == [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
    ]


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/lib/x/libc.so.6", "usr/lib/x/libc.so.6"),
        ("/usr/lib/x/libc.so.6", "usr/lib/x/libc.so.6"),
        ("/lib64/ld.so", "usr/lib64/ld.so"),
        ("/sbin/ip", "usr/sbin/ip"),
        ("/opt/tools/x", "opt/tools/x"),
    ],
)
def test_old_and_new_places_are_one(path: str, member: str) -> None:
    assert rootfs.inside(path) == member


def recipe(**files: bytes) -> rootfs.Recipe:
    """Return a recipe with these files."""
    return rootfs.Recipe(
        programs=("ls",),
        extras=("no-such-program",),
        files={f"etc/{name}": (content, 0o644) for name, content in files.items()},
        directories={"work/deep": 0o1777},
    )


def test_what_is_missing_is_told() -> None:
    sources = rootfs.Sources(rootfs.Recipe(("no-such-program", "ls"), (), {}, {}))
    assert "no-such-program" in sources.missing
    assert "ls" not in sources.missing


def test_the_fingerprint_changes_with_the_content_only() -> None:
    first = rootfs.Sources(recipe(a=b"1")).fingerprint()
    assert first == rootfs.Sources(recipe(a=b"1")).fingerprint()
    assert first != rootfs.Sources(recipe(a=b"2")).fingerprint()
    assert len(first) == 12


def test_a_written_filesystem_is_whole(tmp_path: Path) -> None:
    sources = rootfs.Sources(recipe(a=b"hello"))
    assert not sources.missing, "the machine lacks busybox or dash: make setup"
    sources.write(tmp_path / "root.tar")
    with tarfile.open(tmp_path / "root.tar") as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert len(members) == len(tar.getnames())
        content = tar.extractfile("etc/a")
        assert content is not None
        assert content.read() == b"hello"
    assert members["bin"].linkname == "usr/bin"
    assert members["work/deep"].mode == 0o1777
    assert members["work"].isdir()
    assert members["usr/bin/busybox"].isfile()
    assert members["usr/bin/wget"].linkname == "busybox"
    assert members["usr/bin/sh"].linkname == "dash"
    assert members["usr/bin/ls"].isfile()
    assert any(name.startswith("usr/lib") and "libc.so" in name for name in members)
    assert not [name for name, member in members.items() if member.mode & 0o6000]


def test_a_python_is_there_that_runs_without_the_machines(tmp_path: Path) -> None:
    sources = rootfs.Sources(dataclasses.replace(recipe(), python=("ctypes", "json")))
    assert not sources.missing
    sources.write(tmp_path / "root.tar")
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "root.tar", "-C", root], check=True)
    program = "import ctypes, json; ctypes.CDLL(None); print(json.dumps([1]))"
    words = ["unshare", "--mount", "--root", str(root), "python3", "-I", "-S", "-c", program]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[1]\n"
    compiled = list(root.rglob("__pycache__/*.pyc"))
    assert compiled
    assert (
        sum(each.stat().st_size for each in root.rglob("*") if each.is_file() and not each.is_symlink())
        < 25 << 20
    )


def test_a_python_without_the_modules_is_missing() -> None:
    assert "python3" in rootfs.Sources(dataclasses.replace(recipe(), python=("no_such_module",))).missing
