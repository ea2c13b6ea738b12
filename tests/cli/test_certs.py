"""Trust in the local authority: this system's, and that of browsers with lists of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl.cli import certs

CERTIFICATE = Path("/state/ca.crt")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a home without anything, and be able to run what is put into this directory alone."""
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    return found


def program(directory: Path, name: str) -> None:
    (directory / name).touch(0o755)


def browsers(words: list[list[str]]) -> list[list[str]]:
    return [each for each in words if each[0] in ("certutil", "mkdir")]


def test_browsers_that_are_there_are_told_too(programs: Path, tmp_path: Path) -> None:
    program(programs, "certutil")
    assert browsers(certs._trusting(CERTIFICATE)) == []
    profile = tmp_path / ".mozilla" / "firefox" / "mine"
    profile.mkdir(parents=True)
    assert browsers(certs._trusting(CERTIFICATE)) == []
    (profile / "cert9.db").touch()
    add = ["-A", "-t", "C,,", "-n", certs.BROWSER_NAME, "-i", str(CERTIFICATE)]
    assert browsers(certs._trusting(CERTIFICATE)) == [["certutil", "-d", f"sql:{profile}", *add]]
    assert certs._left_out() == ""


def test_a_chromium_that_has_no_list_yet_gets_one(programs: Path, tmp_path: Path) -> None:
    program(programs, "certutil")
    program(programs, "google-chrome")
    place = f"{tmp_path}/.pki/nssdb"
    found = browsers(certs._trusting(CERTIFICATE))
    assert found[:2] == [["mkdir", "-p", place], ["certutil", "-d", f"sql:{place}", "-N", "--empty-password"]]
    assert found[2][:4] == ["certutil", "-d", f"sql:{place}", "-A"]
    Path(place).mkdir(parents=True)
    Path(place, "cert9.db").touch()
    assert [each[3] for each in browsers(certs._trusting(CERTIFICATE))] == ["-A"]


def test_browsers_that_cannot_be_told_are_named(programs: Path) -> None:
    assert certs._left_out() == ""
    program(programs, "chromium")
    assert browsers(certs._trusting(CERTIFICATE)) == []
    assert "libnss3-tools" in certs._left_out()
    program(programs, "certutil")
    assert certs._left_out() == ""
