"""``cp``: what its threads tell each other."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.cli import cp


def test_a_file_that_cannot_be_read_is_told_before_the_copy_seems_to_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first").write_text("there")
    packer, opened = cp._Packer(str(tmp_path), "x"), os.fdopen
    known: list[bool] = []

    def watched(*args: Any) -> Any:
        sink = opened(*args)

        class Sink:
            write = sink.write

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                known.append(packer._failure is not None)
                sink.close()

        return Sink()

    def fails(*_: object, **__: object) -> None:
        raise PermissionError("Permission denied: 'second'")

    monkeypatch.setattr(os, "fdopen", watched)
    monkeypatch.setattr(tarfile.TarFile, "add", fails)
    packer.run()
    assert known == [True]
    with pytest.raises(errors.UsageError, match="second"):
        list(iter(packer.read, b""))
    packer.close()
