"""The node's files on the host."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from minikctl.model.actions.node import (
    FilesVolume,
    HostFile,
    HostVolume,
    KeptVolume,
    ScratchVolume,
    SubPath,
    VolumeFile,
)
from minikctl.node import files
from minikctl.node.failures import NodeFailure
from minikctl.plan.pod.view import EnvFile


def volume(path: Path, gid: int | None = None, **contents: str) -> FilesVolume:
    made = tuple(VolumeFile(name.replace("_", "/"), text.encode(), 0o640) for name, text in contents.items())
    return FilesVolume("v", str(path), made, gid)


def seen(path: Path) -> dict[str, str]:
    """Return what a container sees: names that do not begin with two dots."""
    found = {}
    for base, _, names in os.walk(path, followlinks=True):
        for name in names:
            shown = os.path.relpath(os.path.join(base, name), path)
            if not shown.startswith(".."):
                found[shown] = Path(base, name).read_text()
    return found


def test_files_appear_change_and_go_as_one(tmp_path: Path) -> None:
    files.write_volume(volume(tmp_path, a="1", sub_b="2"))
    assert seen(tmp_path) == {"a": "1", "sub/b": "2"}
    first = os.readlink(tmp_path / "..data")
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o640
    files.write_volume(volume(tmp_path, a="3", c="4"))
    assert seen(tmp_path) == {"a": "3", "c": "4"}
    second = os.readlink(tmp_path / "..data")
    assert first != second
    assert not (tmp_path / first).exists()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    files.write_volume(volume(tmp_path, a="1"))
    first = os.readlink(tmp_path / "..data")
    (tmp_path / "a").unlink()
    files.write_volume(volume(tmp_path, a="1"))
    assert os.readlink(tmp_path / "..data") == first
    assert seen(tmp_path) == {"a": "1"}
    (tmp_path / first / "a").chmod(0o600)
    files.write_volume(volume(tmp_path, a="1"))
    assert os.readlink(tmp_path / "..data") != first


def test_what_a_crash_left_behind_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "..half").mkdir()
    (tmp_path / "..data_tmp").symlink_to("nowhere")
    files.write_volume(volume(tmp_path, a="1"))
    assert seen(tmp_path) == {"a": "1"}
    assert not (tmp_path / "..half").exists()


def test_a_group_may_read(tmp_path: Path) -> None:
    made = FilesVolume("v", str(tmp_path), (VolumeFile("a", b"", 0o400),), os.getgid())
    files.write_volume(made)
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o440
    files.write_volume(made)


def test_scratch_is_for_everyone(tmp_path: Path) -> None:
    files.write_volume(ScratchVolume("v", str(tmp_path / "a" / "b")))
    assert stat.S_IMODE(os.stat(tmp_path / "a" / "b").st_mode) == 0o777
    files.write_volume(ScratchVolume("v", str(tmp_path / "c"), os.getgid()))
    assert stat.S_IMODE(os.stat(tmp_path / "c").st_mode) == 0o2777


@pytest.mark.parametrize("type_", ["", "DirectoryOrCreate", "FileOrCreate"])
def test_host_paths_may_be_made(tmp_path: Path, type_: str) -> None:
    path = tmp_path / "deep"
    for _ in range(2):
        files.write_volume(HostVolume("v", str(path), type_))
    assert path.is_file() if type_ == "FileOrCreate" else path.is_dir()


@pytest.mark.parametrize(
    ("type_", "word"),
    [
        ("Directory", "a directory"),
        ("DirectoryOrCreate", "a directory"),
        ("Socket", "a socket file"),
        ("CharDevice", "a character device"),
        ("BlockDevice", "a block device"),
    ],
)
def test_host_paths_are_checked(tmp_path: Path, type_: str, word: str) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(NodeFailure) as caught:
        files.check_host_path(str(path), type_)
    assert caught.value.message == f"hostPath type check failed: {path} is not {word}"


def test_host_paths_that_only_root_can_see_are_left_to_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "closed" / "a")

    def denied(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", denied)
        found = files.check_host_path(path, "Directory")
    assert found == [files.Missing(path, "Directory")]


def test_host_paths_of_their_type_pass(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        files.check_host_path(path, "Socket")
    files.check_host_path("/dev/null", "CharDevice")
    files.check_host_path(str(tmp_path), "Directory")
    with pytest.raises(NodeFailure, match="is not a file"):
        files.check_host_path(str(tmp_path / "none"), "File")
    with pytest.raises(NodeFailure, match="Odd is an invalid volume type"):
        files.check_host_path(str(tmp_path), "Odd")


def test_mounted_files_keep_their_identity(tmp_path: Path) -> None:
    path = tmp_path / "a" / "hosts"
    files.write_host_files([HostFile(str(path), "one")])
    before = path.stat().st_ino
    files.write_host_files([HostFile(str(path), "two", 0o666)])
    assert path.read_text() == "two"
    assert path.stat().st_ino == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    files.write_host_files([HostFile(str(path), None, 0o600)])
    assert path.read_text() == "two"


def test_sub_paths_stay_inside(tmp_path: Path) -> None:
    root = tmp_path / "v"
    root.mkdir(mode=0o777)
    (root / "out").symlink_to("/etc")
    (root / "in").symlink_to("real")
    found = files.resolve_sub_paths([SubPath(str(root), "a/b"), SubPath(str(root), "in")])
    assert found == {f"{root}/a/b": str(root / "a/b"), f"{root}/in": str(root / "real")}
    assert (root / "a/b").is_dir()
    os.chmod(root, 0o2770)
    files.resolve_sub_paths([SubPath(str(root), "deep/er")])
    for made in (root / "deep", root / "deep/er"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o2770
        assert made.stat().st_gid == root.stat().st_gid
    with pytest.raises(NodeFailure, match="leaves it"):
        files.resolve_sub_paths([SubPath(str(root), "out/passwd")])
    with pytest.raises(NodeFailure, match="does not exist"):
        files.resolve_sub_paths([SubPath(str(root), "none", create=False)])


def test_removal_is_complete_and_harmless_when_repeated(tmp_path: Path) -> None:
    pods = tmp_path / "pods"
    (pods / "a" / "b").mkdir(parents=True)
    (pods / "c").mkdir()
    assert files.remove([str(pods / "a"), str(pods / "none")]) == []
    assert files.pod_uids(str(pods)) == ["c"]
    assert files.remove([str(pods / "c")]) == []
    assert not pods.exists()
    assert files.pod_uids(str(pods)) == []


def test_environment_files_are_read_within_their_volume(tmp_path: Path) -> None:
    volume, outside = tmp_path / "v", tmp_path / "secret"
    volume.mkdir()
    outside.write_text("A='secret'")
    (volume / "env").write_text("A='one'")
    (volume / "link").symlink_to(outside)
    wanted = [EnvFile(str(volume), path) for path in ("env", "link", "../secret", "none", ".")]
    assert files.read_env(wanted) == {wanted[0]: "A='one'"}


def test_tails(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("abcdef")
    assert files.read_tail(str(path), 4) == "cdef"
    assert files.read_tail(str(path), 99) == "abcdef"
    assert files.read_tail(str(tmp_path / "none"), 4) == ""


def test_users_of_containers_may_read_whatever_the_umask_of_the_process_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write_volume(volume(tmp_path / "files", sub_a="1"))
        files.write_volume(ScratchVolume("s", str(tmp_path / "scratch")))
        files.write_volume(HostVolume("h", str(tmp_path / "host" / "made"), ""))
        files.write_volume(KeptVolume("k", str(tmp_path / "volumes" / "kept")))
        files.write_host_files([HostFile(str(tmp_path / "pod" / "hosts"), "text")])
        files.resolve_sub_paths([SubPath(str(tmp_path / "scratch"), "a/b")])
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
        if path.is_dir() and not path.is_symlink()
    }
    # Nobody goes through the directory of all volumes: each one is mounted by itself.
    private = [path for path, mode in modes.items() if mode & 0o005 != 0o005]
    assert private == ["volumes"]
    assert modes["volumes/kept"] == modes["scratch"] == 0o777


def test_a_volume_that_outlives_pods_keeps_what_was_made_of_it(tmp_path: Path) -> None:
    kept = KeptVolume("k", str(tmp_path / "kept"))
    files.write_volume(kept)
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "kept").chmod(0o700)
    files.write_volume(kept)
    assert stat.S_IMODE(os.stat(tmp_path / "kept").st_mode) == 0o700
    assert (tmp_path / "kept" / "file").read_text() == "x"


def test_a_group_owns_all_of_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    (path / "sub").mkdir(parents=True)
    (path / "sub" / "file").write_text("x")
    (path / "link").symlink_to("/nowhere")
    gid = os.getgid()
    files.write_volume(KeptVolume("k", str(path), create=False, gid=gid, always=False))
    assert not os.stat(path / "sub" / "file").st_mode & 0o020, "the group has it already"
    files.write_volume(KeptVolume("k", str(path), create=False, gid=gid))
    assert stat.S_IMODE(os.stat(path / "sub" / "file").st_mode) & 0o660 == 0o660
    assert os.stat(path / "sub").st_mode & stat.S_ISGID


def test_a_volume_that_is_not_made_here_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(NodeFailure, match="does not exist"):
        files.write_volume(KeptVolume("k", str(tmp_path / "gone"), create=False))


def test_seccomp_profiles_are_read_for_the_engine(tmp_path: Path) -> None:
    profile = tmp_path / "strict.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    given = ("no-new-privileges", "seccomp=unconfined", f"seccomp={profile}")
    assert files.with_profiles(given) == (*given[:2], 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}')
    with pytest.raises(NodeFailure, match=r"cannot load seccomp profile .*: No such file") as refused:
        files.with_profiles((f"seccomp={tmp_path}/none.json",))
    assert refused.value.reason == "CreateContainerError"
